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
#include "kernels/float_kernel.h"
#include "kernels/kernel.h"

namespace octet {

/// A module's tensors, named as in PyTorch's state dict.
using Params = std::map<std::string, Tensor, std::less<>>;

/// The tensor of this name; throws naming the module `path` if it is missing.
const Tensor& needed(const Params&, std::string_view name, std::string_view path);

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

/// Where a kernel reads or writes: a module's input or output by its number, or a temporary of the lowered module.
struct Operand {
  enum class Of : uint8_t { input, output, temporary };
  Of of = Of::input;
  int index = 0;
  int64_t offset = 0;  ///< bytes

  static Operand input(int index, int64_t offset = 0) { return {Of::input, index, offset}; }
  static Operand output(int64_t offset = 0, int index = 0) { return {Of::output, index, offset}; }
  static Operand temporary(int index, int64_t offset = 0) { return {Of::temporary, index, offset}; }
};

/// Constant tables of a module: one set for each layer of weights it has. They depend on no shape.
using ModuleTables = std::vector<std::shared_ptr<const Blobs>>;

/// One kernel run of a lowered module.
struct LoweredCall {
  KernelArgs args;
  std::vector<Operand> inputs{Operand::input(0)}, outputs{Operand::output()};
  int table = -1;                        ///< which of the module's tables it reads; -1: none
  std::shared_ptr<const Blobs> blobs{};  ///< those
};

/// Bytes of an uninterrupted copy without change, from the one operand to the other; 0: the call does something else.
int64_t copied_bytes(const LoweredCall&);

/// What a module becomes for fixed shapes: kernel runs in order, and the bytes of the memory they hand values through.
struct Lowered {
  std::vector<LoweredCall> calls;
  std::vector<int64_t> temporaries{};
};

/// One kernel run of a module that computes in float: a float kernel, or one of those of codes that moves floats as plain bytes or
/// crosses between floats and codes.
struct FloatCall {
  std::variant<FloatArgs, KernelArgs> args;
  std::vector<Operand> inputs{Operand::input(0)}, outputs{Operand::output()};
  int table = -1;
  std::shared_ptr<const Blobs> blobs{};
};

int64_t copied_bytes(const FloatCall&);

/// What a module that computes in float becomes for fixed shapes.
struct LoweredFloats {
  std::vector<FloatCall> calls;
  std::vector<int64_t> temporaries{};
};

/// What lowering to float kernels sees. Inputs and outputs are floats: what is codes is converted around the operator's own runs.
struct FloatLowerCall {
  std::string_view path;
  std::span<const Shape> input_shapes;
  std::span<const Shape> output_shapes;
  const Params* params = nullptr;

  /// A parameter in float32, codes dequantized; throws if it is missing.
  Tensor param(std::string_view name) const;
};

/// What lowering sees: shapes and quantization parameters of the wires, the module's own tensors. Tables are made without shapes.
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
