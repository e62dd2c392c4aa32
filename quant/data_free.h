// SPDX-License-Identifier: Apache-2.0
// Quantization without data: ranges and mean inputs come from what batch norms remember. Fold, equalize, absorb, choose ranges,
// correct biases, in one call.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/model.h"
#include "quant/equalize.h"
#include "quant/quantize.h"

namespace octet {

/// What is known of the network's input without looking at data: the preprocessing says it.
struct InputPrior {
  float min = 0, max = 1;                 ///< of any input value
  std::optional<double> mean, deviation;  ///< of a value; without them layers that read the input are not corrected
};

/// Expected values of a module's output: by channel (the last axis), after the activation.
struct Expected {
  std::vector<double> mean, variance;  ///< empty: unknown
  double min = 0, max = 0;             ///< what `sigmas` deviations reach, over all channels
  bool has_range = false;
  std::string why;  ///< unknown because
};
/// Expected outputs of every module of a fused float model. A layer behind a batch norm is normal with the batch norm's statistics
/// before its activation; other layers follow from their input, taken as independent.
std::vector<Expected> expected_outputs(const Model&, const StatisticsByPath&, const InputPrior&, double sigmas = 6);

/// Analytic bias correction: each layer's bias minus what its weights' rounding does to the expected input. `reference` is the
/// fused float model that `quantized` was converted from. `notes` names layers left alone, and why.
[[nodiscard]] Model correct_bias_analytic(const Model& reference, const Model& quantized, const StatisticsByPath&,
                                          const InputPrior&, std::vector<std::string>* notes = nullptr);

struct DataFreeOptions {
  InputPrior input{};
  std::optional<QConfig> qconfig{};  ///< none: min-max activations and per-tensor weights with all 256 codes
  bool equalize = true, absorb = true, correct = true;
  Relu6 relu6 = Relu6::leave;
  double sigmas = 6;  ///< activations reach so many deviations
};
struct DataFree {
  Model reference;                 ///< fused, equalized, absorbed: float, computes what the original does
  Model quantized;                 ///< converted, with corrected biases
  StatisticsByPath statistics;     ///< of `reference`
  std::vector<std::string> notes;  ///< what was done, and what could not be
};
/// The whole pipeline on an unfused float model with batch norms. Throws naming the module whose range cannot be known without
/// data.
[[nodiscard]] DataFree data_free(const Model&, const DataFreeOptions& = {});

}  // namespace octet
