// SPDX-License-Identifier: Apache-2.0
// From a layer's numbers to the cause in words; private to numeric_suite/.
#pragma once

#include "numeric_suite/diagnose.h"

namespace octet {

/// What naming the cause needs to know of a layer.
struct Symptoms {
  ErrorSplit split;
  double low = 0, high = 0;                  ///< of the outputs before requantization
  double grid_low = 0, grid_high = 0;        ///< of the codes
  double clipped_low = 0, clipped_high = 0;  ///< shares
  double stored_bias = 0;                    ///< mean square of quantized minus float bias
  double worst_bias = 0;                     ///< largest mean error of a channel
  int worst_bias_channel = 0;
  std::vector<double> weight_ranges, output_ranges;  ///< by channel: largest magnitudes
  bool per_tensor_weights = false, has_weights = false, grid = false;
  bool equalizable = false, device = false;
  bool wide = false;  ///< outputs of 16 bits
  double signal = 0;  ///< mean square of the float layer's output
  double share = 0;   ///< of the network's noise
  double network_sqnr_db = 0;
  std::vector<std::string> island;  ///< what to keep in float so that its weights and output are not rounded; empty: not possible
};
/// Whether the plain cost of eight bits is more than that: the layer is noisier than eight bits explain and the output notices, or
/// it is most of what a noisy output suffers from.
bool needs_mending(const ErrorSplit&, const Symptoms&);
inline constexpr double kHealthyDb = 30;       ///< own error of a layer in eight bits, and of a network, that nobody has to mend
inline constexpr double kNoticedShare = 0.1;   ///< of the output's noise
inline constexpr double kDominantShare = 0.5;  ///< of the output's noise
void name_cause(LayerDiagnosis&, const Symptoms&);

}  // namespace octet
