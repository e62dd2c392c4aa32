// SPDX-License-Identifier: Apache-2.0
// A first-order estimate of what keeping one layer float does to the output's noise; private to numeric_suite/.
#pragma once

#include <span>

#include "quant/pairing.h"

namespace octet {

struct FirstOrder {
  std::vector<double> drops;  ///< by module of the quantized model: the share of the output's noise that disappears
  int64_t rows = 0;           ///< it is made from
};
/// Half the gradient of the noise with respect to a layer's output, times that layer's own error: right where the contributions of
/// different layers are uncorrelated. From the first `most` rows of a batch; from all where its tensors do not agree in rows.
FirstOrder first_order_drops(const Pairing&, const Model& quantized, std::span<const Tensor> batch, int64_t most);

}  // namespace octet
