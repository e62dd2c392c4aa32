// SPDX-License-Identifier: Apache-2.0
// Conv2d: N,H,W,C convolution with groups, dilation and four-sided padding, optional residual input and activation.
#include <cmath>

#include "engine/float_kernels.h"
#include "engine/ops/functional.h"
#include "engine/ops/wide.h"

namespace octet {

Shape as_picture(const Shape& x, Pair kernel, Pads padding, std::string_view path) {
  check(x.size() == 3 || x.size() == 4, path, ": expected an N,H,W,C input, or N,L,C, got shape ", to_string(x));
  if (x.size() == 4) return x;
  check(kernel.h == 1 && padding.top == 0 && padding.bottom == 0, path, ": a kernel of height ", kernel.h, " and padding ",
        padding.top, " and ", padding.bottom, " above and below for an N,L,C input of shape ", to_string(x));
  return {x[0], 1, x[1], x[2]};
}

Shape like(const Shape& input, Shape picture) {
  if (input.size() == 3) picture.erase(picture.begin() + 1);
  return picture;
}

ConvGeometry geometry(const Conv2d& op, const Shape& input, std::string_view path) {
  check(op.in > 0 && op.out > 0, path, ": channels must be positive, got ", op.in, " -> ", op.out);
  check(op.groups > 0 && op.in % op.groups == 0 && op.out % op.groups == 0, path, ": groups ", op.groups,
        " must divide the channels ", op.in, " and ", op.out);
  check(op.kernel.h > 0 && op.kernel.w > 0 && op.stride.h > 0 && op.stride.w > 0 && op.dilation.h > 0 && op.dilation.w > 0, path,
        ": kernel, stride and dilation must be positive");
  check(op.padding.top >= 0 && op.padding.left >= 0 && op.padding.bottom >= 0 && op.padding.right >= 0, path,
        ": padding must not be negative");
  constexpr int64_t kLimit = int64_t{1} << 30;  // int32 in the kernels' arguments, with room for sums
  for (const int64_t v : {op.kernel.h, op.kernel.w, op.stride.h, op.stride.w, op.dilation.h, op.dilation.w, op.padding.top,
                          op.padding.left, op.padding.bottom, op.padding.right, op.in, op.out})
    check(v < kLimit, path, ": attribute ", v, " is too large");
  check_activation(op.act, path);
  const Shape x = as_picture(input, op.kernel, op.padding, path);
  check(x[3] == op.in, path, ": expected ", op.in, " input channels, got ", x[3], " (input shape ", to_string(x), ")");
  const int64_t reach_h = op.dilation.h * (op.kernel.h - 1) + 1, reach_w = op.dilation.w * (op.kernel.w - 1) + 1;
  const int64_t h = x[1] + op.padding.top + op.padding.bottom - reach_h, w = x[2] + op.padding.left + op.padding.right - reach_w;
  check(h >= 0 && w >= 0, path, ": kernel of ", reach_h, "x", reach_w, " (dilation included) exceeds the padded input ", x[1], "x",
        x[2]);
  return {
      x[0],        x[1],        x[2],        op.in,         h / op.stride.h + 1, w / op.stride.w + 1, op.out,          op.kernel.h,
      op.kernel.w, op.stride.h, op.stride.w, op.dilation.h, op.dilation.w,       op.padding.top,      op.padding.left, op.groups};
}

std::vector<Shape> Conv2d::shapes(const ShapeCall& call) const {
  call.expect_inputs(residual ? 2 : 1);
  const ConvGeometry g = geometry(*this, call.inputs[0], call.path);
  const Shape y = like(call.inputs[0], {g.batch, g.out_h, g.out_w, g.out_c});
  if (residual)
    check(call.inputs[1] == y, call.path, ": the residual input has shape ", to_string(call.inputs[1]), ", the output ",
          to_string(y));
  return {y};
}

Traits Conv2d::traits() const {
  return {.codes = Codes::own,
          .channels = Channels::mixes,
          .part = Part::layer,
          .wires = residual ? 2 : 1,
          .pads = padding != Pads{},
          .product = Product{.in = in, .out = out, .groups = groups, .residual = residual}};
}

std::vector<Param> Conv2d::params() const {
  check(groups > 0, "groups must be positive, got ", groups);
  std::vector<Param> all{{"weight", {out, kernel.h, kernel.w, in / groups}, Role::weight}};
  if (bias) all.push_back({"bias", {out}, Role::bias});
  return all;
}

void Conv2d::init(Params& params, Generator& g) const {
  const int64_t group_in = in / groups, fan_in = group_in * kernel.h * kernel.w;
  // kaiming_uniform_ with a = sqrt(5), written as PyTorch evaluates it: the bounds are not always the same double as
  // 1/sqrt(fan_in).
  const double gain = std::sqrt(2.0 / (1 + std::pow(std::sqrt(5.0), 2)));
  const double bound = std::sqrt(3.0) * (gain / std::sqrt(static_cast<double>(fan_in)));
  // Drawn in PyTorch's order [out, in, kH, kW].
  params.insert_or_assign("weight", nhwc_from_nchw(uniform(g, {out, group_in, kernel.h, kernel.w}, -bound, bound)));
  const double bias_bound = 1 / std::sqrt(static_cast<double>(fan_in));
  if (bias) params.insert_or_assign("bias", uniform(g, {out}, -bias_bound, bias_bound));
}

Var conv2d(const Conv2d& op, const Var& x, const Var& weight, const Var* bias, Activation act, std::string_view path) {
  const ConvGeometry g = geometry(op, x.shape(), path);
  const Shape expected{op.out, op.kernel.h, op.kernel.w, op.in / op.groups};
  check(weight.shape() == expected, path, ": expected weight of shape ", to_string(expected), ", got ", to_string(weight.shape()));
  check(!bias || bias->shape() == Shape{op.out}, path, ": expected ", op.out, " biases, got shape ",
        bias ? to_string(bias->shape()) : "");
  check(x.dtype() == weight.dtype(), path, ": input is ", to_string(x.dtype()), ", weight is ", to_string(weight.dtype()));
  return dispatch_float(x.dtype(), path, [&]<class T>() {
    Tensor y(like(x.shape(), {g.batch, g.out_h, g.out_w, g.out_c}), x.dtype());
    fk::conv2d(g, x.value().data<T>().data(), weight.value().data<T>().data(), bias ? bias->value().data<T>().data() : nullptr,
               T(act.lo), T(act.hi), y.mutable_data<T>().data());
    std::vector<Var> inputs{x, weight};
    if (bias) inputs.push_back(*bias);
    auto vjp = [g, act, x = x.value(), w = weight.value(), y](const Tensor& grad, const Needs& needs) {
      const Tensor dy = act == Activation::none ? grad : masked_gradient(y, grad, act);
      std::vector<Tensor> grads(needs.size());
      if (needs[0]) {
        grads[0] = Tensor(x.shape(), x.dtype());
        fk::conv2d_grad_input(g, dy.data<T>().data(), w.data<T>().data(), grads[0].mutable_data<T>().data());
      }
      if (needs[1]) {
        grads[1] = Tensor(w.shape(), w.dtype());
        fk::conv2d_grad_weight(g, x.data<T>().data(), dy.data<T>().data(), grads[1].mutable_data<T>().data());
      }
      if (needs.size() > 2 && needs[2]) {
        grads[2] = Tensor({g.out_c}, x.dtype());
        fk::column_sum(g.batch * g.out_h * g.out_w, g.out_c, dy.data<T>().data(), grads[2].mutable_data<T>().data());
      }
      return grads;
    };
    return Var::made(std::move(y), std::move(inputs), std::move(vjp));
  });
}

std::vector<Var> Conv2d::forward(const Call& call) const {
  const Var weight = call.hooked("weight", call.param("weight"));
  const Var b = bias ? call.param("bias") : Var();
  Var y = conv2d(*this, call.inputs[0], weight, bias ? &b : nullptr, residual ? Activation::none : act, call.path);
  if (residual) y = add(y, call.inputs[1], act, call.path);
  return {std::move(y)};
}

Lowered Conv2d::lower(const LowerCall& call) const {
  const ConvGeometry g = geometry(*this, call.input_shapes[0], call.path);
  const QParams& x = call.inputs[0];
  kernels::Conv2dArgs a{};
  const auto i32 = [&](int64_t v) { return static_cast<int32_t>(v); };
  a.batch = i32(g.batch), a.in_h = i32(g.in_h), a.in_w = i32(g.in_w), a.in_c = i32(g.in_c);
  a.out_h = i32(g.out_h), a.out_w = i32(g.out_w), a.out_c = i32(g.out_c);
  a.kernel_h = i32(g.kernel_h), a.kernel_w = i32(g.kernel_w), a.stride_h = i32(g.stride_h), a.stride_w = i32(g.stride_w);
  a.dilation_h = i32(g.dilation_h), a.dilation_w = i32(g.dilation_w), a.pad_top = i32(g.pad_top), a.pad_left = i32(g.pad_left);
  a.groups = i32(g.groups);
  a.input_zero_point = x.zero_point[0];
  a.input_type = code_type(x);
  a.output_type = code_type(*call.output);
  a.rounding = call.rounding;
  a.output = output_args(*call.output, act, call.rounding, true);
  if (residual) {
    const QParams& r = call.inputs[1];
    check(!has_wide_codes(x), call.path, ": a residual fused into a convolution of 16-bit codes; fuse without residuals");
    check(!has_wide_codes(r), call.path,
          ": a residual of 16-bit codes fused into a convolution of 8-bit codes; fuse without residuals");
    a.residual_type = code_type(r);
    a.residual_zero_point = r.zero_point[0];
    switch (call.rounding) {
      case Rounding::real: a.residual_scale = r.scale[0]; break;
      case Rounding::int_bias: a.residual_scale = r.scale[0] / call.output->scale[0]; break;
      case Rounding::fixed_double:
      case Rounding::fixed_single: {
        a.residual_shift = residual_shift(call, *needed(*call.params, "weight", call.path).qparams());
        const double ratio = static_cast<double>(r.scale[0]) / static_cast<double>(call.output->scale[0]);
        a.residual_multiplier = static_cast<int32_t>(std::nearbyint(std::ldexp(ratio, a.residual_shift - kernels::kResidualBits)));
        break;
      }
    }
    check(a.residual_shift > 0 || std::isnormal(a.residual_scale), call.path, ": a residual of scale ", r.scale[0],
          " is no normal float in units of the output's scale ", call.output->scale[0], "; fuse without residuals");
  }
  std::vector<Operand> inputs{Operand::input(0)};
  if (residual) inputs.push_back(Operand::input(1));
  return {{{.args = a, .inputs = std::move(inputs), .table = 0}}};
}

LoweredFloats Conv2d::lower_float(const FloatLowerCall& call) const {
  std::vector<Operand> inputs{Operand::input(0)};
  if (residual) inputs.push_back(Operand::input(1));
  const ConvGeometry g = geometry(*this, call.input_shapes[0], call.path);
  return {{{.args = FloatConv2dArgs{g, act.lo, act.hi, residual}, .inputs = std::move(inputs), .table = 0}}};
}

ModuleTables Conv2d::float_tables(const FloatLowerCall& call) const {
  return float_layer(call.param("weight"), bias ? call.param("bias") : Tensor());
}

ModuleTables Conv2d::tables(const LowerCall& call) const {
  const Params& params = *call.params;
  expect_param(params, "weight", {out, kernel.h, kernel.w, in / groups}, call.path);
  const Tensor& weight = params.at("weight");
  const bool fixed = call.rounding == Rounding::fixed_double || call.rounding == Rounding::fixed_single;
  const int32_t shift = residual && fixed && weight.qparams() ? residual_shift(call, *weight.qparams()) : 0;
  return weighted_tables(call, weight, bias ? &params.at("bias") : nullptr, false, shift);
}

}  // namespace octet
