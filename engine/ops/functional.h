// SPDX-License-Identifier: Apache-2.0
// Differentiable functions that more than one operator is made of, and the pieces of lowering they share. Not for users; quant/
// folds with it.
#pragma once

#include <span>
#include <string_view>

#include "engine/ops/product.h"
#include "engine/ops/strided.h"
#include "engine/ops/window.h"
#include "kernels/geometry.h"

namespace octet {

// --- forward ---------------------------------------------------------------------------------------------------------

/// x limited to [lo, hi]; the gradient passes strictly inside.
Var clamp(const Var& x, Activation);
/// grad where the activation's output y lies strictly inside its limits, else 0.
Tensor masked_gradient(const Tensor& y, const Tensor& grad, Activation);
/// act(a + b), equal shapes.
Var add(const Var& a, const Var& b, Activation, std::string_view path);
/// act(conv(x, weight) + bias); `bias` may be null. The residual attribute is the caller's business.
Var conv2d(const Conv2d&, const Var& x, const Var& weight, const Var* bias, Activation, std::string_view path);
/// act(x weight^T + bias) over the last axis; `bias` may be null.
Var linear(const Linear&, const Var& x, const Var& weight, const Var* bias, Activation, std::string_view path);
/// A value with its elements passed through unchanged under another shape.
Var reshape(const Var& x, const Shape& shape);

/// Mean and biased variance per channel over all other axes.
struct Moments {
  Tensor mean, variance;
};
Moments moments(const Tensor& x);
/// act(gamma * sign(divisor) * (x - mean) / sqrt(variance + eps * divisor^2) + beta) with the batch's own moments of x: the batch
/// norm of x / divisor, which may be tiny. divisor may be null (ones).
Var batch_norm_train(const Var& x, const Var& gamma, const Var& beta, const Moments&, const Tensor* divisor, double eps,
                     Activation);
/// x * scale[c] + shift[c] with constant scale and shift: batch norm with running statistics. Gradients reach x, gamma and beta.
Var batch_norm_eval(const Var& x, const Var& gamma, const Var& beta, const Tensor& mean, const Tensor& variance, double eps);
/// Throws naming `path` unless eps is a positive float and momentum lies in 0..1: anything else poisons running statistics.
void check_norm(double eps, double momentum, std::string_view path);
/// running <- (1 - momentum) * running + momentum * batch, variance unbiased by n/(n-1). Returns the new statistics.
Moments updated(const Tensor& running_mean, const Tensor& running_var, const Moments& batch, int64_t n, double momentum);

/// Weight and bias of the convolution (or linear layer) that equals it followed by a batch norm with these running statistics:
/// W' = W * (gamma * r), b' = ((b - mean) * r) * gamma + beta, r = 1/sqrt(variance + eps). Throws naming path and channel if a
/// result is not finite. `bias` may be null.
struct FoldedConv {
  Tensor weight, bias;
};
FoldedConv deployed(const ConvBn2d&, const Params&, std::string_view path);
FoldedConv deployed(const LinearBn&, const Params&, std::string_view path);
FoldedConv fold_batch_norm(const Tensor& weight, const Tensor* bias, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                           const Tensor& variance, double eps, std::string_view path);

// --- checks ----------------------------------------------------------------------------------------------------------

/// A sequence N,L,C as a picture of one line, N,1,L,C; a picture as it is. Throws naming `path` for any other shape, and for a
/// window that would reach beyond the line.
Shape as_picture(const Shape&, Pair kernel, Pads padding, std::string_view path);
/// The picture of an operator whose input has this shape: a sequence's is one.
Shape like(const Shape& input, Shape picture);

ConvGeometry geometry(const Conv2d&, const Shape& input, std::string_view path);
PoolGeometry geometry(const Pool2d&, const Shape& input, std::string_view path);
/// Throws naming `path` unless the limits are numbers in order that leave a value.
void check_activation(Activation, std::string_view path);
/// Throws unless the parameter exists with this shape.
void expect_param(const Params&, std::string_view name, const Shape&, std::string_view path);

// --- lowering --------------------------------------------------------------------------------------------------------

kernels::CodeType code_type(const QParams&);
/// Output arguments with the activation folded into the clamp limits. `before_rounding`: convolution and linear in the real mode
/// add the zero point before they round.
kernels::OutputArgs output_args(const QParams&, Activation, Rounding, bool before_rounding);
/// Tables of a weighted layer and the proof that its accumulator cannot overflow. `float_product`: the two scales are multiplied in
/// float32 before the multiplier is formed (TensorFlow Lite's dense layers). `residual_shift`: of a fixed mode's layer with a
/// residual; else 0.
ModuleTables weighted_tables(const LowerCall&, const Tensor& weight, const Tensor* bias, bool float_product,
                             int32_t residual_shift = 0);
/// The bits behind the point of a fixed mode's sum of accumulators and residual (input 1): as many, up to 62, as leave every
/// multiplier 31. Throws naming the path where no number does.
int32_t residual_shift(const LowerCall&, const QParams& weight);
/// Codes of one meaning as codes of another, `row` at a time with `output_stride` from one row to the next; equal ones are copied.
kernels::RequantizeArgs requantize_args(const QParams& from, const QParams& to, Rounding, int64_t row, int64_t rows = 1,
                                        int64_t output_stride = 0);
/// Rows of bytes copied, with `output_stride` from one to the next.
kernels::RequantizeArgs copied_rows(int64_t row, int64_t rows, int64_t output_stride, Rounding);
/// A kernel's own table of integers (kernels::Constants::table).
std::shared_ptr<const Blobs> integer_table(std::span<const int32_t>);
/// Tables of a weighted layer in float. `bias` without elements: it has none.
ModuleTables float_layer(const Tensor& weight, const Tensor& bias);
/// The call's one input reduced: what is walked of it along the axes of `kept` is an output element each, from what lies along
/// those of `reduced`. Throws naming the path where a sum could exceed 32 bits.
kernels::ReduceArgs reduce_args(const LowerCall&, kernels::ReduceKind, const View& kept, const View& reduced);
kernels::QuantizeArgs quantize_args(int64_t count, const QParams&, Rounding);
kernels::DequantizeArgs dequantize_args(int64_t count, const QParams&);
/// A copy of the one input's elements, of so many bytes each.
kernels::TransposeArgs copied(int64_t count, size_t element_size);
/// That of floats, as a lowered module.
LoweredFloats copied_floats(const FloatLowerCall&);

}  // namespace octet
