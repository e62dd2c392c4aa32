// SPDX-License-Identifier: Apache-2.0
// Bias correction: rounding weights moves a layer's mean output; the bias takes that back. Empirical: measured on data, layer after
// layer, each on inputs that the layers before it, already corrected, give.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/model.h"
#include "quant/quantize.h"

namespace octet {

/// A layer's own mean error by output channel, in real units: quantized minus float, both fed the quantized layer's input, before
/// the activation and before requantization, where nothing saturates.
struct MeanError {
  std::string path;
  std::vector<double> error;
  double range = 0;      ///< real units the quantized layer's output codes span; 0: its output is float
  double worst() const;  ///< largest |error| / range, or the largest |error| if the output is float
};

struct CorrectBiasOptions {
  std::vector<std::string> layers{};  ///< paths or starts of paths to correct; empty: all
  int passes = 1;                     ///< a tied layer whose calls depend on each other may want more
  QEngine engine = QEngine::automatic;
  Progress progress{};  ///< layers done of all, asked after every batch of every layer; false stops with what is corrected
};

/// The quantized model with corrected biases; a layer without a bias gets one. `reference` is the float model it came from, fused
/// or not. Convolutions and linear layers with int8 weights are corrected, in order; calls that share a layer
/// (tied) are corrected together, by their mean. Keeps the codes between the layers of all batches, each until its last reader ran.
/// Throws for models that do not correspond, weights that are not the float model's rounded (of a trained model that is
/// to_float(prepared)), no data, a prefix that matches nothing, and if nothing can be corrected.
[[nodiscard]] Model correct_bias(const Model& reference, const Model& quantized, const Batches&, const CorrectBiasOptions& = {});

/// What correct_bias would take away, for the model as it is.
std::vector<MeanError> own_mean_errors(const Model& reference, const Model& quantized, const Batches&,
                                       QEngine engine = QEngine::automatic);

}  // namespace octet
