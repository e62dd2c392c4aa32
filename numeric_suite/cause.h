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
  bool equalizable = false;
};
void name_cause(LayerDiagnosis&, const Symptoms&);

}  // namespace octet
