// SPDX-License-Identifier: Apache-2.0
// The graph as JSON, its tensors beside it. Version 1:
//   {"version", "rounding", "outputs": [[module, port]], "modules": [{"path", "op", "attributes" | "tied_to", "inputs", "fused",
//    "params": {name: qparams}, "out_q": [qparams | null], "hooks": {point: {"kind", "state": [key]}}}], "interface"}
// The interface (io/interface_json.h) is left out where there is none.
#include "io/model_file.h"

#include <limits>
#include <utility>

#include "engine/module_check.h"
#include "io/interface_json.h"
#include "io/model_tensors.h"
#include "io/op_json.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

constexpr int64_t kVersion = 1;
constexpr int kModelDepth = 8;                      // model.modules[].attributes.conv.kernel[] is six
constexpr size_t kMaxModules = 20000;               // Model::add looks its path up among all earlier ones
constexpr int64_t kMaxElements = int64_t{1} << 40;  // of a nominal output: keeps the shape rules' sums far from overflow
constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max(), kInt32Min = std::numeric_limits<int32_t>::min();

std::string param_name(const Module& m, std::string_view name) { return m.path + "." + std::string(name); }
std::string state_name(const Module& m, std::string_view point, std::string_view key) {
  return m.path + "/hooks/" + std::string(point) + "/" + std::string(key);
}

json::Value qparams_json(const QParams& q) {
  // float -> double -> shortest decimal -> double -> float is exact.
  return {{"scale", q.scale}, {"zero_point", q.zero_point}, {"axis", q.axis}, {"group", q.group}, {"qmin", q.qmin},
          {"qmax", q.qmax}};
}

QParams qparams_from_json(const json::Value& value, std::string_view where) {
  json::expect_object(value, {"scale", "zero_point", "axis", "group", "qmin", "qmax"}, where);
  const auto int32 = [&](const json::Value& v) { return static_cast<int32_t>(json::integer(v, kInt32Min, kInt32Max, where)); };
  QParams q;
  for (const json::Value& s : json::array(json::at(value, "scale", where), where)) {
    const double scale = json::number(s, where);
    // Outside float's range the conversion would be undefined.
    check(scale > 0 && scale <= double{std::numeric_limits<float>::max()}, where, ": scale ", scale,
          ", expected a positive normal float");
    q.scale.push_back(static_cast<float>(scale));
  }
  for (const json::Value& z : json::array(json::at(value, "zero_point", where), where)) q.zero_point.push_back(int32(z));
  q.axis = int32(json::at(value, "axis", where));
  q.group = int32(json::at(value, "group", where));
  q.qmin = int32(json::at(value, "qmin", where));
  q.qmax = int32(json::at(value, "qmax", where));
  return q;
}

json::Value wires_json(const std::vector<Wire>& wires) {
  json::Value list = json::Value::array();
  for (const Wire& w : wires) list.push_back({w.module, w.port});
  return list;
}

std::vector<Wire> wires_from_json(const json::Value& value, std::string_view where) {
  std::vector<Wire> wires;
  for (const json::Value& w : json::array(value, where)) {
    json::array(w, 2, where);
    wires.push_back(
        {static_cast<int>(json::integer(w[0], 0, kInt32Max, where)), static_cast<int>(json::integer(w[1], 0, kInt32Max, where))});
  }
  return wires;
}

void check_outputs(const Model& model, std::string_view where) {
  for (const Wire& w : model.outputs)
    check(w.module >= 0 && w.module < static_cast<int>(model.modules.size()) && w.port >= 0 &&
              w.port < static_cast<int>(model.modules[static_cast<size_t>(w.module)].nominal.size()),
          where, ": output [", w.module, ", ", w.port, "] does not exist");
}

void put(SafeTensors& file, const std::string& name, const Tensor& tensor, std::string_view where) {
  check(file.tensors.emplace(name, tensor.without_qparams()).second, where, ": two tensors of the model would be named '", name,
        "'");
}

