// SPDX-License-Identifier: Apache-2.0
// The network's output in float against quantized, summed over batches; private to numeric_suite/.
#pragma once

#include <string_view>

#include "engine/batches.h"
#include "numeric_suite/compare.h"

namespace octet {

/// Throws naming `who`, the batch and the element for labels that do not fit the data or the model's classes. Batches that are
/// made on demand are checked when they are there: OutputSums does.
void check_labels(std::span<const Tensor> labels, const Batches&, const Model&, std::string_view who);

class OutputSums {
 public:
  /// Outputs in float; `labels` may be null. Throws if a value is not finite.
  void add(const Tensor& expected, const Tensor& got, const Tensor* labels);
  OutputFigures figures() const;
  double noise() const { return noise_; }

 private:
  double signal_ = 0, noise_ = 0;
  int64_t samples_ = 0, right_float_ = 0, right_quantized_ = 0;
  bool labelled_ = false;
};

double squared_difference(const Tensor& a, const Tensor& b);

}  // namespace octet
