// SPDX-License-Identifier: Apache-2.0
// ResizeLinear: two neighbours along each axis and what they weigh, which a table has for every output row and column. What
// tf_crop_and_resize reads beyond the picture is filled in by a pick of what was interpolated.
#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/ops/functional.h"
#include "engine/ops/resize_places.h"
#include "engine/ops/wide.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

/// Between which elements of an axis an output element lies; the weights' sum is 1.
struct Neighbours {
  int64_t low, high;
  float low_weight, high_weight;
};

/// The place moved into the axis.
float inside(const ResizedAxis& axis, int64_t i) {
  return std::clamp(axis.place(i).value(), 0.0F, static_cast<float>(axis.in - 1));
}

Neighbours neighbours(const ResizedAxis& axis, int64_t i) {
  const float place = inside(axis, i);
  const auto low = std::min(static_cast<int64_t>(place), axis.in - 1);
  const float weight = place - static_cast<float>(low);
  return {low, std::min(low + 1, axis.in - 1), 1 - weight, weight};
}

/// The same in units of 1/1024: TensorFlow Lite's places where it has some (ComputeInterpolationValuesInteger), else the nearest to
/// those in float32.
struct FixedNeighbours {
  int32_t low, high, low_weight, high_weight;
};
FixedNeighbours fixed_neighbours(const ResizedAxis& axis, int64_t i) {
  constexpr int64_t kOne = 1 << 10;
  const int64_t in = axis.in, out = axis.out;
  const bool corners = axis.coordinates == Coordinates::align_corners && out > 1;
  int64_t place = std::lround(inside(axis, i) * static_cast<float>(kOne));
  if (axis.scale == 0 && axis.coordinates <= Coordinates::align_corners) {
    const int64_t step = corners ? (kOne * (in - 1) + (out - 1) / 2) / (out - 1) : (kOne * in + out / 2) / out;
    place = axis.coordinates == Coordinates::half_pixel ? i * step + step / 2 - kOne / 2 : i * step;
  }
  const int64_t low = std::clamp<int64_t>(place / kOne, 0, in - 1),
                high = std::clamp<int64_t>((place + kOne - 1) / kOne, 0, in - 1);
  const int64_t weight = low == high ? 0 : place - low * kOne;
  return {static_cast<int32_t>(low), static_cast<int32_t>(high), static_cast<int32_t>(kOne - weight), static_cast<int32_t>(weight)};
}

/// The elements of an axis that are interpolated, and which of them, or -1, each output element is. At least one: no picture is
/// empty.
struct Interpolated {
  std::vector<int64_t> elements, places;

  explicit Interpolated(const ResizedAxis& axis) {
    for (int64_t i = 0; i < axis.out; ++i) {
      const bool outside = axis.outside(axis.place(i));
      places.push_back(outside ? -1 : static_cast<int64_t>(elements.size()));
      if (!outside) elements.push_back(i);
    }
    if (elements.empty()) elements.push_back(0);
  }
  bool all() const { return std::ranges::count(places, -1) == 0; }
};

constexpr int64_t kLongest = 1 << 20;

ResizedAxes axes_of(const ResizeLinear& op, const Shape& x, std::string_view path) {
  const ResizedAxes axes = resized_axes(op.resizing(), x, path, kLongest);
  check(x[1] < kLongest && x[2] < kLongest, path, ": ", x[1], "x", x[2], " resized to ", axes.rows.out, "x", axes.columns.out);
  return axes;
}

/// What is interpolated of a picture, and what the rest is.
struct Picture {
  ResizedAxes axes;
  Interpolated rows, columns;
  int64_t batch, channels, in_h, in_w, out_h, out_w;

  Picture(const ResizeLinear& op, const Shape& x, std::string_view path)
      : axes(axes_of(op, x, path)),
        rows(axes.rows),
        columns(axes.columns),
        batch(x[0]),
        channels(x[3]),
        in_h(x[1]),
        in_w(x[2]),
        out_h(static_cast<int64_t>(rows.elements.size())),
        out_w(static_cast<int64_t>(columns.elements.size())) {}
  Shape interpolated() const { return {batch, out_h, out_w, channels}; }
  bool fills() const { return !rows.all() || !columns.all(); }
  /// Of what was interpolated.
  Pick filled(double value) const { return {{all_of(batch), rows.places, columns.places, all_of(channels)}, value}; }
};

std::vector<Neighbours> all_neighbours(const ResizedAxis& axis, const Interpolated& chosen) {
  std::vector<Neighbours> all;
  for (const int64_t i : chosen.elements) all.push_back(neighbours(axis, i));
  return all;
}

template <class T>
void resize(const Picture& p, const std::vector<Neighbours>& rows, const std::vector<Neighbours>& columns, const T* x, T* y) {
  const int64_t line = p.in_w * p.channels;
  parallel(p.batch * p.out_h, 1 + 16384 / (p.out_w * p.channels + 1), [&](int, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const Neighbours& v = rows[static_cast<size_t>(unit % p.out_h)];
      const T* image = x + unit / p.out_h * p.in_h * line;
      T* to = y + unit * p.out_w * p.channels;
      for (const Neighbours& h : columns) {
        const T *a = image + v.low * line + h.low * p.channels, *b = image + v.low * line + h.high * p.channels;
        const T *c = image + v.high * line + h.low * p.channels, *d = image + v.high * line + h.high * p.channels;
        for (int64_t i = 0; i < p.channels; ++i)
          *to++ = T(v.low_weight) * (T(h.low_weight) * a[i] + T(h.high_weight) * b[i]) +
                  T(v.high_weight) * (T(h.low_weight) * c[i] + T(h.high_weight) * d[i]);
      }
    }
  });
}

