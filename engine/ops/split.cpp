// SPDX-License-Identifier: Apache-2.0
// Split: pieces of a tensor along an axis, an output each; slices of memory where the axis is the first that is longer than one.
#include "engine/ops.h"
#include "engine/ops/strided.h"

namespace octet {
namespace {

std::vector<View> pieces(const Split& op, const Shape& x) {
  const auto axis = static_cast<size_t>(op.axis);
  std::vector<View> views;
  int64_t at = 0;
  for (const int64_t size : op.sizes) {
    View& view = views.emplace_back(View{x, row_major(x), at * row_major(x)[axis]});
    view.shape[axis] = size;
    at += size;
  }
  return views;
}

}  // namespace

std::vector<Shape> Split::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  const Shape& x = call.inputs[0];
  check(axis >= 0 && axis < static_cast<int64_t>(x.size()) && x.size() <= 6, call.path, ": axis ", axis, " of shape ", to_string(x),
        " (six axes at most)");
  check(!sizes.empty() && sizes.size() <= kMostPieces, call.path, ": ", sizes.size(), " pieces, expected 1 to ", kMostPieces);
  int64_t left = x[static_cast<size_t>(axis)];
  for (const int64_t size : sizes) {
    check(size > 0 && size <= left, call.path, ": pieces ", to_string(sizes), " of axis ", axis, " of shape ", to_string(x));
    left -= size;
  }
  check(left == 0, call.path, ": pieces ", to_string(sizes), " leave ", left, " of axis ", axis, " of shape ", to_string(x));
  std::vector<Shape> shapes;
  for (const View& view : pieces(*this, x)) shapes.push_back(view.shape);
  return shapes;
}

std::vector<Var> Split::forward(const Call& call) const {
  std::vector<Var> outputs;
  for (const View& view : pieces(*this, call.inputs[0].shape())) outputs.push_back(shown(call.inputs[0], view));
  return outputs;
}

Lowered Split::lower(const LowerCall& call) const { return lowered(pieces(*this, call.input_shapes[0])); }

LoweredFloats Split::lower_float(const FloatLowerCall& call) const { return lowered_floats(pieces(*this, call.input_shapes[0])); }

}  // namespace octet
