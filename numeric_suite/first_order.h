// SPDX-License-Identifier: Apache-2.0
// A first-order estimate of what keeping one layer float does to the output's noise; private to numeric_suite/.
#pragma once

#include "quant/pairing.h"

namespace octet {

/// By module of the quantized model: the share of the output's noise that disappears. Half the gradient of the noise with respect
/// to a layer's output, times that layer's own error: right where the contributions of different layers are uncorrelated.
std::vector<double> first_order_drops(const Pairing&, const Model& quantized, const Tensor& batch, int64_t rows);

}  // namespace octet
