// SPDX-License-Identifier: Apache-2.0
// Splits the error at each layer's output by origin, batch after batch; private to numeric_suite/.
#pragma once

#include "numeric_suite/cause.h"
#include "quant/pairing.h"
#include "quant/runner.h"

namespace octet {

class SplitSums {
  struct Layer;

 public:
  using Layers = std::vector<Layer>;
  SplitSums(const Pairing&, const Model& quantized);
  /// One batch of module `index` of the quantized model: its inputs, the float model's output there, its own output.
  void add(int index, std::span<const Tensor> inputs, const Tensor& truth, const Tensor& output, ModuleRunner& floats);
  Symptoms symptoms(int index) const;
  /// The sums as they are, and back to such.
  const Layers& layers() const { return layers_; }
  void restore(Layers layers) { layers_ = std::move(layers); }

 private:
  struct Layer {
    int64_t elements = 0, low = 0, high = 0;
    double signal = 0, inherited = 0, own = 0, rounding = 0, clipping = 0;
    float min = INFINITY, max = -INFINITY;
    std::vector<double> mean;
    std::vector<float> magnitude;
  };
  const Pairing& pairing_;
  const Model& quantized_;
  Model unrounded_;  ///< the quantized model's weights and biases, float outputs
  Layers layers_;
};

}  // namespace octet
