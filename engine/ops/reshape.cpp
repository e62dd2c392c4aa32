// SPDX-License-Identifier: Apache-2.0
// Reshape: the same elements under another shape; memory is not touched.
#include <algorithm>

#include "engine/module_check.h"
#include "engine/ops/functional.h"
#include "engine/ops/view.h"
#include "engine/quantize.h"

namespace octet {

Var reshape(const Var& x, const Shape& shape) {
  auto vjp = [from = x.shape()](const Tensor& grad, const Needs&) { return std::vector<Tensor>{grad.reshape(from)}; };
  return Var::made(x.value().reshape(shape), {x}, std::move(vjp));
}

std::vector<Shape> Reshape::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  const Shape& x = call.inputs[0];
  Shape y = shape;
  check(std::ranges::count(y, -1) <= 1, call.path, ": more than one -1 in ", to_string(y));
  for (size_t i = 0; i < y.size(); ++i) {
    check(y[i] >= -1, call.path, ": dimension ", y[i], " in ", to_string(y));
    if (y[i] != 0) continue;
    check(i < x.size(), call.path, ": 0 at place ", i, " keeps a dimension that the input ", to_string(x), " does not have");
    y[i] = x[i];
  }
  const int64_t count = numel(x);
  const auto unknown = std::ranges::find(y, -1);
  if (unknown != y.end()) {
    *unknown = 1;
    int64_t rest = naming(call.path, [&] { return numel(y); }), count_here = count;
    if (count == 0 && rest == 0) {  // an empty batch that is kept: the other dimensions decide
      count_here = rest = 1;
      for (const int64_t d : x) count_here *= d == 0 ? 1 : d;
      for (const int64_t d : y) rest *= d == 0 ? 1 : d;
    }
    check(rest > 0 && count_here % rest == 0, call.path, ": input ", to_string(x), " does not fit ", to_string(shape));
    *unknown = count_here / rest;
  }
  check(naming(call.path, [&] { return numel(y); }) == count, call.path, ": input ", to_string(x), " does not fit ",
        to_string(shape));
  return {y};
}

std::vector<Var> Reshape::forward(const Call& call) const {
  const Shape x = call.inputs[0].shape();
  return {reshape(call.inputs[0], shapes({call.path, {&x, 1}})[0])};
}

Lowered Reshape::lower(const LowerCall& call) const {
  return {{{copied(numel(call.input_shapes[0]), size_of(code_dtype(call.inputs[0])))}}};
}

LoweredFloats Reshape::lower_float(const FloatLowerCall& call) const { return copied_floats(call); }

}  // namespace octet
