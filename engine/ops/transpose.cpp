// SPDX-License-Identifier: Apache-2.0
// Transpose: axes permuted, for floats and codes alike.
#include <algorithm>

#include "engine/ops.h"
#include "engine/ops/strided.h"

namespace octet {
namespace {

View permuted(const Shape& x, const Shape& order) {
  const Shape strides = row_major(x);
  View view;
  for (const int64_t axis : order) view.shape.push_back(x[axis]), view.strides.push_back(strides[axis]);
  return view;
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
  return {permuted(x, order).shape};
}

std::vector<Var> Transpose::forward(const Call& call) const {
  return {shown(call.inputs[0], permuted(call.inputs[0].shape(), order))};
}

Lowered Transpose::lower(const LowerCall& call) const {
  const View view = permuted(call.input_shapes[0], order);
  return lowered({&view, 1});
}

LoweredFloats Transpose::lower_float(const FloatLowerCall& call) const {
  const View view = permuted(call.input_shapes[0], order);
  return lowered_floats({&view, 1});
}

}  // namespace octet
