// SPDX-License-Identifier: Apache-2.0
// Kernels cached by module; whatever has no integer kernel goes through infer_module().
#include "quant/runner.h"

#include "engine/module_check.h"
#include "kernels/float_scope.h"

namespace octet {

ModuleRunner::ModuleRunner(Model model, QEngine engine)
    : model_(std::move(model)), engine_(engine), prepared_(model_.modules.size()) {
  for (size_t i = 0; i < model_.modules.size(); ++i) {
    check_module(model_.modules[i], model_.modules[i].path);
    quantized_.push_back(runs_quantized(model_, static_cast<int>(i)));
  }
}

std::vector<Tensor> ModuleRunner::run(int index, std::span<const Tensor> inputs) {
  const FloatScope environment;
  check(index >= 0 && index < static_cast<int>(quantized_.size()), "ModuleRunner: module ", index, " of ", quantized_.size());
  if (!quantized_[index]) return infer_module(model_, index, inputs);
  std::vector<Shape> shapes;
  for (const Tensor& t : inputs) shapes.push_back(t.shape());
  Prepared& p = prepared_[index];
  if (!p.module || p.shapes != shapes) {
    p.module = std::make_unique<LoweredModule>(model_, index, shapes, engine_);
    p.shapes = std::move(shapes);
  }
  return p.module->run(inputs);
}

void ModuleRunner::set_param(int index, std::string_view name, Tensor value) {
  check(index >= 0 && index < static_cast<int>(quantized_.size()), "ModuleRunner: module ", index, " of ", quantized_.size());
  Module& owner = model_.owner(model_.modules[index]);
  owner.params.insert_or_assign(std::string(name), std::move(value));
  check_module(owner, owner.path);
  for (size_t i = 0; i < model_.modules.size(); ++i)
    if (&model_.owner(model_.modules[i]) == &owner) prepared_[i] = {};
}

ModuleWalk::ModuleWalk(ModuleRunner& runner, std::span<const Tensor> inputs)
    : runner_(runner), values_(runner.model(), {inputs.begin(), inputs.end()}) {}

const std::vector<Tensor>& ModuleWalk::next() {
  check(!done(), "ModuleWalk: past the last module");
  in_ = values_.inputs(position_);
  values_.drop(position_);
  values_.put(position_, runner_.run(position_, in_));
  return values_.of(position_++);
}

const std::vector<Tensor>& ModuleWalk::next_to(int index) {
  check(index >= position_, "ModuleWalk: module ", index, " has run already, the next one is ", position_);
  while (position_ < index) next();
  return next();
}

Tensor ModuleWalk::output() {
  while (!done()) next();
  return values_.outputs()[0];
}

}  // namespace octet
