// SPDX-License-Identifier: Apache-2.0
// Building a model and asking it simple questions. Running it is infer.cpp's business.
#include "engine/model.h"
#include "engine/graph.h"
#include "engine/module_check.h"
#include "kernels/float_scope.h"

#include <algorithm>
#include <new>

namespace octet {
namespace {

std::vector<Shape> module_shapes(const Module& module, std::span<const Shape> inputs) {
  return naming(module.path, [&] {
    return std::visit([&](const auto& op) { return op.shapes(ShapeCall{module.path, inputs}); }, module.op);
  });
}

/// Number of equal leading characters: good enough to suggest the path that was meant.
size_t likeness(std::string_view a, std::string_view b) { return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin()); }

/// Whether the module names a parameter as a module of this path would: those of a ConvBn2d "c" are "c.bn.weight", ….
bool names_inside(const Module& module, std::string_view path) {
  if (!path.starts_with(module.path) || path.size() <= module.path.size() || path[module.path.size()] != '.') return false;
  const std::string_view rest = path.substr(module.path.size() + 1);
  return std::ranges::any_of(params_of(module.op), [&](const Param& p) { return p.name.starts_with(std::string(rest) + '.'); });
}

}  // namespace

int Model::add(std::string path, Op op, std::vector<Wire> inputs) {
  check(!path.empty(), name_of(op), ": a module needs a path");
  check(!find(path), path, ": this path exists already");
  const bool reads_nothing = traits_of(op).wires == 0;
  if (inputs.empty() && !reads_nothing) {
    check(!modules.empty(), path, ": nothing to read from; add an Input first");
    inputs.push_back({static_cast<int>(modules.size()) - 1, 0});
  }
  check(!reads_nothing || inputs.empty(), path, ": ", name_of(op), " reads no wire");
  std::vector<Shape> shapes;
  for (const Wire& w : inputs) {
    check(w.module >= 0 && w.module < static_cast<int>(modules.size()), path, ": wire from module ", w.module, ", there are ",
          modules.size());
    const auto& ports = modules[w.module].nominal;
    check(w.port >= 0 && w.port < static_cast<int>(ports.size()), path, ": wire from port ", w.port, " of ", modules[w.module].path,
          ", which has ", ports.size());
    shapes.push_back(ports[w.port]);
  }
  Module module{.path = std::move(path), .op = std::move(op), .inputs = std::move(inputs)};
  module.nominal = module_shapes(module, shapes);
  for (const Module& other : modules)
    check(!names_inside(other, module.path) && !names_inside(module, other.path), module.path,
          ": its parameters would be named like those of ", other.path);
  constexpr int64_t kElements = int64_t{1} << 40;  // keeps every later sum of sizes far from overflow
  naming(module.path, [&] {
    for (const Shape& s : module.nominal) check(numel(s) <= kElements, "output of shape ", to_string(s), " is too large");
  });
  modules.push_back(std::move(module));
  return static_cast<int>(modules.size()) - 1;
}

int Model::add(std::string path, Op op, std::initializer_list<int> inputs) {
  std::vector<Wire> wires;
  for (const int module : inputs) wires.push_back({module, 0});
  return add(std::move(path), std::move(op), std::move(wires));
}

int Model::add_tied(std::string path, std::string owner, std::vector<Wire> inputs) {
  const Module& source = modules[index(owner)];
  check(source.tied_to.empty(), path, ": tie it to ", source.tied_to, ", the owner of ", owner, "'s parameters");
  const int added = add(std::move(path), source.op, std::move(inputs));
  modules[added].tied_to = std::move(owner);
  return added;
}

std::optional<int> Model::find(std::string_view path) const {
  for (size_t i = 0; i < modules.size(); ++i)
    if (modules[i].path == path) return static_cast<int>(i);
  return std::nullopt;
}

int Model::index(std::string_view path) const {
  if (const auto found = find(path)) return *found;
  std::string nearest = "the model is empty";
  if (!modules.empty()) {
    const auto best = std::ranges::max_element(modules, {}, [&](const Module& m) { return likeness(m.path, path); });
    nearest = "did you mean " + best->path + "?";
  }
  fail(path, ": no module of this path; ", nearest);
}

