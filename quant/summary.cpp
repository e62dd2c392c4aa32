// SPDX-License-Identifier: Apache-2.0
// What a model consists of, and what its owner should know about it: codes that calibration or weights leave unused, fusions that
// were forgotten.
#include <algorithm>
#include <cmath>

#include "engine/module_check.h"
#include "engine/text.h"
#include "kernels/float_scope.h"
#include "quant/quantize.h"

namespace octet {
namespace {

constexpr int kFewLevels = 32;

/// Distance between the ends of the codes that occur, in levels.
int levels_of(const Tensor& codes) {
  const auto [lo, hi] = std::ranges::minmax(codes.data<int8_t>());
  return codes.numel() == 0 ? 0 : int{hi} - int{lo} + 1;
}

std::string number(double v) {
  Text text;
  text.precision(4);
  text << v;
  return text.str();
}

void note_weight(const Module& module, std::vector<std::string>& notes) {
  const Tensor* weight = weight_of(module.params);
  if (!weight || weight->dtype() != DType::i8 || weight->numel() < kFewLevels) return;
  if (const int levels = levels_of(*weight); levels < kFewLevels)
    notes.push_back(module.path + ": its weights use " + std::to_string(levels) +
                    " levels of 256; they are small beside the smallest scale of the configuration");
}

void note_output(const Module& module, const FakeQuantize& hook, std::vector<std::string>& notes) {
  if (hook.guard && hook.guard->clipped() > 0)
    notes.push_back(module.path + ": " + std::to_string(hook.guard->clipped()) + " absurd values, the largest " +
                    number(hook.guard->worst()) + ", were limited in calibration");
  const auto seen = hook.observer().seen();
  if (!seen) return;
  const auto [lo, hi] = *seen;
  if (lo == hi) {
    notes.push_back(module.path + ": every value of its calibration data was " + number(lo));
    return;
  }
  const QParams q = hook.qparams(module.path);
  const double levels = std::floor((static_cast<double>(hi) - lo) / q.scale[0]) + 1;
  if (levels < kFewLevels)
    notes.push_back(module.path + ": its calibration data, " + number(lo) + " to " + number(hi) + ", use " + number(levels) +
                    " of " + std::to_string(q.qmax - q.qmin + 1) + " codes");
}

std::vector<std::string> notes_on(const Model& model) {
  std::vector<std::string> notes;
  for (const Module& module : model.modules) {
    note_weight(module, notes);
    const auto output = module.hooks.find("output");
    if (output == module.hooks.end()) continue;
    const FakeQuantize* hook = fake_quantize_at(output->second);
    if (hook && hook->observer().calibrated()) note_output(module, *hook, notes);
  }
  for (const std::vector<std::string>& paths : fusable(model)) {
    std::string note = paths.front() + ": fuse() would join it with";
    for (size_t i = 1; i < paths.size(); ++i) note += (i == 1 ? " " : ", ") + paths[i];
    notes.push_back(note + "; it was not called, or not for this");
  }
  return notes;
}

}  // namespace

QuantizationSummary summarize(const Model& model) {
  const FloatScope environment;
  check_wiring(model);
  QuantizationSummary s;
  for (size_t i = 0; i < model.modules.size(); ++i) {
    const Module& module = model.modules[i];
    s.weight_hooks += module.hooks.contains("weight");
    s.output_hooks += module.hooks.contains("output");
    s.quantized_outputs += !module.out_q.empty();
    if (!is_weighted(module.op)) continue;
    const Tensor* weight = weight_of(model.owner(module).params);
    ++s.weighted;
    s.int8_weights += weight && weight->dtype() == DType::i8;
    s.int8_kernels += runs_quantized(model, static_cast<int>(i));
  }
  s.parameter_bytes = parameter_bytes(model);
  if (s.weight_hooks + s.output_hooks + s.quantized_outputs + s.int8_weights > 0) s.notes = notes_on(model);
  return s;
}

}  // namespace octet
