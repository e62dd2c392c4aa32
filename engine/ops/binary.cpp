// SPDX-License-Identifier: Apache-2.0
// Binary: element-wise addition of two tensors of equal shape, with an optional activation.
#include <algorithm>
#include <cmath>

#include "engine/float_kernels.h"
#include "engine/ops/functional.h"
#include "kernels/multiplier.h"

namespace octet {

Var add(const Var& a, const Var& b, Activation act, std::string_view path) {
  check(a.shape() == b.shape(), path, ": shapes ", to_string(a.shape()), " and ", to_string(b.shape()), " differ");
  check(a.dtype() == b.dtype(), path, ": dtypes ", to_string(a.dtype()), " and ", to_string(b.dtype()), " differ");
  const Var sum = dispatch_float(a.dtype(), path, [&]<class T>() {
    Tensor y(a.shape(), a.dtype());
    fk::add(y.numel(), a.value().data<T>().data(), b.value().data<T>().data(), y.mutable_data<T>().data());
    return Var::made(std::move(y), {a, b}, [](const Tensor& grad, const Needs&) { return std::vector<Tensor>{grad, grad}; });
  });
  return act == Activation::none ? sum : clamp(sum, limits(act));
}

std::vector<Shape> Binary::shapes(const ShapeCall& call) const {
  call.expect_inputs(2);
  check(fn == BinaryFn::add, call.path, ": unknown binary function ", static_cast<int>(fn));
  check(call.inputs[0] == call.inputs[1], call.path, ": inputs of shapes ", to_string(call.inputs[0]), " and ",
        to_string(call.inputs[1]), " differ");
  return {call.inputs[0]};
}

std::vector<Var> Binary::forward(const Call& call) const { return {add(call.inputs[0], call.inputs[1], act, call.path)}; }

Lowered Binary::lower(const LowerCall& call) const {
  const QParams &qa = call.inputs[0], &qb = call.inputs[1];
  const float sa = qa.scale[0], sb = qb.scale[0], so = call.output->scale[0];
  kernels::AddArgs a{};
  a.count = static_cast<int32_t>(numel(call.input_shapes[0]));
  a.a_type = code_type(qa), a.b_type = code_type(qb), a.output_type = code_type(*call.output);
  a.a_zero_point = qa.zero_point[0], a.b_zero_point = qb.zero_point[0];
  a.rounding = call.rounding;
  a.output = output_args(*call.output, act, call.rounding, false);
  switch (call.rounding) {
    case Rounding::real: a.a_scale = sa, a.b_scale = sb; break;
    case Rounding::int_bias: {
      a.a_scale = sa / so, a.b_scale = sb / so;
      const float shifted = a.b_scale * static_cast<float>(a.b_zero_point);
      a.offset = static_cast<float>(a.output.zero_point) - std::fma(a.a_scale, static_cast<float>(a.a_zero_point), shifted);
      break;
    }
    case Rounding::fixed_double:
    case Rounding::fixed_single: {
      // TensorFlow Lite: both inputs in units of twice the larger scale, 20 bits up, then one rescale to the output.
      const double twice_max = 2.0 * std::max(sa, sb);
      const auto ma = quantize_multiplier(sa / twice_max), mb = quantize_multiplier(sb / twice_max);
      const auto mo = quantize_multiplier(twice_max / (double{1 << 20} * so));
      a.a_multiplier = ma.multiplier, a.a_shift = ma.shift;
      a.b_multiplier = mb.multiplier, a.b_shift = mb.shift;
      a.output_multiplier = mo.multiplier, a.output_shift = mo.shift;
      break;
    }
  }
  return {{{a, {Operand::input(0), Operand::input(1)}}}};
}

LoweredFloats Binary::lower_float(const FloatLowerCall& call) const {
  const Limits limit = limits(act);
  return {{{FloatAddArgs{numel(call.input_shapes[0]), limit.lo, limit.hi}, {Operand::input(0), Operand::input(1)}}}};
}

}  // namespace octet