Var resized(const Var& x, const Picture& p, std::string_view path) {
  const std::vector<Neighbours> rows = all_neighbours(p.axes.rows, p.rows), columns = all_neighbours(p.axes.columns, p.columns);
  return dispatch_float(x.dtype(), path, [&]<class T>() {
    Tensor y(p.interpolated(), x.dtype());
    resize(p, rows, columns, x.value().data<T>().data(), y.mutable_data<T>().data());
    auto vjp = [p, rows, columns, shape = x.shape()](const Tensor& grad, const Needs&) {
      Tensor dx = Tensor::zeros(shape, grad.dtype());
      const T* from = grad.data<T>().data();
      T* to = dx.template mutable_data<T>().data();
      for (int64_t n = 0; n < p.batch; ++n, to += p.in_h * p.in_w * p.channels)
        for (const Neighbours& v : rows)
          for (const Neighbours& h : columns)
            for (int64_t i = 0; i < p.channels; ++i, ++from) {
              const auto add = [&](int64_t row, int64_t column, float weight) {
                to[(row * p.in_w + column) * p.channels + i] += T(weight) * *from;
              };
              add(v.low, h.low, v.low_weight * h.low_weight), add(v.low, h.high, v.low_weight * h.high_weight);
              add(v.high, h.low, v.high_weight * h.low_weight), add(v.high, h.high, v.high_weight * h.high_weight);
            }
      return std::vector<Tensor>{std::move(dx)};
    };
    return Var::made(std::move(y), {x}, std::move(vjp));
  });
}

/// The kernel on codes of the input's meaning.
LoweredCall resize_call(const Picture& p, const LowerCall& call) {
  kernels::ResizeArgs a{};
  a.batch = static_cast<int32_t>(p.batch), a.in_h = static_cast<int32_t>(p.in_h), a.in_w = static_cast<int32_t>(p.in_w);
  a.channels = static_cast<int32_t>(p.channels), a.out_h = static_cast<int32_t>(p.out_h), a.out_w = static_cast<int32_t>(p.out_w);
  a.zero_point = call.inputs[0].zero_point[0];
  a.type = code_type(call.inputs[0]);
  a.rounding = call.rounding;
  std::vector<int32_t> table;
  for (const auto& [axis, chosen] : {std::pair(&p.axes.rows, &p.rows), {&p.axes.columns, &p.columns}})
    for (const int64_t i : chosen->elements)
      if (call.rounding == Rounding::fixed_double || call.rounding == Rounding::fixed_single) {
        const FixedNeighbours t = fixed_neighbours(*axis, i);
        table.insert(table.end(), {t.low, t.high, t.low_weight, t.high_weight});
      } else {
        const Neighbours t = neighbours(*axis, i);
        table.insert(table.end(), {static_cast<int32_t>(t.low), static_cast<int32_t>(t.high), std::bit_cast<int32_t>(t.low_weight),
                                   std::bit_cast<int32_t>(t.high_weight)});
      }
  return {.args = a, .blobs = integer_table(table)};
}

}  // namespace

std::vector<Shape> ResizeLinear::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  return {axes_of(*this, call.inputs[0], call.path).output(call.inputs[0])};
}

std::vector<Var> ResizeLinear::forward(const Call& call) const {
  const Picture p(*this, call.inputs[0].shape(), call.path);
  const Var y = resized(call.inputs[0], p, call.path);
  return {p.fills() ? picked(y, p.filled(extrapolation.value_or(0))) : y};
}

Lowered ResizeLinear::lower(const LowerCall& call) const {
  const Picture p(*this, call.input_shapes[0], call.path);
  Lowered lowered{{resize_call(p, call)}};
  if (!p.fills() && call.inputs[0] == *call.output) return lowered;
  // What was interpolated becomes codes of the output's meaning, among the constant.
  const Shape shape = p.interpolated();
  LowerCall fill = call;
  fill.input_shapes = {&shape, 1};
  Lowered rest = lower_rescaled_pick(fill, p.filled(extrapolation.value_or(0)));
  lowered.calls[0].outputs = {Operand::temporary(0)};
  lowered.temporaries = {numel(shape) * code_size(call.inputs[0])};
  const auto behind = [](Operand o) {
    return o.of == Operand::Of::input       ? Operand::temporary(0)
           : o.of == Operand::Of::temporary ? Operand::temporary(o.index + 1, o.offset)
                                            : o;
  };
  for (LoweredCall& c : rest.calls) {
    std::ranges::transform(c.inputs, c.inputs.begin(), behind);
    std::ranges::transform(c.outputs, c.outputs.begin(), behind);
    lowered.calls.push_back(std::move(c));
  }
  lowered.temporaries.insert(lowered.temporaries.end(), rest.temporaries.begin(), rest.temporaries.end());
  return lowered;
}

}  // namespace octet
