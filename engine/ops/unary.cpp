// SPDX-License-Identifier: Apache-2.0
// Unary: identity, relu, relu6. On codes they are a clamp that keeps scale and zero point.
#include "engine/float_kernels.h"
#include "engine/ops/functional.h"

namespace octet {

Tensor masked_gradient(const Tensor& y, const Tensor& grad, Limits limit) {
  Tensor dx(y.shape(), y.dtype());
  dispatch_float(y.dtype(), "clamp", [&]<class T>() {
    fk::clamp_grad(y.numel(), y.data<T>().data(), grad.data<T>().data(), T(limit.lo), T(limit.hi), dx.mutable_data<T>().data());
  });
  return dx;
}

Var clamp(const Var& x, Limits limit) {
  return dispatch_float(x.dtype(), "clamp", [&]<class T>() {
    Tensor y(x.shape(), x.dtype());
    fk::clamp(y.numel(), x.value().data<T>().data(), T(limit.lo), T(limit.hi), y.mutable_data<T>().data());
    // y lies strictly inside the limits exactly where x does, so the input need not be kept.
    auto vjp = [y, limit](const Tensor& grad, const Needs&) { return std::vector<Tensor>{masked_gradient(y, grad, limit)}; };
    return Var::made(std::move(y), {x}, std::move(vjp));
  });
}

// A function that is none of these is refused by shapes(), which every call goes through; here it promises nothing.
Activation Unary::activation() const {
  return fn == UnaryFn::relu ? Activation::relu : fn == UnaryFn::relu6 ? Activation::relu6 : Activation::none;
}

Traits Unary::traits() const {
  const bool scales = fn == UnaryFn::identity || fn == UnaryFn::relu;
  return {.codes = Codes::keep,
          .channels = scales                 ? Channels::scales
                      : fn == UnaryFn::relu6 ? Channels::clips
                                             : Channels::mixes,
          .part = activation() == Activation::none ? Part::other : Part::clamp,
          .selects = fn == UnaryFn::identity,
          .keeps_mean = fn == UnaryFn::identity};
}

std::vector<Shape> Unary::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  check(static_cast<size_t>(fn) < kEnumNames<UnaryFn>.size(), call.path, ": unknown unary function ", static_cast<int>(fn));
  return {call.inputs[0]};
}

std::vector<Var> Unary::forward(const Call& call) const {
  if (fn == UnaryFn::identity) return {call.inputs[0]};
  return {clamp(call.inputs[0], limits(activation()))};
}

Lowered Unary::lower(const LowerCall& call) const {
  const int64_t count = numel(call.input_shapes[0]);
  if (fn == UnaryFn::identity) return {{{copied(count, 1)}}};
  kernels::ClampArgs a{};
  a.count = static_cast<int32_t>(count);
  const kernels::OutputArgs output = output_args(call.inputs[0], activation(), call.rounding, false);
  a.clamp_min = output.clamp_min;
  a.clamp_max = output.clamp_max;
  a.type = code_type(call.inputs[0]);
  return {{{a}}};
}

LoweredFloats Unary::lower_float(const FloatLowerCall& call) const {
  if (fn == UnaryFn::identity) return copied_floats(call);
  const Limits limit = limits(activation());
  return {{{FloatClampArgs{numel(call.input_shapes[0]), limit.lo, limit.hi}}}};
}

}  // namespace octet
