// SPDX-License-Identifier: Apache-2.0
// Reduce: any function of engine/ops/reduce_functions.h along any axes. Floats are brought into rows first, a strided copy with its
// own gradient; codes are walked where they lie.
#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/ops/functional.h"
#include "engine/ops/reduce_functions.h"
#include "engine/ops/strided.h"
#include "engine/ops/wide.h"
#include "kernels/multiplier.h"
#include "kernels/parallel.h"
#include "kernels/ref/ref16.h"

namespace octet {
namespace {

/// Axes that stay, then those that go: all of them, in order, if none are named.
struct Axes {
  std::vector<size_t> kept, reduced;
};

Axes axes_of(const Reduce& op, size_t rank) {
  Axes axes;
  for (size_t i = 0; i < rank; ++i) {
    const bool reduced = op.axes.empty() || std::ranges::find(op.axes, static_cast<int64_t>(i)) != op.axes.end();
    (reduced ? axes.reduced : axes.kept).push_back(i);
  }
  return axes;
}

/// These axes of the input, in this order.
View view_of(const Shape& shape, std::span<const size_t> axes) {
  const Shape packed = row_major(shape);
  View view;
  for (const size_t i : axes) view.shape.push_back(shape[i]), view.strides.push_back(packed[i]);
  return view;
}

/// The input with the axes that go last.
View rows_view(const Shape& shape, Axes axes) {
  axes.kept.insert(axes.kept.end(), axes.reduced.begin(), axes.reduced.end());
  return view_of(shape, axes.kept);
}

template <class Row>
Var applied(const Row& row, const Var& rows, const Shape& to) {
  return dispatch_float(rows.dtype(), "reduce", [&]<class T>() {
    Tensor y(to, rows.dtype());
    const size_t count = static_cast<size_t>(y.numel()), n = count == 0 ? 0 : static_cast<size_t>(rows.value().numel()) / count;
    const auto grain = static_cast<int64_t>(1 + 16384 / (n + 1));
    const T* from = rows.value().data<T>().data();
    T* out = y.mutable_data<T>().data();
    parallel(y.numel(), grain, [&](int, int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) out[o] = row.value(std::span<const T>(from + static_cast<size_t>(o) * n, n));
    });
    auto vjp = [row, n, grain, x = rows.value(), y](const Tensor& grad, const Needs&) {
      Tensor dx(x.shape(), x.dtype());
      const T *px = x.template data<T>().data(), *py = y.template data<T>().data(), *dy = grad.data<T>().data();
      T* to = dx.template mutable_data<T>().data();
      parallel(y.numel(), grain, [&](int, int64_t begin, int64_t end) {
        for (int64_t o = begin; o < end; ++o) {
          const std::span<const T> values(px + static_cast<size_t>(o) * n, n);
          for (size_t i = 0; i < n; ++i) to[static_cast<size_t>(o) * n + i] = dy[o] * row.derivative(values, py[o], i);
        }
      });
      return std::vector<Tensor>{std::move(dx)};
    };
    return Var::made(std::move(y), {rows}, std::move(vjp));
  });
}

/// Neighbours that are walked as one joined; appends to the arguments' axes and returns how many there are now.
int32_t join_axes(kernels::ReduceArgs& a, int32_t first, const View& axes) {
  int32_t count = first;
  for (size_t i = 0; i < axes.shape.size(); ++i) {
    if (axes.shape[i] == 1) continue;
    const auto n = static_cast<int32_t>(axes.shape[i]), stride = static_cast<int32_t>(axes.strides[i]);
    if (count > first && a.stride[count - 1] == axes.strides[i] * axes.shape[i])
      a.shape[count - 1] *= n;
    else
      a.shape[count++] = n;
    a.stride[count - 1] = stride;
  }
  if (count == first) a.shape[count] = 1, a.stride[count++] = 1;
  return count;
}

}  // namespace

Traits Reduce::traits() const {
  const bool known = static_cast<size_t>(fn) < kEnumNames<ReduceFn>.size();  // or shapes() refuses it
  const bool int8 = known && with_row(kReduceRows, fn, [](const auto& row) { return row.kind.has_value(); });
  const bool selects = fn == ReduceFn::max || fn == ReduceFn::min;
  return {.codes = !int8                  ? Codes::none
                   : selects              ? Codes::keep
                   : fn == ReduceFn::mean ? Codes::either
                                          : Codes::own,
          .channels = Channels::mixes,
          .part = Part::other,
          .selects = selects};
}