Tensor take(SafeTensors& file, const std::string& name, std::string_view where) {
  auto node = file.tensors.extract(name);
  check(!node.empty(), where, ": the file has no tensor '", name, "'");
  return std::move(node.mapped());
}

json::Value module_json(const Model& model, size_t index, SafeTensors& file, std::string_view name) {
  const Module& m = model.modules[index];
  const std::string where = std::string(name) + ": " + m.path;
  check_module(m, where);
  json::Value v{{"path", m.path}, {"op", name_of(m.op)}, {"inputs", wires_json(m.inputs)}, {"fused", m.fused}};
  if (m.tied_to.empty()) {
    v["attributes"] = attributes_json(m.op, where);
  } else {
    const int owner = model.index(m.tied_to);
    check(owner < static_cast<int>(index) && model.modules[static_cast<size_t>(owner)].op == m.op, where, ": is tied to ",
          m.tied_to, ", which is a different operator or comes later");
    v["tied_to"] = m.tied_to;
  }
  json::Value& params = v["params"] = json::Value::object();
  for (const auto& [key, tensor] : m.params) {
    put(file, param_name(m, key), tensor, where);
    if (tensor.qparams()) params[key] = qparams_json(*tensor.qparams());
  }
  json::Value& out_q = v["out_q"] = json::Value::array();
  for (const auto& q : m.out_q) out_q.push_back(q ? qparams_json(*q) : json::Value());
  json::Value& hooks = v["hooks"] = json::Value::object();
  for (const auto& [point, hook] : m.hooks) {
    if (!hook) continue;
    json::Value keys = json::Value::array();
    for (const auto& [key, tensor] : hook->state()) {
      put(file, state_name(m, point, key), tensor, where);
      keys.push_back(key);
    }
    hooks[point] = {{"kind", hook->kind()}, {"state", std::move(keys)}};
  }
  return v;
}

void add_hooks(Module& m, const json::Value& hooks, SafeTensors& file, const HookFactory& make, const std::string& where) {
  check(hooks.is_object(), where, " hooks: expected a JSON object, got ", hooks.type_name());
  for (const auto& item : hooks.items()) {
    const std::string here = where + " hook '" + item.key() + "'";
    json::expect_object(item.value(), {"kind", "state"}, here);
    const std::string& kind = json::string(json::at(item.value(), "kind", here), here + " kind");
    StateDict state;
    for (const json::Value& key : json::array(json::at(item.value(), "state", here), here + " state")) {
      const std::string& k = json::string(key, here + " state");
      check(state.emplace(k, take(file, state_name(m, item.key(), k), here)).second, here, ": state '", k, "' is listed twice");
    }
    // Hooks are the user's code: whatever their loading throws must say which file and module it was.
    try {
      HookBox hook = make(kind);
      check(static_cast<bool>(hook), "unknown hook kind '", kind, "'");
      hook->load(state);
      m.hooks.insert_or_assign(item.key(), std::move(hook));
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& e) {
      fail(here, ": ", e.what());
    }
  }
}

/// What users brought: their hooks and operators.
struct Factories {
  const HookFactory& hooks;
  const CustomFactory& custom;
};

/// An operator's function as the program knows it, in place of its name.
void make_custom(Op& op, const CustomFactory& make, std::string_view where) {
  auto* custom = std::get_if<Custom>(&op);
  if (custom == nullptr) return;
  const std::string kind(custom->function->kind()), attributes = custom->function->attributes();
  try {
    custom->function = make(kind, attributes);
    check(custom->function != nullptr, "unknown custom operator '", kind, "'");
    check(custom->function->kind() == kind, "the factory made a '", custom->function->kind(), "' of '", kind, "'");
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    fail(where, ": ", e.what());
  }
}

