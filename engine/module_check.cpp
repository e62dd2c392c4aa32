// SPDX-License-Identifier: Apache-2.0
// Structural checks of modules; the kernels rely on each of them.
#include "engine/module_check.h"

#include <algorithm>
#include <cmath>

namespace octet {
namespace {

/// What the module itself holds: a tied one, nothing.
std::vector<Param> own_params(const Module& module, std::string_view where) {
  if (!module.tied_to.empty()) return {};
  return naming(where, [&] { return params_of(module.op); });
}

template <class T>
void check_codes(const Tensor& t, const QParams& q, std::string_view where) {
  const auto codes = t.data<T>();
  const auto bad = std::ranges::find_if(codes, [&](T code) { return code < q.qmin || code > q.qmax; });
  check(bad == codes.end(), where, ": code ", bad == codes.end() ? 0 : int{*bad}, " at element ", bad - codes.begin(),
        " is outside ", q.qmin, "..", q.qmax);
}

void check_param(const Tensor& t, const Param& param, std::string_view where) {
  const Shape& shape = param.shape;
  check(t.shape() == shape, where, ": expected shape ", to_string(shape), ", got ", to_string(t.shape()));
  if (!t.qparams()) {
    check(t.dtype() == DType::f32 || t.dtype() == DType::f64, where, ": is ", to_string(t.dtype()),
          " without quantization parameters");
    dispatch_float(t.dtype(), where, [&]<class T>() {
      const auto values = t.data<T>();
      const auto bad = std::ranges::find_if(values, [](T v) { return !std::isfinite(v); });
      check(bad == values.end(), where, ": element ", bad - values.begin(), " is ", bad == values.end() ? T(0) : *bad);
    });
    return;
  }
  const QParams& q = *t.qparams();
  check_qparams(q, shape, where, param.role);
  const DType expected = code_dtype(q);
  check(expected != DType::i16 || param.role != Role::weight, where, ": weights have 8 bits, got codes ", q.qmin, "..", q.qmax);
  check(t.dtype() == expected, where, ": codes ", q.qmin, "..", q.qmax, " need ", to_string(expected), ", got ",
        to_string(t.dtype()));
  if (expected == DType::i8)
    check_codes<int8_t>(t, q, where);
  else if (expected == DType::i16)
    check_codes<int16_t>(t, q, where);
  else if (expected == DType::u8)
    check_codes<uint8_t>(t, q, where);  // a bias may have any code
}

}  // namespace

void check_qparams(const QParams& q, const Shape& shape, std::string_view where, Role role) {
  check(q.qmin <= q.qmax, where, ": qmin ", q.qmin, " is above qmax ", q.qmax);
  if (role == Role::bias)
    check(q.qmin == INT32_MIN && q.qmax == INT32_MAX && std::ranges::all_of(q.zero_point, [](int32_t z) { return z == 0; }), where,
          ": a bias has codes of all 32 bits around zero, not ", to_string(q));
  else
    check(code_dtype(q) != DType::i32, where, ": codes ", q.qmin, "..", q.qmax, " fit neither u8, i8 nor i16");
  check(q.group == 0, where, ": group ", q.group, " is not supported");
  check(q.axis >= -1 && q.axis < static_cast<int>(shape.size()), where, ": axis ", q.axis, " of shape ", to_string(shape));
  const size_t pairs = q.axis < 0 ? 1 : static_cast<size_t>(shape[static_cast<size_t>(q.axis)]);
  check(q.scale.size() == pairs && q.zero_point.size() == pairs, where, ": needs ", pairs, " scales and zero points, has ",
        q.scale.size(), " and ", q.zero_point.size());
  for (size_t c = 0; c < pairs; ++c) {
    check(std::isnormal(q.scale[c]) && q.scale[c] > 0, where, ": scale ", c, " is ", q.scale[c],
          ", expected a positive normal float");
    check(q.zero_point[c] >= q.qmin && q.zero_point[c] <= q.qmax, where, ": zero point ", c, " is ", q.zero_point[c], ", outside ",
          q.qmin, "..", q.qmax);
    check(q.zero_point[c] == 0 || code_dtype(q) != DType::i16, where, ": zero point ", c, " is ", q.zero_point[c],
          ", 16-bit codes have 0; observe them with a symmetric scheme");
  }
}

void check_module(const Module& module, std::string_view where) {
  const std::vector<Param> params = own_params(module, where);
  for (const Param& param : params) {
    const auto found = module.params.find(param.name);
    check(found != module.params.end() || param.optional, where, ": parameter '", param.name, "' of shape ", to_string(param.shape),
          " is missing");
    if (found != module.params.end()) check_param(found->second, param, std::string(where) + "." + param.name);
  }
  for (const auto& [name, tensor] : module.params)
    check(std::ranges::find(params, name, &Param::name) != params.end(), where, ": a ", name_of(module.op),
          module.tied_to.empty() ? "" : " tied to another", " has no parameter '", name, "'");
  check(module.out_q.empty() || module.out_q.size() == module.nominal.size(), where, ": quantization parameters for ",
        module.out_q.size(), " outputs, it has ", module.nominal.size());
  for (size_t port = 0; port < module.out_q.size(); ++port)
    if (module.out_q[port]) {
      check(module.out_q[port]->axis < 0, where, ": output ", port, " is quantized per channel; wires are per tensor");
      check_qparams(*module.out_q[port], module.nominal[port], std::string(where) + " output " + std::to_string(port));
    }
}

void check_wiring(const Model& model, int index) {
  const int count = static_cast<int>(model.modules.size());
  check(index >= 0 && index < count, "model: module ", index, " of ", count);
  check(model.rounding <= Rounding::fixed_single, "model: unknown rounding ", static_cast<int>(model.rounding));
  const Module& module = model.modules[static_cast<size_t>(index)];
  check(!module.path.empty(), "model: module ", index, " has no path");
  const int wires = traits_of(module.op).wires;
  check((wires == 0) == module.inputs.empty(), module.path, ": expected ",
        wires == 0 ? "no wire into this " + std::string(name_of(module.op)) : "a wire to read from", ", got ",
        module.inputs.size());
  check(wires < 0 || static_cast<int>(module.inputs.size()) == wires, module.path, ": expected ", wires, " wires, got ",
        module.inputs.size());
  for (const Wire& w : module.inputs) {
    check(w.module >= 0 && w.module < index, module.path, ": expected a wire from an earlier module, got module ", w.module,
          ", it is ", index);
    const Module& from = model.modules[static_cast<size_t>(w.module)];
    check(w.port >= 0 && w.port < static_cast<int>(from.nominal.size()), module.path, ": wire from port ", w.port, " of ",
          from.path, ", which has ", from.nominal.size());
  }
  for (const Wire& w : module.inputs) {
    const Module& from = model.modules[static_cast<size_t>(w.module)];
    const size_t port = static_cast<size_t>(w.port);
    if (port < from.out_q.size() && from.out_q[port])
      check_qparams(*from.out_q[port], from.nominal[port], from.path + " output " + std::to_string(w.port));
  }
  const auto outputs = static_cast<size_t>(traits_of(module.op).outputs);
  check(module.nominal.size() == outputs, module.path, ": expected ", outputs, " nominal shape", outputs == 1 ? "" : "s", ", got ",
        module.nominal.size());
  naming(module.path, [&] {
    for (const Shape& shape : module.nominal) numel(shape);
  });
  check(module.out_q.empty() || module.out_q.size() == module.nominal.size(), module.path, ": quantization parameters for ",
        module.out_q.size(), " outputs, it has ", module.nominal.size());
  for (size_t port = 0; port < module.out_q.size(); ++port)
    if (module.out_q[port])
      check_qparams(*module.out_q[port], module.nominal[port], module.path + " output " + std::to_string(port));
  for (const auto& [point, hook] : module.hooks) check(static_cast<bool>(hook), module.path, ": its ", point, " hook is empty");
  if (module.tied_to.empty()) return;
  const auto owner = model.find(module.tied_to);
  check(owner && *owner < index, module.path, ": expected to be tied to an earlier module, got \"", module.tied_to, "\"");
  const Module& source = model.modules[static_cast<size_t>(*owner)];
  check(source.tied_to.empty(), module.path, ": is tied to ", source.path, ", which is tied to ", source.tied_to);
  check(source.op == module.op, module.path, ": is tied to ", source.path, ", another operator (", name_of(source.op), ", it is ",
        name_of(module.op), ", or their attributes differ)");
}

void check_count(const Module& module, size_t given) {
  const size_t expected = std::holds_alternative<Input>(module.op) ? 1 : module.inputs.size();
  check(given == expected, module.path, ": expected ", expected, expected == 1 ? " input, got " : " inputs, got ", given);
}

bool has_output_codes(const Module& module) {
  return module.out_q.size() == module.nominal.size() && !module.out_q.empty() &&
         std::ranges::all_of(module.out_q, [](const auto& q) { return q.has_value(); });
}

void check_params(const Module& module) {
  if (!module.tied_to.empty()) return;
  const std::vector<Param> params = own_params(module, module.path);
  for (const Param& param : params)
    check(param.optional || module.params.contains(param.name), module.path, ": parameter \"", param.name,
          "\" is missing, expected shape ", to_string(param.shape));
  for (const auto& [name, tensor] : module.params) {
    const auto known = std::ranges::find(params, name, &Param::name);
    check(known != params.end(), module.path, ": a ", name_of(module.op), " has no parameter \"", name, "\"");
    const Shape& shape = known->shape;
    check(tensor.shape() == shape, module.path, ": expected ", name, " of shape ", to_string(shape), ", got ",
          to_string(tensor.shape()));
    if (tensor.qparams())
      check_qparams(*tensor.qparams(), shape, module.path + "." + name, known->role);
    else
      check(tensor.dtype() == DType::f32 || tensor.dtype() == DType::f64, module.path, ": expected ", name,
            " of floats or codes, got ", to_string(tensor.dtype()), " without quantization parameters");
  }
}

void check_wiring(const Model& model) {
  std::vector<std::string_view> paths;
  for (size_t i = 0; i < model.modules.size(); ++i) {
    check_wiring(model, static_cast<int>(i));
    paths.push_back(model.modules[i].path);
  }
  std::ranges::sort(paths);
  if (const auto twice = std::ranges::adjacent_find(paths); twice != paths.end()) fail(*twice, ": two modules have this path");
  if (!model.modules.empty()) static_cast<void>(model.output_wires());
}

void check_model(const Model& model) {
  check_wiring(model);
  const Module* first = nullptr;
  DType dtype = DType::f32;
  for (const Module& module : model.modules) {
    check_params(module);
    for (const auto& [name, tensor] : module.params) {
      if (tensor.qparams()) continue;
      if (first == nullptr) first = &module, dtype = tensor.dtype();
      check(tensor.dtype() == dtype, module.path, ": expected ", name, " of ", to_string(dtype), " as in ", first->path, ", got ",
            to_string(tensor.dtype()));
    }
  }
}

}  // namespace octet
