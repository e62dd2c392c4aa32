// SPDX-License-Identifier: Apache-2.0
// convert: observed ranges become quantization parameters, float weights become codes, hooks disappear.
#include <algorithm>
#include <cmath>

#include "engine/module_check.h"
#include "engine/ops/fusion.h"
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

/// Kernels multiply a weight scale by the input's, and in integer roundings a bias is an int32 in units of that product. A channel
/// whose weights are so small that the product would be no normal float, or its bias no int32, gets a larger scale: what its
/// weights add is nothing beside the other channels, or less than a bias code. 16-bit layers have biases of 48 bits, and no more
/// room all the same: an output that holds a bias of more codes takes a multiplier below 2^-32, which rescales all sums to 0.
void make_room(QParams& q, const Tensor* bias, const QParams& input) {
  constexpr float kNothing = 0x1p-60F, kLeastProduct = 0x1p-125F, kMostCodes = 0x1p30F;
  const float largest = *std::ranges::max_element(q.scale);
  for (size_t c = 0; c < q.scale.size(); ++c) {
    float least = std::min(kLeastProduct / input.scale[0], largest * kNothing);
    if (bias) least = std::max(least, std::abs(bias->data<float>()[c]) / kMostCodes / input.scale[0]);
    if (std::isfinite(least)) q.scale[c] = std::max(q.scale[c], least);
  }
}

/// Weights that are all 0 are exact on any scale, and have none of their own. On this one a step of the bias is little beside the
/// output's, and not so little that a larger bias would not fit; observed alone they have the scale 1, where it may be many codes.
void scale_zeros(QParams& q, const QParams& input, const QParams& output) {
  const float scale = output.scale[0] / input.scale[0] / 256;
  if (std::isnormal(scale) && std::isnormal(scale * input.scale[0])) std::ranges::fill(q.scale, scale);
}

/// `input`, `output`: the codes it reads and gives, if it does.
void quantize_weight(Module& module, const FakeQuantize& hook, Rounding rounding, const QParams* input, const QParams* output) {
  Tensor& weight = needed_weight(module.params, module.path);
  const std::string where = module.path + ".weight";
  FakeQuantize seen = hook;
  // Post-training hooks saw nothing yet; a trained hook keeps the ranges it was trained with.
  if (!seen.observer().calibrated()) seen.observer().observe(weight, where);
  finite_min_max(weight, where);
  QParams q = seen.qparams(where);
  check_qparams(q, weight.shape(), where);
  if (input && output && std::ranges::all_of(weight.data<float>(), [](float w) { return w == 0; })) scale_zeros(q, *input, *output);
  if (input && q.axis == 0) make_room(q, rounding == Rounding::real ? nullptr : bias_of(module.params), *input);
  weight = quantize(weight, q);
  check(weight.dtype() == DType::i8, where, ": weights must be int8, their observer gives ", to_string(weight.dtype()));
}

void check_rounding(const Module& module, Rounding rounding) {
  if (rounding == Rounding::fixed_double || rounding == Rounding::fixed_single) return;
  for (const std::optional<QParams>& q : module.out_q)
    check(!q || code_dtype(*q) != DType::i16, module.path,
          ": 16-bit activations need rounding \"fixed_double\" or \"fixed_single\", the model has \"", to_string(rounding),
          "\"; set Model::rounding before fuse and prepare");
}

/// What the first input's codes mean; null if it carries floats.
const QParams* codes_read_by(const Model& converted, const Module& module) {
  if (module.inputs.empty()) return nullptr;
  const auto& [from, port] = module.inputs[0];
  const auto& q = converted.modules[static_cast<size_t>(from)].out_q;
  return static_cast<size_t>(port) < q.size() && q[static_cast<size_t>(port)] ? &*q[static_cast<size_t>(port)] : nullptr;
}

}  // namespace

Model to_float(const Model& prepared) try {
  const FloatScope environment;
  check_model(prepared);
  for (const Module& module : prepared.modules) {
    check(module.out_q.empty(), module.path, ": to_float takes a prepared or float model, this one is converted");
    check_module(module, module.path);
  }
  Model floats = deployed(prepared);
  for (Module& module : floats.modules) module.hooks.clear();
  return floats;
} catch (const std::bad_alloc&) {
  fail("to_float: out of memory");
}

Model convert(const Model& prepared, QuantizationSummary* summary) try {
  const FloatScope environment;
  check_model(prepared);
  Model converted = prepared;
  int hooks = 0;
  for (Module& module : converted.modules) {
    check(module.out_q.empty(), module.path, ": convert takes a prepared model, this one is converted");
    const Module& source = prepared[module.path];
    const Module& owner = prepared.owner(source);
    hooks += static_cast<int>(module.hooks.size());
    check_module(source, source.path);
    deploy(module);
    const FakeQuantize* output = hook_at(source, "output");
    if (!output && !source.tied_to.empty()) output = hook_at(owner, "output");
    std::optional<QParams> given;
    if (output) given = output->qparams(module.path);
    if (const FakeQuantize* weight = hook_at(source, "weight"))
      quantize_weight(module, *weight, converted.rounding, codes_read_by(converted, module), given ? &*given : nullptr);
    if (given) {
      module.out_q.assign(module.nominal.size(), *given);
    } else if (may_keep_qparams(module.op) && !module.inputs.empty() && !source.hooks.contains(kFloatPoint)) {
      if (const QParams* q = codes_read_by(converted, module)) module.out_q.assign(module.nominal.size(), *q);
    }
    module.hooks.clear();
    check_module(module, module.path);  // an observer may be a user's own
    check_rounding(module, converted.rounding);
  }
  check(hooks > 0, "convert: the model has no hooks; prepare it first");
  if (summary) {
    *summary = summarize(converted);
    std::vector<std::string> notes = summarize(prepared).notes;  // what calibration showed
    for (std::string& note : summary->notes)
      if (std::ranges::find(notes, note) == notes.end()) notes.push_back(std::move(note));
    summary->notes = std::move(notes);
  }
  return converted;
} catch (const std::bad_alloc&) {
  fail("convert: out of memory");
}

}  // namespace octet
