// SPDX-License-Identifier: Apache-2.0
// Linear: y = x W^T + b over the last axis, optional activation.
#include <cmath>

#include "engine/float_kernels.h"
#include "engine/ops/functional.h"

namespace octet {

std::vector<Shape> Linear::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  check(in > 0 && out > 0, call.path, ": features must be positive, got ", in, " -> ", out);
  check_activation(act, call.path);
  Shape y = call.inputs[0];
  check(!y.empty() && y.back() == in, call.path, ": expected ", in, " input features on the last axis, got shape ", to_string(y));
  y.back() = out;
  return {y};
}

Traits Linear::traits() const {
  return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::layer, .product = Product{in, out, 1, true}};
}

std::vector<Param> Linear::params() const {
  std::vector<Param> all{{"weight", {out, in}, Role::weight}};
  if (bias) all.push_back({"bias", {out}, Role::bias});
  return all;
}

void Linear::init(Params& params, Generator& g) const {
  const double gain = std::sqrt(2.0 / (1 + std::pow(std::sqrt(5.0), 2)));
  const double bound = std::sqrt(3.0) * (gain / std::sqrt(static_cast<double>(in)));
  params.insert_or_assign("weight", uniform(g, {out, in}, -bound, bound));
  const double bias_bound = 1 / std::sqrt(static_cast<double>(in));
  if (bias) params.insert_or_assign("bias", uniform(g, {out}, -bias_bound, bias_bound));
}

Var linear(const Linear& op, const Var& x, const Var& w, const Var* bias, Activation act, std::string_view path) {
  const int64_t in = op.in, out = op.out;
  check(!x.shape().empty() && x.shape().back() == in, path, ": expected ", in, " input features, got shape ", to_string(x.shape()));
  check(w.shape() == Shape{out, in}, path, ": expected weight of shape ", to_string(Shape{out, in}), ", got ",
        to_string(w.shape()));
  check(x.dtype() == w.dtype(), path, ": input is ", to_string(x.dtype()), ", weight is ", to_string(w.dtype()));
  const int64_t rows = x.value().numel() / in;
  return dispatch_float(x.dtype(), path, [&]<class T>() {
    Shape shape = x.shape();
    shape.back() = out;
    Tensor y(std::move(shape), x.dtype());
    const f32::Matmul product{.m = rows, .n = out, .k = in, .transpose_b = true};
    fk::matmul(product, x.value().data<T>().data(), w.value().data<T>().data(), bias ? bias->value().data<T>().data() : nullptr,
               y.mutable_data<T>().data());
    if (act != Activation::none) fk::clamp(y.numel(), y.data<T>().data(), T(act.lo), T(act.hi), y.mutable_data<T>().data());
    std::vector<Var> inputs{x, w};
    if (bias) inputs.push_back(*bias);
    auto vjp = [rows, act, x = x.value(), w = w.value(), y](const Tensor& grad, const Needs& needs) {
      const int64_t out = w.size(0), in = w.size(1);
      const Tensor dy = act == Activation::none ? grad : masked_gradient(y, grad, act);
      std::vector<Tensor> grads(needs.size());
      if (needs[0]) {  // dx = dy W
        grads[0] = Tensor(x.shape(), x.dtype());
        fk::matmul(f32::Matmul{.m = rows, .n = in, .k = out}, dy.data<T>().data(), w.data<T>().data(),
                   static_cast<const T*>(nullptr), grads[0].mutable_data<T>().data());
      }
      if (needs[1]) {  // dW = dy^T x
        grads[1] = Tensor(w.shape(), w.dtype());
        fk::matmul(f32::Matmul{.m = out, .n = in, .k = rows, .transpose_a = true}, dy.data<T>().data(), x.data<T>().data(),
                   static_cast<const T*>(nullptr), grads[1].mutable_data<T>().data());
      }
      if (needs.size() > 2 && needs[2]) {
        grads[2] = Tensor({out}, x.dtype());
        fk::column_sum(rows, out, dy.data<T>().data(), grads[2].mutable_data<T>().data());
      }
      return grads;
    };
    return Var::made(std::move(y), std::move(inputs), std::move(vjp));
  });
}

std::vector<Var> Linear::forward(const Call& call) const {
  const Var w = call.hooked("weight", call.param("weight"));
  const Var b = bias ? call.param("bias") : Var();
  return {linear(*this, call.inputs[0], w, bias ? &b : nullptr, act, call.path)};
}

Lowered Linear::lower(const LowerCall& call) const {
  kernels::LinearArgs a{};
  a.rows = static_cast<int32_t>(numel(call.input_shapes[0]) / in);
  a.in = static_cast<int32_t>(in);
  a.out = static_cast<int32_t>(out);
  a.input_zero_point = call.inputs[0].zero_point[0];
  a.input_type = code_type(call.inputs[0]);
  a.output_type = code_type(*call.output);
  a.rounding = call.rounding;
  a.output = output_args(*call.output, act, call.rounding, true);
  return {{{.args = a, .table = 0}}};
}

LoweredFloats Linear::lower_float(const FloatLowerCall& call) const {
  return {{{.args = FloatLinearArgs{numel(call.input_shapes[0]) / in, in, out, act.lo, act.hi}, .table = 0}}};
}

ModuleTables Linear::float_tables(const FloatLowerCall& call) const {
  return float_layer(call.param("weight"), bias ? call.param("bias") : Tensor());
}

ModuleTables Linear::tables(const LowerCall& call) const {
  const Params& params = *call.params;
  expect_param(params, "weight", {out, in}, call.path);
  // Classic TensorFlow Lite multiplies the two scales of a per-tensor dense layer in float32 before it divides in double.
  const bool float_product = params.at("weight").qparams() && params.at("weight").qparams()->axis < 0;
  return weighted_tables(call, params.at("weight"), bias ? &params.at("bias") : nullptr, float_product);
}

}  // namespace octet
