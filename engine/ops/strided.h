// SPDX-License-Identifier: Apache-2.0
// Operators that only show their input otherwise (transpose, slices, splits) say what they show of it, and have forward, derivative
// and kernels from here.
#pragma once

#include <optional>
#include <span>

#include "engine/op_call.h"

namespace octet {

/// Element (i0, i1, …) of a view is element offset + Σ i * stride of the input, counted in its row-major order. Six axes at most.
struct View {
  Shape shape, strides;
  int64_t offset = 0;
  std::optional<Shape> as{};  ///< shape of the output, if it is not that of the walk
  const Shape& output() const { return as ? *as : shape; }
};

/// Strides of a row-major tensor.
Shape row_major(const Shape&);
/// The shape that all of these are broadcast to, as in NumPy: aligned at the last axis, axes of length 1 repeated. Throws naming
/// `path` where they differ otherwise, or over more than six axes.
Shape broadcast_shape(std::span<const Shape> shapes, std::string_view path);
/// The steps along the axes of `to` that show a tensor of shape `from` broadcast to it.
View broadcast(const Shape& from, const Shape& to);
Var broadcast(const Var& x, const Shape& to);
/// What the view shows, as a tensor. The gradient of an element is the sum over everywhere it is shown.
Var shown(const Var& x, const View&);
/// A kernel run for each output, in order: an uninterrupted piece as a copy, which a plan need not make.
Lowered lowered(std::span<const View>, const QParams& codes);
/// The same of floats.
LoweredFloats lowered_floats(std::span<const View>);

// The members of an operator that is one view: op.view(shape, path) says which, and throws naming `path` for a shape it has none
// of.
template <class Op>
std::vector<Shape> shapes_of_view(const Op& op, const ShapeCall& call) {
  call.expect_inputs(1);
  return {op.view(call.inputs[0], call.path).output()};
}
template <class Op>
std::vector<Var> forward_of_view(const Op& op, const Call& call) {
  return {shown(call.inputs[0], op.view(call.inputs[0].shape(), call.path))};
}
template <class Op>
Lowered lower_of_view(const Op& op, const LowerCall& call) {
  const View view = op.view(call.input_shapes[0], call.path);
  return lowered({&view, 1}, call.inputs[0]);
}
template <class Op>
LoweredFloats lower_float_of_view(const Op& op, const FloatLowerCall& call) {
  const View view = op.view(call.input_shapes[0], call.path);
  return lowered_floats({&view, 1});
}

}  // namespace octet
