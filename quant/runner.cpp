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
  const Module& module = model_.modules[index];
  std::vector<Shape> shapes;
  for (const Tensor& t : inputs) shapes.push_back(t.shape());
  Prepared& p = prepared_[index];
  if (p.steps.empty() || p.shapes != shapes) {
    p.output = naming(module.path, [&] {
      return std::visit([&](const auto& op) { return op.shapes(ShapeCall{module.path, shapes}); }, module.op)[0];
    });
    p.steps.clear();
    for (LoweredStep& step : lower(model_, index, shapes).steps) {
      Made made = make(step.args, step.blobs, engine_);
      if (!made.kernel) made = make(step.args, step.blobs, QEngine::reference);
      p.steps.push_back({std::move(made.kernel), step.inputs, step.output_offset});
    }
    p.shapes = std::move(shapes);
  }
  Tensor y = Tensor(p.output, code_dtype(*module.out_q[0])).with(*module.out_q[0]);
  if (y.numel() == 0) return {std::move(y)};
  auto* to = static_cast<std::byte*>(y.mutable_raw());
  for (const Step& step : p.steps) {
    std::vector<const void*> in;
    for (const int i : step.inputs) in.push_back(inputs[i].raw());
    step.kernel->run(in, to + step.output_offset);
  }
  return {std::move(y)};
}

void ModuleRunner::set_param(int index, std::string_view name, Tensor value) {
  check(index >= 0 && index < static_cast<int>(quantized_.size()), "ModuleRunner: module ", index, " of ", quantized_.size());
  Module& owner = model_.owner(model_.modules[index]);
  owner.params.insert_or_assign(std::string(name), std::move(value));
  check_module(owner, owner.path);
  for (size_t i = 0; i < model_.modules.size(); ++i)
    if (&model_.owner(model_.modules[i]) == &owner) prepared_[i] = {};
}

Walk::Walk(ModuleRunner& runner, std::span<const Tensor> inputs)
    : runner_(runner), values_(runner.model(), {inputs.begin(), inputs.end()}) {}

const std::vector<Tensor>& Walk::next() {
  check(!done(), "Walk: past the last module");
  in_ = values_.inputs(position_);
  values_.drop(position_);
  values_.put(position_, runner_.run(position_, in_));
  return values_.of(position_++);
}

const std::vector<Tensor>& Walk::next_to(int index) {
  check(index >= position_, "Walk: module ", index, " has run already, the next one is ", position_);
  while (position_ < index) next();
  return next();
}

Tensor Walk::output() {
  while (!done()) next();
  return values_.outputs()[0];
}

}  // namespace octet
