// SPDX-License-Identifier: Apache-2.0
// Running a model: one evaluator for float, calibration, training and int8. A converted module runs its reference kernel, any other
// its operator's float forward with hooks on weights and outputs.
#include <algorithm>
#include <new>

#include "engine/graph.h"
#include "engine/lowered_module.h"
#include "engine/model.h"
#include "engine/module_check.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

/// A module's float forward, in any mode. `mutable_model` is null when nothing may move.
std::vector<Var> run_float(const Model& model, int index, std::span<const Var> inputs, Mode mode, Generator* random,
                           Model* mutable_model) {
  check(index >= 0 && index < static_cast<int>(model.modules.size()), "run: module ", index, " of ", model.modules.size());
  const Module& module = model.modules[index];
  const Module& owner = model.owner(module);
  std::map<std::string, Param, std::less<>> known;
  for (Param& p : params_of(owner.op)) known.emplace(p.name, p);
  std::vector<Shape> shapes;
  for (const Var& v : inputs) shapes.push_back(v.shape());
  std::visit([&](const auto& op) { op.shapes(ShapeCall{module.path, shapes}); }, module.op);
  Call call;
  call.path = module.path;
  call.inputs = inputs;
  call.mode = mode;
  call.random = random;
  call.has = [&](std::string_view name) { return owner.params.contains(name); };
  call.param = [&](std::string_view name) {
    const Tensor& tensor = needed(owner.params, name, owner.path);
    const auto param = known.find(name);
    check(param != known.end() && tensor.shape() == param->second.shape, owner.path, ": expected ", name, " of shape ",
          param == known.end() ? "" : to_string(param->second.shape), ", got ", to_string(tensor.shape()));
    Tensor value = dequantize(tensor);
    if (mode != Mode::train || is_state(param->second.role)) return Var(std::move(value));
    return Var::leaf(owner.path + "." + std::string(name), std::move(value));
  };
  const auto through = [&](const Module& holder, std::string_view point, const Var& v) {
    const auto found = holder.hooks.find(point);
    if (found == holder.hooks.end()) return v;
    if (!mutable_model) return found->second->peek(v, holder.path);
    // The same module, reached through the model that may be changed.
    Module& changing = mutable_model->modules[&holder - model.modules.data()];
    return (*changing.hooks.find(point)->second)(v, mode, holder.path);
  };
  call.hooked = [&](std::string_view point, const Var& v) { return through(owner, point, v); };
  call.store = [&](std::string_view name, Tensor value) {
    if (mutable_model) mutable_model->owner(module).params.insert_or_assign(std::string(name), std::move(value));
  };
  std::vector<Var> outputs = std::visit([&](const auto& op) { return op.forward(call); }, module.op);
  // A tied call without an output hook of its own shares its owner's (Ties::shared).
  const Module& holder = module.hooks.contains("output") ? module : owner;
  for (Var& v : outputs) v = through(holder, "output", v);
  return outputs;
}

/// The inputs a converted module may see: codes as announced by their wires, or floats for an Input.
std::vector<Tensor> run_converted(const Model& model, int index, std::span<const Tensor> inputs) {
  const Module& module = model.modules[index];
  std::vector<Shape> shapes;
  for (const Tensor& t : inputs) shapes.push_back(t.shape());
  std::visit([&](const auto& op) { op.shapes(ShapeCall{module.path, shapes}); }, module.op);
  if (std::holds_alternative<Input>(module.op) && has_output_codes(module)) {
    if (inputs[0].qparams() == module.out_q[0]) {  // already codes of this meaning
      check_codes(inputs[0], module.path);
      return {inputs[0]};
    }
    check(inputs[0].dtype() != DType::f64, module.path, ": expected f32, got f64; int8 models compute from f32");
    return {quantize(dequantize(inputs[0]), *module.out_q[0], model.rounding)};
  }
  if (runs_quantized(model, index)) return LoweredModule(model, index, shapes, QEngine::reference).run(inputs);
  std::vector<Var> vars;
  for (const Tensor& t : inputs) vars.emplace_back(dequantize(t));
  std::vector<Tensor> outputs;
  for (Var& v : run_float(model, index, vars, Mode::eval, nullptr, nullptr)) {
    const size_t port = outputs.size();
    const bool codes = port < module.out_q.size() && module.out_q[port];
    outputs.push_back(codes ? quantize(v.value(), *module.out_q[port], model.rounding) : v.value());
  }
  return outputs;
}

