// SPDX-License-Identifier: Apache-2.0
// Dropout: random zeroes in training, nothing otherwise.
#include "engine/ops/elementwise.h"
#include "engine/ops/functional.h"
#include "engine/quantize.h"

namespace octet {

std::vector<Shape> Dropout::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  check(p >= 0 && p < 1, call.path, ": dropout probability must lie in [0, 1), got ", p);
  return {call.inputs[0]};
}

std::vector<Var> Dropout::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  if (call.mode != Mode::train || p == 0) return {x};
  check(call.random != nullptr, call.path, ": dropout in training needs a Generator (ForwardOptions::random)");
  return dispatch_float(x.dtype(), call.path, [&]<class T>() {
    Tensor mask(x.shape(), x.dtype());
    for (T& m : mask.mutable_data<T>()) m = call.random->uniform() < p ? T(0) : T(1 / (1 - p));
    const auto masked = [mask](const Tensor& t) {
      Tensor y = t;
      const auto to = y.mutable_data<T>();
      for (size_t i = 0; i < to.size(); ++i) to[i] *= mask.data<T>()[i];
      return y;
    };
    return std::vector<Var>{Var::made(masked(x.value()), {x},
                                      [masked](const Tensor& grad, const Needs&) { return std::vector<Tensor>{masked(grad)}; })};
  });
}

Lowered Dropout::lower(const LowerCall& call) const {
  return {{{copied(numel(call.input_shapes[0]), size_of(code_dtype(call.inputs[0])))}}};
}

LoweredFloats Dropout::lower_float(const FloatLowerCall& call) const { return copied_floats(call); }

}  // namespace octet