void add_module(Model& model, const json::Value& v, SafeTensors& file, const Factories& make, std::string_view name) {
  const std::string at_index = std::string(name) + ": module " + std::to_string(model.modules.size());
  const std::string& path = json::string(json::at(v, "path", at_index), at_index + " path");
  const std::string where = std::string(name) + ": " + path;
  json::expect_object(v, {"path", "op", "attributes", "tied_to", "inputs", "fused", "params", "out_q", "hooks"}, where);
  const std::string& op_name = json::string(json::at(v, "op", where), where + " op");
  std::vector<Wire> inputs = wires_from_json(json::at(v, "inputs", where), where + " inputs");
  const bool tied = v.contains("tied_to");
  check(tied != v.contains("attributes"), where, ": needs either attributes or tied_to");
  Op op;
  if (tied) {
    const std::string& owner = json::string(v["tied_to"], where + " tied_to");
    const auto found = model.find(owner);
    check(found.has_value(), where, ": is tied to the unknown module '", owner, "'");
    op = model.modules[static_cast<size_t>(*found)].op;
    check(name_of(op) == op_name, where, ": is a ", op_name, " tied to ", owner, ", a ", name_of(op));
  } else {
    op = op_from_json(op_name, v["attributes"], where);
    make_custom(op, make.custom, where);
  }
  // Model::add would wire a module without inputs to the one before it.
  check(!inputs.empty() || traits_of(op).wires == 0, where, ": has no inputs");
  if (const auto* input = std::get_if<Input>(&op))
    check(numel(input->shape) <= kMaxElements, where, ": shape ", to_string(input->shape), " is too large");
  const int index = tied ? model.add_tied(path, v["tied_to"].get_ref<const std::string&>(), std::move(inputs))
                         : model.add(path, std::move(op), std::move(inputs));
  Module& m = model.modules[static_cast<size_t>(index)];
  for (const Shape& s : m.nominal) check(numel(s) <= kMaxElements, where, ": output of shape ", to_string(s), " is too large");

  for (const json::Value& f : json::array(json::at(v, "fused", where), where + " fused"))
    m.fused.push_back(json::string(f, where + " fused"));
  const json::Value& quantized = json::at(v, "params", where);
  check(quantized.is_object(), where, " params: expected a JSON object, got ", quantized.type_name());
  const std::vector<Param> params = tied ? std::vector<Param>{} : params_of(m.op);
  for (const Param& p : params)
    if (!p.optional || file.tensors.contains(param_name(m, p.name)))
      m.params.emplace(p.name, take(file, param_name(m, p.name), where));
  for (const auto& item : quantized.items()) {
    const auto param = m.params.find(item.key());
    check(param != m.params.end(), where, ": quantization parameters for the unknown parameter '", item.key(), "'");
    const std::string here = where + "." + item.key();
    QParams q = qparams_from_json(item.value(), here);
    check_qparams(q, param->second.shape(), here, std::ranges::find(params, item.key(), &Param::name)->role);
    try {
      param->second = param->second.with(std::move(q));
    } catch (const Error& e) {  // say which tensor
      fail(here, ": ", e.what());
    }
  }
  for (const json::Value& q : json::array(json::at(v, "out_q", where), where + " out_q"))
    m.out_q.push_back(q.is_null() ? std::nullopt : std::optional(qparams_from_json(q, where + " out_q")));
  check_module(m, where);
  add_hooks(m, json::at(v, "hooks", where), file, make.hooks, where);
}