void check_input(const Module& module, const Tensor& x) {
  std::visit([&](const auto& op) { op.shapes(ShapeCall{module.path, {&x.shape(), 1}}); }, module.op);
  check(x.dtype() == DType::f32 || x.dtype() == DType::f64 || x.qparams(), module.path,
        ": expected a float tensor or codes with quantization parameters, got ", to_string(x.dtype()));
}

/// The evaluation order is the list order; `step(index, inputs)` computes one module.
template <class Value, class Step>
std::vector<Value> evaluate(const Model& model, std::span<const Tensor> inputs, Step&& step) {
  Values<Value> values(model, {inputs.begin(), inputs.end()});
  size_t input = 0;
  for (int i = 0; i < static_cast<int>(model.modules.size()); ++i) {
    const Module& module = model.modules[static_cast<size_t>(i)];
    if (std::holds_alternative<Input>(module.op) && input < inputs.size()) check_input(module, inputs[input++]);
    const std::vector<Value> in = values.inputs(i);
    values.drop(i);
    try {
      values.put(i, naming(module.path, [&] { return step(i, in); }));
    } catch (const std::bad_alloc&) {
      fail(module.path, ": out of memory");
    }
  }
  return values.outputs();
}

}  // namespace

std::vector<Tensor> infer_module(const Model& model, int index, std::span<const Tensor> inputs) try {
  const FloatScope environment;
  check_wiring(model, index);
  check(index >= 0 && index < static_cast<int>(model.modules.size()), "infer_module: module ", index, " of ", model.modules.size());
  const Module& module = model.modules[index];
  check_count(module, inputs.size());
  const bool converted = std::ranges::any_of(module.out_q, [](const auto& q) { return q.has_value(); });
  const bool codes = std::ranges::any_of(inputs, [](const Tensor& t) { return t.qparams().has_value(); });
  if (converted || codes) return run_converted(model, index, inputs);
  const std::vector<Var> in(inputs.begin(), inputs.end());
  std::vector<Tensor> outputs;
  for (const Var& v : run_float(model, index, in, Mode::eval, nullptr, nullptr)) outputs.push_back(v.value());
  return outputs;
} catch (const std::bad_alloc&) {
  fail(model.path_at(index), ": out of memory in infer_module");
}

std::vector<Tensor> infer(const Model& model, std::span<const Tensor> inputs, const Tap& tap) try {
  const FloatScope environment;
  check_model(model);
  return evaluate<Tensor>(model, inputs, [&](int index, std::span<const Tensor> in) {
    std::vector<Tensor> out = infer_module(model, index, in);
    if (tap) tap(index, out);
    return out;
  });
} catch (const std::bad_alloc&) {
  fail("infer: out of memory");
}

std::vector<Var> run_module(Model& model, int index, std::span<const Var> inputs, Mode mode, const ForwardOptions& options) try {
  const FloatScope environment;
  check_wiring(model, index);
  check_count(model.modules[static_cast<size_t>(index)], inputs.size());
  return run_float(model, index, inputs, mode, options.random, mode == Mode::eval ? nullptr : &model);
} catch (const std::bad_alloc&) {
  fail(model.path_at(index), ": out of memory in run");
}

std::vector<Var> forward(Model& model, std::span<const Tensor> inputs, Mode mode, const ForwardOptions& options) try {
  const FloatScope environment;
  check_model(model);
  for (const Module& module : model.modules)
    check(module.out_q.empty(), module.path, ": a converted model has no float forward; use infer");
  return evaluate<Var>(model, inputs,
                       [&](int index, std::span<const Var> in) { return run_module(model, index, in, mode, options); });
} catch (const std::bad_alloc&) {
  fail("forward: out of memory");
}

}  // namespace octet
