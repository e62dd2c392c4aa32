// SPDX-License-Identifier: Apache-2.0
// Transpose: axes permuted, for floats and codes alike.
#include <algorithm>

#include "engine/ops/functional.h"
#include "kernels/ref/ref.h"

namespace octet {
namespace {

kernels::TransposeArgs arguments(const Shape& x, const Shape& order, size_t element_size) {
  kernels::TransposeArgs a{};
  a.rank = static_cast<int32_t>(x.size());
  a.element_size = static_cast<int32_t>(element_size);
  if (x.empty()) {  // a scalar is a row of one element; kernels know no rank 0
    a.rank = a.output_shape[0] = a.input_stride[0] = 1;
    return a;
  }
  std::vector<int64_t> stride(x.size(), 1);
  for (size_t i = x.size(); i-- > 1;) stride[i - 1] = stride[i] * x[i];
  for (size_t i = 0; i < x.size(); ++i) {
    a.output_shape[i] = static_cast<int32_t>(x[order[i]]);
    a.input_stride[i] = static_cast<int32_t>(stride[order[i]]);
  }
  return a;
}

Shape permuted(const Shape& x, const Shape& order) {
  Shape y;
  for (const int64_t axis : order) y.push_back(x[axis]);
  return y;
}

Tensor permute(const Tensor& x, const Shape& order) {
  Tensor y(permuted(x.shape(), order), x.dtype());
  const kernels::TransposeArgs a = arguments(x.shape(), order, size_of(x.dtype()));
  if (y.numel() > 0) kernels::transpose(a, x.raw(), y.mutable_raw(), 0, kernels::units(a));
  return y;
}

}  // namespace

std::vector<Shape> Transpose::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  const Shape& x = call.inputs[0];
  Shape sorted = order;
  std::ranges::sort(sorted);
  bool valid = sorted.size() == x.size() && x.size() <= 6;
  for (size_t i = 0; valid && i < sorted.size(); ++i) valid = sorted[i] == static_cast<int64_t>(i);
  check(valid, call.path, ": order ", to_string(order), " is no permutation of the axes of ", to_string(x), " (six axes at most)");
  return {permuted(x, order)};
}

std::vector<Var> Transpose::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  Shape inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) inverse[order[i]] = static_cast<int64_t>(i);
  auto vjp = [inverse](const Tensor& grad, const Needs&) { return std::vector<Tensor>{permute(grad, inverse)}; };
  return {Var::made(permute(x.value(), order), {x}, std::move(vjp))};
}

Lowered Transpose::lower(const LowerCall& call) const { return {{{arguments(call.input_shapes[0], order, 1)}}}; }

}  // namespace octet