const Module& Model::owner(const Module& module) const { return module.tied_to.empty() ? module : modules[index(module.tied_to)]; }
Module& Model::owner(const Module& module) { return modules[index(module.tied_to.empty() ? module.path : module.tied_to)]; }

std::vector<Wire> Model::output_wires() const {
  check(!modules.empty(), "model: empty");
  for (const Wire& w : outputs)
    check(w.module >= 0 && w.module < static_cast<int>(modules.size()) && w.port >= 0 &&
              w.port < static_cast<int>(modules[w.module].nominal.size()),
          "model: output wire from port ", w.port, " of module ", w.module, ", there are ", modules.size(), " modules");
  if (!outputs.empty()) return outputs;
  return {{static_cast<int>(modules.size()) - 1, 0}};
}

bool Model::keeps_qparams(const Module& module) const {
  if (octet::keeps_qparams(module.op)) return true;
  if (!may_keep_qparams(module.op) || module.out_q.empty() || module.inputs.empty()) return false;
  const auto& [from, port] = module.inputs.front();
  const auto& q = modules.at(static_cast<size_t>(from)).out_q;
  return static_cast<size_t>(port) < q.size() && q[static_cast<size_t>(port)] == module.out_q.front();
}

std::string_view Model::path_at(int index) const {
  return index >= 0 && index < static_cast<int>(modules.size()) ? std::string_view(modules[static_cast<size_t>(index)].path)
                                                                : "model";
}

bool below(std::string_view path, std::string_view prefix) {
  return prefix.empty() || (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '.'));
}

void initialize(Model& model, Generator& generator, std::span<const std::string> paths) try {
  const FloatScope environment;
  check_wiring(model);
  const auto draw = [&](Module& module) {
    if (!module.tied_to.empty()) return;
    naming(module.path, [&] {
      for (const Param& param : params_of(module.op)) static_cast<void>(numel(param.shape));  // throws for impossible ones
      std::visit(
          [&](const auto& op) {
            if constexpr (requires { op.init(module.params, generator); }) op.init(module.params, generator);
          },
          module.op);
    });
  };
  for (const std::string& path : paths) draw(model[path]);
  for (Module& module : model.modules)
    if (std::ranges::find(paths, module.path) == paths.end()) draw(module);
} catch (const std::bad_alloc&) {
  fail("initialize: out of memory");
}

int64_t parameter_bytes(const Model& model) {
  int64_t bytes = 0;
  for (const Module& module : model.modules)
    for (const auto& [name, tensor] : module.params)
      if (tensor.raw() != nullptr) bytes += static_cast<int64_t>(tensor.bytes());
  return bytes;
}

Model cast(const Model& model, DType dtype) {
  Model converted = model;
  for (Module& module : converted.modules)
    for (auto& [name, tensor] : module.params)
      if (tensor.dtype() == DType::f32 || tensor.dtype() == DType::f64) tensor = tensor.to(dtype);
  return converted;
}

std::vector<std::vector<Shape>> infer_shapes(const Model& model, std::span<const Shape> inputs) try {
  check_wiring(model);
  Values<Shape> values(model, {inputs.begin(), inputs.end()});
  std::vector<std::vector<Shape>> shapes;
  for (const Module& module : model.modules) {
    const int index = static_cast<int>(shapes.size());
    shapes.push_back(module_shapes(module, values.inputs(index)));
    values.put(index, shapes.back());
  }
  static_cast<void>(values.outputs());  // throws for inputs that nobody asked for
  return shapes;
} catch (const std::bad_alloc&) {
  fail("infer_shapes: out of memory");
}

namespace {

template <class Map>
auto* find_in(Map& params, std::string_view name) {
  const auto found = params.find(name);
  return found == params.end() ? nullptr : &found->second;
}

}  // namespace

const Tensor* weight_of(const Params& params) { return find_in(params, "weight"); }
Tensor* weight_of(Params& params) { return find_in(params, "weight"); }
const Tensor* bias_of(const Params& params) { return find_in(params, "bias"); }
Tensor* bias_of(Params& params) { return find_in(params, "bias"); }

const Tensor& needed_weight(const Params& params, std::string_view path) { return needed(params, "weight", path); }

Tensor& needed_weight(Params& params, std::string_view path) {
  needed(params, "weight", path);
  return *weight_of(params);
}

}  // namespace octet
