// SPDX-License-Identifier: Apache-2.0
// ConvTranspose2d: the input with zeros between and around its elements, convolved with the kernel turned by half a circle. Codes
// go the same way, zeros being the zero point, so that every engine's convolution serves it.
#include <cmath>

#include "engine/ops/functional.h"
#include "engine/ops/picked.h"
#include "engine/ops/wide.h"

namespace octet {
namespace {

/// The convolution that it is of the spread input.
Conv2d plain(const ConvTranspose2d& op) {
  return {.in = op.in,
          .out = op.out,
          .kernel = op.kernel,
          .dilation = op.dilation,
          .groups = op.groups,
          .bias = op.bias,
          .act = op.act};
}

/// Positions of one axis: each `stride` apart, from `before` in front of the first to `after` behind the last.
std::vector<int64_t> spread(int64_t n, int64_t stride, int64_t before, int64_t after) {
  std::vector<int64_t> axis;
  for (int64_t at = -before; at < (n - 1) * stride + 1 + after; ++at) {
    const bool inside = at >= 0 && at <= (n - 1) * stride && at % stride == 0;
    axis.push_back(inside ? at / stride : -1);
  }
  return axis;
}

Pick spread(const ConvTranspose2d& op, const Shape& input, std::string_view path) {
  check(op.kernel.h > 0 && op.kernel.w > 0 && op.stride.h > 0 && op.stride.w > 0 && op.dilation.h > 0 && op.dilation.w > 0, path,
        ": kernel, stride and dilation must be positive");
  check(op.padding.top >= 0 && op.padding.left >= 0 && op.padding.bottom >= 0 && op.padding.right >= 0, path,
        ": padding must not be negative");
  check(op.output_padding.h >= 0 && op.output_padding.w >= 0 && op.output_padding.h < std::max(op.stride.h, op.dilation.h) &&
            op.output_padding.w < std::max(op.stride.w, op.dilation.w),
        path, ": output padding ", op.output_padding.h, "x", op.output_padding.w, " must be less than stride or dilation");
  constexpr int64_t kLimit = int64_t{1} << 20;
  for (const int64_t v : {op.kernel.h, op.kernel.w, op.stride.h, op.stride.w, op.dilation.h, op.dilation.w, op.padding.top,
                          op.padding.left, op.padding.bottom, op.padding.right})
    check(v < kLimit, path, ": attribute ", v, " is too large");
  const Shape x = as_picture(input, op.kernel, op.padding, path);
  check(x[1] > 0 && x[2] > 0 && x[1] < kLimit && x[2] < kLimit, path, ": shape ", to_string(x), ", expected pictures");
  const int64_t reach_h = op.dilation.h * (op.kernel.h - 1), reach_w = op.dilation.w * (op.kernel.w - 1);
  const int64_t long_h = (x[1] - 1) * op.stride.h + 2 * reach_h + 1, long_w = (x[2] - 1) * op.stride.w + 2 * reach_w + 1;
  check(long_h < kLimit * 16 && long_w < kLimit * 16, path, ": an output of ", long_h, "x", long_w);
  Pick pick;
  pick.axes = {all_of(x[0]), spread(x[1], op.stride.h, reach_h - op.padding.top, reach_h - op.padding.bottom + op.output_padding.h),
               spread(x[2], op.stride.w, reach_w - op.padding.left, reach_w - op.padding.right + op.output_padding.w),
               all_of(x[3])};
  check(static_cast<int64_t>(pick.axes[1].size()) > reach_h && static_cast<int64_t>(pick.axes[2].size()) > reach_w, path,
        ": padding takes the whole output away");
  if (input.size() == 3) {
    check(pick.axes[1].size() == 1, path, ": output padding ", op.output_padding.h, " below for an N,L,C input");
    pick.axes.erase(pick.axes.begin() + 1);
  }
  return pick;
}

/// The kernel turned: both of its axes reversed.
Pick turned(const Shape& weight) {
  Pick pick;
  for (const int64_t n : weight) pick.axes.push_back(all_of(n));
  for (const size_t axis : {size_t{1}, size_t{2}}) std::reverse(pick.axes[axis].begin(), pick.axes[axis].end());
  return pick;
}

}  // namespace

std::vector<Param> ConvTranspose2d::params() const { return plain(*this).params(); }

Traits ConvTranspose2d::traits() const {
  return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::layer, .pads = true};
}

std::vector<Shape> ConvTranspose2d::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  const Shape spread_shape = spread(*this, call.inputs[0], call.path).output();
  return plain(*this).shapes({call.path, {&spread_shape, 1}});
}

void ConvTranspose2d::init(Params& params, Generator& g) const {
  // PyTorch's order [in, out/groups, kH, kW]; its bounds follow from the second axis.
  const int64_t own = out / groups, from = in / groups, fan_in = own * kernel.h * kernel.w;
  const double gain = std::sqrt(2.0 / (1 + std::pow(std::sqrt(5.0), 2)));
  const double bound = std::sqrt(3.0) * (gain / std::sqrt(static_cast<double>(fan_in)));
  const Tensor drawn = uniform(g, {in, own, kernel.h, kernel.w}, -bound, bound);
  Tensor weight({out, kernel.h, kernel.w, from}, drawn.dtype());
  const auto to = weight.mutable_data<float>();
  const auto values = drawn.data<float>();
  for (int64_t i = 0; i < in; ++i)
    for (int64_t o = 0; o < own; ++o)
      for (int64_t k = 0; k < kernel.h * kernel.w; ++k)
        to[static_cast<size_t>(((i / from * own + o) * kernel.h * kernel.w + k) * from + i % from)] =
            values[static_cast<size_t>((i * own + o) * kernel.h * kernel.w + k)];
  params.insert_or_assign("weight", std::move(weight));
  const double bias_bound = 1 / std::sqrt(static_cast<double>(fan_in));
  if (bias) params.insert_or_assign("bias", uniform(g, {out}, -bias_bound, bias_bound));
}

std::vector<Var> ConvTranspose2d::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  const Var weight = call.hooked("weight", call.param("weight"));
  const Var b = bias ? call.param("bias") : Var();
  check(weight.shape().size() == 4, call.path, ": expected weight [out, kH, kW, in/groups], got shape ", to_string(weight.shape()));
  return {conv2d(plain(*this), picked(x, spread(*this, x.shape(), call.path)), picked(weight, turned(weight.shape())),
                 bias ? &b : nullptr, act, call.path)};
}

ModuleTables ConvTranspose2d::tables(const LowerCall& call) const {
  const Params& params = *call.params;
  expect_param(params, "weight", {out, kernel.h, kernel.w, in / groups}, call.path);
  const Tensor& weight = params.at("weight");
  const Tensor flipped = weight.qparams() ? picked(weight, turned(weight.shape())).with(*weight.qparams()) : weight;
  return weighted_tables(call, flipped, bias ? &params.at("bias") : nullptr, false);
}

Lowered ConvTranspose2d::lower(const LowerCall& call) const {
  const Pick pick = spread(*this, call.input_shapes[0], call.path);
  const Shape between = pick.output();
  LowerCall inner = call;
  inner.input_shapes = {&between, 1};
  Lowered lowered = lower_pick(call, pick);
  lowered.calls[0].outputs = {Operand::temporary(0)};
  LoweredCall conv = plain(*this).lower(inner).calls[0];
  conv.inputs = {Operand::temporary(0)};
  lowered.calls.push_back(std::move(conv));
  lowered.temporaries = {numel(between) * code_size(call.inputs[0])};
  return lowered;
}

}  // namespace octet