std::vector<Shape> Reduce::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  check(static_cast<size_t>(fn) < kEnumNames<ReduceFn>.size(), call.path, ": unknown reduction ", static_cast<int>(fn));
  const Shape& x = call.inputs[0];
  check(x.size() <= 6, call.path, ": shape ", to_string(x), " has more than six axes");
  for (size_t i = 0; i < axes.size(); ++i) {
    check(axes[i] >= 0 && axes[i] < static_cast<int64_t>(x.size()), call.path, ": axis ", axes[i], " of shape ", to_string(x));
    check(std::ranges::count(axes, axes[i]) == 1, call.path, ": axis ", axes[i], " is named twice");
  }
  Shape y;
  int64_t cells = 1;
  const Axes split = axes_of(*this, x.size());
  for (const size_t i : split.reduced) cells *= x[i];
  check(cells > 0, call.path, ": no elements along the axes of shape ", to_string(x));
  for (size_t i = 0; i < x.size(); ++i) {
    const bool kept = std::ranges::find(split.kept, i) != split.kept.end();
    if (kept || keepdims) y.push_back(kept ? x[i] : 1);
  }
  return {y};
}

std::vector<Var> Reduce::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  const Shape to = shapes({call.path, std::vector<Shape>{x.shape()}})[0];
  const Var rows = shown(x, rows_view(x.shape(), axes_of(*this, x.shape().size())));
  return {with_row(kReduceRows, fn, [&](const auto& row) { return applied(row, rows, to); })};
}

kernels::ReduceArgs reduce_args(const LowerCall& call, kernels::ReduceKind kind, const View& kept, const View& reduced) {
  const QParams &qx = call.inputs[0], &qy = *call.output;
  const bool mean = kind == kernels::ReduceKind::mean, sums = mean || kind == kernels::ReduceKind::sum;
  const int64_t cells = numel(reduced.shape);
  // Differences from the zero point summed in int32.
  check(!sums || cells <= (has_wide_codes(qx) ? kernels::kMostSummed16 : ((int64_t{1} << 31) - 1) / 256), call.path,
        ": the sum of ", cells, " cells can exceed 32 bits; reduce in two steps");
  kernels::ReduceArgs a{};
  a.kind = kind;
  a.kept = join_axes(a, 0, kept);
  a.reduced = join_axes(a, a.kept, reduced) - a.kept;
  a.input_zero_point = qx.zero_point[0];
  a.input_type = code_type(qx), a.output_type = code_type(qy);
  a.rounding = call.rounding;
  a.output = output_args(qy, Activation::none, call.rounding, false);
  const float sx = qx.scale[0], sy = qy.scale[0], n = mean ? static_cast<float>(cells) : 1;
  a.scale = call.rounding == Rounding::int_bias ? sx / (sy * n) : sx / n;
  check(std::isnormal(a.scale), call.path, ": scales ", sx, " and ", sy, " over ", cells, " cells give ", a.scale);
  FixedMultiplier m = quantize_multiplier(static_cast<double>(sx) / static_cast<double>(sy));
  if (mean) {  // TensorFlow Lite: divided with as many bits more as its shift has room for
    const int bits = std::min({static_cast<int>(std::bit_width(static_cast<uint64_t>(cells))) - 1, 32, 31 + m.shift});
    m.multiplier = static_cast<int32_t>((int64_t{m.multiplier} << bits) / cells);
    m.shift -= bits;
  }
  a.multiplier = m.multiplier, a.shift = m.shift;
  return a;
}

Lowered Reduce::lower(const LowerCall& call) const {
  const Shape& x = call.input_shapes[0];
  const auto kind = with_row(kReduceRows, fn, [](const auto& row) { return row.kind; });
  check(kind.has_value(), call.path, ": ", kEnumNames<ReduceFn>[static_cast<size_t>(fn)], " has no int8 form");
  const Axes axes = axes_of(*this, x.size());
  return {{{reduce_args(call, *kind, view_of(x, axes.kept), view_of(x, axes.reduced))}}};
}

}  // namespace octet
