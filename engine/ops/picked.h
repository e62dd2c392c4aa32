// SPDX-License-Identifier: Apache-2.0
// Operators whose every output element is an input element, or a constant, found by an index for each axis. They say those indices,
// and have forward, derivative and kernels from here.
#pragma once

#include "engine/op_call.h"

namespace octet {

/// Output element (i0, i1, …) is input element (axes[0][i0], axes[1][i1], …), or `fill` where one of them is -1. An axis for every
/// one of the input's.
struct Pick {
  std::vector<std::vector<int64_t>> axes;
  double fill = 0;

  Shape output() const;
};

/// 0, 1, …, n - 1.
std::vector<int64_t> all_of(int64_t n);
/// Throws naming `path` for a shape whose indices are not to be made: of more than six axes, of an axis of more than 2^24 elements,
/// of 2^31 elements. What a file claims is not to be allocated.
void check_picked_shape(const Shape&, std::string_view path);
/// Throws naming `path` for an index outside its axis.
void check_pick(const Pick&, const Shape& input, std::string_view path);
/// Of any dtype; codes come without their parameters.
Tensor picked(const Tensor&, const Pick&);
Var picked(const Var& x, const Pick&);
/// A gather kernel with its table of indices; codes keep their meaning.
Lowered lower_pick(const LowerCall&, const Pick&);
/// The same to codes of the output's meaning.
Lowered lower_rescaled_pick(const LowerCall&, const Pick&);
LoweredFloats lower_pick(const FloatLowerCall&, const Pick&);

// The members of an operator that is one pick: op.pick(shape, path) says which, and throws naming `path` for a shape it has none
// of.
template <class Op>
std::vector<Shape> shapes_of_pick(const Op& op, const ShapeCall& call) {
  call.expect_inputs(1);
  check_picked_shape(call.inputs[0], call.path);
  const Pick pick = op.pick(call.inputs[0], call.path);
  check_pick(pick, call.inputs[0], call.path);
  return {pick.output()};
}
template <class Op>
std::vector<Var> forward_of_pick(const Op& op, const Call& call) {
  const Shape& x = call.inputs[0].shape();
  check_picked_shape(x, call.path);
  return {picked(call.inputs[0], op.pick(x, call.path))};
}
template <class Op>
Lowered lower_of_pick(const Op& op, const LowerCall& call) {
  return lower_rescaled_pick(call, op.pick(call.input_shapes[0], call.path));
}
template <class Op>
LoweredFloats lower_float_of_pick(const Op& op, const FloatLowerCall& call) {
  return lower_pick(call, op.pick(call.input_shapes[0], call.path));
}

}  // namespace octet