Model model_from(SafeTensors& file, std::string_view name, const Factories& make) {
  const auto text = file.metadata.find(kModelKey);
  const char* kAdvice = "; of PyTorch's checkpoints load_state_dict reads the weights into a network that is there";
  check(text != file.metadata.end(), name, ": is not an octet model (no metadata entry ", kModelKey, ")",
        file.tensors.empty() ? "" : kAdvice);
  const json::Value root = json::parse(text->second, std::string(name) + ": " + kModelKey, kModelDepth);
  const std::string where(name);
  const int64_t version = json::integer(json::at(root, "version", where), 0, kInt32Max, where + ": version");
  check(version == kVersion, name, ": model format version ", version, " is unknown, this octet reads ", kVersion);
  json::expect_object(root, {"version", "rounding", "outputs", "modules", "interface"}, where);
  Model model;
  model.rounding = rounding_from_json(json::at(root, "rounding", where), where + ": rounding");
  const json::Value& modules = json::array(json::at(root, "modules", where), where + ": modules");
  check(modules.size() <= kMaxModules, name, ": has ", modules.size(), " modules, at most ", kMaxModules, " are read");
  for (const json::Value& v : modules) add_module(model, v, file, make, name);
  model.outputs = wires_from_json(json::at(root, "outputs", where), where + ": outputs");
  check_outputs(model, name);
  if (root.contains("interface")) model.interface = interface_from_json(root["interface"], where);
  check_interface(model, where);
  check(file.tensors.empty(), name, ": tensor '", file.tensors.empty() ? "" : file.tensors.begin()->first,
        "' belongs to no module");
  return model;
}

}  // namespace

std::shared_ptr<const CustomFunction> no_custom(std::string_view kind, std::string_view) {
  fail("unknown custom operator '", kind, "': load with a factory of custom operators");
}

HookBox no_hooks(std::string_view kind) { fail("unknown hook kind '", kind, "': load with a hook factory"); }

void put_model(SafeTensors& file, const Model& model, std::string_view name) {
  check_wiring(model);
  check(model.modules.size() <= kMaxModules, name, ": the model has ", model.modules.size(), " modules, at most ", kMaxModules,
        " are written");
  check_outputs(model, name);
  json::Value modules = json::Value::array();
  for (size_t i = 0; i < model.modules.size(); ++i) modules.push_back(module_json(model, i, file, name));
  json::Value root{{"version", kVersion},
                   {"rounding", rounding_json(model.rounding)},
                   {"outputs", wires_json(model.outputs)},
                   {"modules", std::move(modules)}};
  check_interface(model, name);
  if (!model.interface.empty()) root["interface"] = interface_json(model.interface);
  file.metadata.emplace(kModelKey, json::dump(root, name));
}

Model take_model(SafeTensors& file, std::string_view name, const HookFactory& make, const CustomFactory& custom) {
  // Messages of the engine start with the module; the file belongs before it.
  try {
    return model_from(file, name, {make, custom});
  } catch (const Error& e) {
    if (std::string_view(e.what()).starts_with(std::string(name) + ": ")) throw;  // a module's name may begin like the file's
    fail(name, ": ", e.what());
  }
}

Bytes model_bytes(const Model& model, std::string_view name) try {
  const FloatScope environment;
  SafeTensors file;
  put_model(file, model, name);
  return safetensors_bytes(file, name);
} catch (const std::bad_alloc&) {
  fail("model_bytes: out of memory");
}

LoadedModel parse_model(std::span<const std::byte> bytes, std::string_view name, const HookFactory& make,
                        const CustomFactory& custom) try {
  const FloatScope environment;
  SafeTensors file = parse_safetensors(bytes, name);
  const bool checkpoint = file.metadata.contains(kCheckpointKey);
  if (checkpoint) std::erase_if(file.tensors, [](const auto& entry) { return entry.first.starts_with(kCheckpointPrefix); });
  LoadedModel loaded{take_model(file, name, make, custom), std::move(file.notes)};
  if (checkpoint) loaded.notes.push_back(std::string(name) + ": is a checkpoint of a training run; only its model is read");
  return loaded;
} catch (const std::bad_alloc&) {
  fail("parse_model: out of memory");
}

void save_model(const std::string& path, const Model& model) { write_file(path, model_bytes(model, path)); }

LoadedModel load_model(const std::string& path, const HookFactory& make, const CustomFactory& custom) {
  return parse_model(read_file(path, kMaxSafeTensorsFile), path, make, custom);
}

}  // namespace octet
