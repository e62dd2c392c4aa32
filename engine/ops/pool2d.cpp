// SPDX-License-Identifier: Apache-2.0
// Pool2d: max, average and adaptive average pooling over N,H,W,C.
#include <algorithm>

#include "engine/float_kernels.h"
#include "engine/ops/copy.h"
#include "engine/ops/functional.h"
#include "engine/ops/picked.h"
#include "engine/ops/wide.h"
#include "kernels/ref/ref16.h"

namespace octet {
namespace {

/// Output length of one axis; in ceil mode the last window must start inside the input or its left padding.
int64_t pooled(int64_t in, int64_t kernel, int64_t stride, int64_t before, int64_t after, bool ceil_mode) {
  const int64_t slack = in + before + after - kernel;
  int64_t out = (slack + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  if (ceil_mode && (out - 1) * stride >= in + before) --out;
  return out;
}

}  // namespace

PoolGeometry geometry(const Pool2d& op, const Shape& input, std::string_view path) {
  check(op.kind <= Pool::adaptive_average, path, ": unknown kind of pool ", static_cast<int>(op.kind));
  const bool adaptive = op.kind == Pool::adaptive_average;
  const Shape x = as_picture(input, adaptive ? op.output : op.kernel, adaptive ? Pads{} : op.padding, path);
  PoolGeometry g{x[0], x[1], x[2], x[3], op.output.h, op.output.w, 0, 0, 0, 0, 0, 0, 0, 0, adaptive, op.count_include_pad};
  if (g.adaptive) {
    check(op.output.h > 0 && op.output.w > 0 && op.output.h < int64_t{1} << 20 && op.output.w < int64_t{1} << 20 && x[1] > 0 &&
              x[2] > 0,
          path, ": adaptive pooling of ", x[1], "x", x[2], " to ", op.output.h, "x", op.output.w);
    return g;
  }
  const auto& [top, left, bottom, right] = op.padding;
  check(op.kernel.h > 0 && op.kernel.w > 0 && op.stride.h > 0 && op.stride.w > 0, path, ": kernel and stride must be positive");
  check(top >= 0 && left >= 0 && bottom >= 0 && right >= 0, path, ": padding must not be negative");
  constexpr int64_t kLimit = int64_t{1} << 30;  // int32 in the kernels' arguments, with room for sums
  for (const int64_t v : {op.kernel.h, op.kernel.w, op.stride.h, op.stride.w})
    check(v < kLimit, path, ": attribute ", v, " is too large");
  // A window inside the padding alone would have no value.
  check(top < op.kernel.h && bottom < op.kernel.h && left < op.kernel.w && right < op.kernel.w, path,
        ": padding must be smaller than the kernel ", op.kernel.h, "x", op.kernel.w);
  check(x[1] + top + bottom >= op.kernel.h && x[2] + left + right >= op.kernel.w, path, ": kernel ", op.kernel.h, "x", op.kernel.w,
        " exceeds the padded input ", x[1], "x", x[2]);
  g.kernel_h = op.kernel.h, g.kernel_w = op.kernel.w, g.stride_h = op.stride.h, g.stride_w = op.stride.w;
  g.pad_top = top, g.pad_left = left, g.pad_bottom = bottom, g.pad_right = right;
  g.out_h = pooled(x[1], op.kernel.h, op.stride.h, top, bottom, op.ceil_mode);
  g.out_w = pooled(x[2], op.kernel.w, op.stride.w, left, right, op.ceil_mode);
  return g;
}

namespace {

/// An average whose windows all count as many cells: what the kernel of means computes, to codes of another meaning, too.
bool counts_alike(const Pool2d& op) {
  if (op.kind == Pool::adaptive_average) return op.output == Pair{1, 1};
  return op.kind == Pool::average && !op.ceil_mode && (op.count_include_pad || op.padding == Pads{});
}

}  // namespace

Traits Pool2d::traits() const {
  return {.codes = counts_alike(*this) ? Codes::either : Codes::keep,
          .channels = Channels::scales,
          .part = Part::other,
          .pads = kind != Pool::adaptive_average && padding != Pads{},
          .selects = kind == Pool::max,
          .keeps_mean = kind != Pool::max};
}

std::vector<Shape> Pool2d::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  const PoolGeometry g = geometry(*this, call.inputs[0], call.path);
  return {like(call.inputs[0], {g.batch, g.out_h, g.out_w, g.channels})};
}

std::vector<Var> Pool2d::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  const PoolGeometry g = geometry(*this, x.shape(), call.path);
  return dispatch_float(x.dtype(), call.path, [&]<class T>() {
    Tensor y(like(x.shape(), {g.batch, g.out_h, g.out_w, g.channels}), x.dtype());
    T* out = y.mutable_data<T>().data();
    if (kind == Pool::max) {
      fk::pool2d_max(g, x.value().data<T>().data(), out);
      auto vjp = [g, x = x.value()](const Tensor& grad, const Needs&) {
        Tensor dx(x.shape(), x.dtype());
        fk::pool2d_max_grad(g, x.data<T>().data(), grad.data<T>().data(), dx.mutable_data<T>().data());
        return std::vector<Tensor>{std::move(dx)};
      };
      return std::vector<Var>{Var::made(std::move(y), {x}, std::move(vjp))};
    }
    fk::pool2d_average(g, x.value().data<T>().data(), out);
    auto vjp = [g, shape = x.shape()](const Tensor& grad, const Needs&) {
      Tensor dx(shape, grad.dtype());
      fk::pool2d_average_grad(g, grad.data<T>().data(), dx.mutable_data<T>().data());
      return std::vector<Tensor>{std::move(dx)};
    };
    return std::vector<Var>{Var::made(std::move(y), {x}, std::move(vjp))};
  });
}

