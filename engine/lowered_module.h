// SPDX-License-Identifier: Apache-2.0
// A converted module with kernels for fixed input shapes: what evaluation, one module at a time, runs. Programs plan whole models
// instead (compile/plan.h).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/model.h"

namespace octet {

class LoweredModule {
 public:
  /// What the engine declines runs on the reference engine. Throws naming the module if it has no exact int8 form or cannot take
  /// these shapes.
  LoweredModule(const Model&, int index, std::span<const Shape> input_shapes, QEngine);
  /// Codes of the input shapes and of the parameters of the module's wires.
  std::vector<Tensor> run(std::span<const Tensor> inputs) const;

 private:
  struct Run {
    std::unique_ptr<Kernel> kernel;
    std::vector<Operand> inputs, outputs;
  };
  std::vector<Shape> shapes_;  // of outputs
  std::vector<QParams> qparams_;
  std::vector<int64_t> temporaries_;
  std::vector<Run> runs_;
};

}  // namespace octet
