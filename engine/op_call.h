// SPDX-License-Identifier: Apache-2.0
// What an operator gets and gives when the engine calls it: shapes in and out, variables in and out, kernel arguments out.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/autograd.h"
#include "engine/random.h"
#include "engine/tensor.h"
#include "kernels/kernel.h"

namespace octet {

/// A module's tensors, named as in PyTorch's state dict.
using Params = std::map<std::string, Tensor, std::less<>>;

/// eval: nothing moves. calibrate: observers move. train: observers and running statistics move, gradients are recorded.
enum class Mode : uint8_t { eval, calibrate, train };

struct ShapeCall {
  std::string_view path;
  std::span<const Shape> inputs;
  /// Throws unless exactly n inputs came.
  void expect_inputs(size_t n) const;
  /// Throws unless input i has this rank; returns it.
  const Shape& input(size_t i, size_t rank) const;
};

/// One evaluation of one module.
struct Call {
  std::string_view path;
  std::span<const Var> inputs;
  Mode mode = Mode::eval;
  Generator* random = nullptr;  ///< for dropout; only training needs one
  /// A parameter as a variable (a leaf in train mode); throws naming the module if it is missing.
  std::function<Var(std::string_view name)> param;
  std::function<bool(std::string_view name)> has;
  /// The variable behind the module's hook at this point, unchanged if there is none.
  std::function<Var(std::string_view point, const Var&)> hooked;
  /// Stores a buffer (running statistics); does nothing where the model may not change.
  std::function<void(std::string_view name, Tensor)> store;
};

/// One kernel run of a lowered module: which of the module's inputs it reads and where in the output it writes.
struct LoweredStep {
  KernelArgs args;
  std::shared_ptr<const Blobs> blobs;
  std::vector<int> inputs;
  int64_t output_offset = 0;  ///< bytes
};

/// Proven while lowering.
struct Facts {
  int64_t accumulator_bound = 0;  ///< largest |sum| any input can produce, bias included where it is an integer
};

struct Lowered {
  std::vector<LoweredStep> steps;
  Facts facts;
};

/// What lowering sees: shapes and quantization parameters of the wires, the module's own tensors.
struct LowerCall {
  std::string_view path;
  Rounding rounding = Rounding::real;
  std::span<const Shape> input_shapes;
  std::span<const Shape> output_shapes;
  std::span<const QParams> inputs;  ///< one per input wire
  const QParams* output = nullptr;
  const Params* params = nullptr;
};

}  // namespace octet