namespace {

/// Most cells that one window averages along an axis, counted padding included.
int64_t most_cells(int64_t in, int64_t out, int64_t kernel, bool adaptive) {
  if (!adaptive) return kernel;
  return in % out == 0 ? in / out : std::min(in, in / out + 2);
}

/// Means of codes as codes of another meaning: of the picture with its padding around it, if there is any.
Lowered lower_means(const LowerCall& call, const PoolGeometry& g) {
  const int64_t h = g.in_h + g.pad_top + g.pad_bottom, w = g.in_w + g.pad_left + g.pad_right, row = w * g.channels;
  const int64_t step_h = g.adaptive ? 1 : g.stride_h, step_w = g.adaptive ? 1 : g.stride_w;
  const View kept{{g.batch, g.out_h, g.out_w, g.channels}, {h * row, step_h * row, step_w * g.channels, 1}};
  const View window{g.adaptive ? Shape{h, w} : Shape{g.kernel_h, g.kernel_w}, {row, g.channels}};
  const kernels::ReduceArgs means = reduce_args(call, kernels::ReduceKind::mean, kept, window);
  if (h == g.in_h && w == g.in_w) return {{{means}}};
  const Shape picture{g.batch, g.in_h, g.in_w, g.channels};  // which the input may be a line of
  const Pick padded = Pad{{0, g.pad_top, g.pad_left, 0}, {0, g.pad_bottom, g.pad_right, 0}}.pick(picture, call.path);
  LowerCall of_picture = call;
  of_picture.input_shapes = {&picture, 1};
  Lowered lowered = lower_pick(of_picture, padded);
  lowered.temporaries = {numel(padded.output()) * code_size(call.inputs[0])};
  lowered.calls[0].outputs = {Operand::temporary(0)};
  lowered.calls.push_back({means, {Operand::temporary(0)}});
  return lowered;
}

}  // namespace

Lowered Pool2d::lower(const LowerCall& call) const {
  const PoolGeometry g = geometry(*this, call.input_shapes[0], call.path);
  const QParams& q = call.inputs[0];
  if (q != *call.output) return lower_means(call, g);
  if (kind != Pool::max) {
    // A sum of codes, of differences from the zero point, and half a divisor on top: 256 a cell at most in int32.
    const int64_t most_cells_summed = has_wide_codes(q) ? kernels::kMostSummed16 : ((int64_t{1} << 31) - 1) / 256;
    const int64_t h = most_cells(g.in_h, g.out_h, g.kernel_h, g.adaptive), w = most_cells(g.in_w, g.out_w, g.kernel_w, g.adaptive);
    check(h <= most_cells_summed / w, call.path, ": the mean of ", h, "x", w, " cells can exceed 32 bits, which hold ",
          most_cells_summed, "; pool in two steps or keep this layer float");
  }
  kernels::Pool2dArgs a{};
  const auto i32 = [](int64_t v) { return static_cast<int32_t>(v); };
  a.batch = i32(g.batch), a.in_h = i32(g.in_h), a.in_w = i32(g.in_w), a.channels = i32(g.channels);
  a.out_h = i32(g.out_h), a.out_w = i32(g.out_w), a.kernel_h = i32(g.kernel_h), a.kernel_w = i32(g.kernel_w);
  a.stride_h = i32(g.stride_h), a.stride_w = i32(g.stride_w), a.pad_top = i32(g.pad_top), a.pad_left = i32(g.pad_left);
  a.pad_bottom = i32(g.pad_bottom), a.pad_right = i32(g.pad_right);
  a.zero_point = q.zero_point[0], a.clamp_min = q.qmin, a.clamp_max = q.qmax;
  a.input_scale = a.output_scale = q.scale[0];
  a.kind = static_cast<kernels::PoolKind>(kind);
  a.type = code_type(q);
  a.rounding = call.rounding;
  a.count_include_pad = count_include_pad;
  return {{{a}}};
}

LoweredFloats Pool2d::lower_float(const FloatLowerCall& call) const {
  return {{{FloatPool2dArgs{geometry(*this, call.input_shapes[0], call.path), static_cast<kernels::PoolKind>(kind)}}}};
}

}  // namespace octet
