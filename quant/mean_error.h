// SPDX-License-Identifier: Apache-2.0
// The mean error of a convolution or linear layer is linear in its mean input, so it needs no second convolution: it is the error
// of the weights times the mean of what each weight is multiplied with, plus the error of the bias. All in double.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace octet {

/// The indices of a module's owner and of all modules that share its parameters, in order.
std::vector<int> calls_of(const Model&, int index);
/// The bias of the convolution or linear layer `index`, or of the one it is tied to. A layer without one gets zeros, and all its
/// calls read them.
Tensor& bias_of_layer(Model&, int index);

/// Takes a mean error by channel away from a bias, float or of integer codes. Throws naming `path` where the codes end.
void subtract_from_bias(Tensor& bias, std::span<const double> error, std::string_view path);

/// Sums of a layer's input by tap and input channel over all output positions; padding counts as zero.
struct PatchSum {
  std::vector<double> sum;  ///< [kH, kW, in] of a convolution, [in] of a linear layer
  int64_t positions = 0;
  /// Adds an input of the layer (float or codes). Throws naming `path` if it does not fit.
  void add(const Op&, const Tensor& input, std::string_view path);
  void merge(const PatchSum&);
  std::vector<double> mean() const;
};

/// quantized minus float, by output channel, before the activation, for this mean input ([kH, kW, in] or [in]). Weights of equal
/// shape, floats or codes; a null bias is zero.
std::vector<double> mean_error(const Op&, const Tensor& weight, const Tensor* bias, const Tensor& quantized_weight,
                               const Tensor* quantized_bias, std::span<const double> mean_input);
/// The mean output itself: mean_error against weights and bias of zero.
std::vector<double> mean_output(const Op&, const Tensor& weight, const Tensor* bias, std::span<const double> mean_input);

}  // namespace octet
