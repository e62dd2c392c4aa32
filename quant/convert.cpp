// SPDX-License-Identifier: Apache-2.0
// convert: observed ranges become quantization parameters, float weights become codes, hooks disappear.
#include "engine/module_check.h"
#include "engine/ops/functional.h"
#include "kernels/float_scope.h"
#include "quant/quantize.h"

namespace octet {
namespace {

const FakeQuantize* hook_at(const Module& module, std::string_view point) {
  const auto found = module.hooks.find(point);
  if (found == module.hooks.end()) return nullptr;
  const FakeQuantize* hook = fake_quantize_at(found->second);
  check(hook != nullptr, module.path, ": its ", point, " hook is no FakeQuantize; convert cannot read it");
  return hook;
}

/// ConvBn2d with its running statistics folded: what will be deployed. A tied call has no parameters of its own.
void fold(Module& module) {
  const ConvBn2d op = std::get<ConvBn2d>(module.op);
  module.op = op.conv;
  std::get<Conv2d>(module.op).bias = true;
  if (!module.tied_to.empty()) return;
  FoldedConv folded = deployed(op, module.params, module.path);
  module.params.clear();
  module.params.insert_or_assign("weight", std::move(folded.weight));
  module.params.insert_or_assign("bias", std::move(folded.bias));
}

void quantize_weight(Module& module, const FakeQuantize& hook) {
  const auto found = module.params.find("weight");
  check(found != module.params.end(), module.path, ": parameter \"weight\" is missing; initialize or load the model first");
  const std::string where = module.path + ".weight";
  FakeQuantize seen = hook;
  // Post-training hooks saw nothing yet; a trained hook keeps the ranges it was trained with.
  if (!seen.observer().calibrated()) seen.observer().observe(found->second, where);
  finite_min_max(found->second, where);
  found->second = quantize(found->second, seen.qparams(where));
  check(found->second.dtype() == DType::i8, where, ": weights must be int8, their observer gives ",
        to_string(found->second.dtype()));
}

}  // namespace

Model convert(const Model& prepared) {
  const FloatScope environment;
  Model converted = prepared;
  int hooks = 0;
  for (Module& module : converted.modules) {
    check(module.out_q.empty(), module.path, ": convert takes a prepared model, this one is converted");
    const Module& source = prepared[module.path];
    const Module& owner = prepared.owner(source);
    hooks += static_cast<int>(module.hooks.size());
    check_module(source, source.path);
    if (std::holds_alternative<ConvBn2d>(module.op)) fold(module);
    if (const FakeQuantize* weight = hook_at(source, "weight")) quantize_weight(module, *weight);
    const FakeQuantize* output = hook_at(source, "output");
    if (!output && !source.tied_to.empty()) output = hook_at(owner, "output");
    if (output) {
      module.out_q.assign(module.nominal.size(), output->qparams(module.path));
    } else if (keeps_qparams(module.op) && !module.inputs.empty()) {
      const Wire& from = module.inputs[0];
      const auto& q = converted.modules[from.module].out_q;
      if (!q.empty() && q[from.port]) module.out_q.assign(module.nominal.size(), q[from.port]);
    }
    module.hooks.clear();
  }
  check(hooks > 0, "convert: the model has no hooks; prepare it first");
  return converted;
}

QuantizationSummary summarize(const Model& model) {
  QuantizationSummary s;
  for (size_t i = 0; i < model.modules.size(); ++i) {
    const Module& module = model.modules[i];
    s.weight_hooks += module.hooks.contains("weight");
    s.output_hooks += module.hooks.contains("output");
    s.quantized_outputs += !module.out_q.empty();
    const auto weight = model.owner(module).params.find("weight");
    const bool weighted = std::holds_alternative<Conv2d>(module.op) || std::holds_alternative<ConvBn2d>(module.op) ||
                          std::holds_alternative<Linear>(module.op);
    if (!weighted) continue;
    ++s.weighted;
    s.int8_weights += weight != model.owner(module).params.end() && weight->second.dtype() == DType::i8;
    s.int8_kernels += runs_quantized(model, static_cast<int>(i));
  }
  s.parameter_bytes = parameter_bytes(model);
  return s;
}

}  // namespace octet
