// SPDX-License-Identifier: Apache-2.0
// ResizeLinear: two neighbours along each axis and what they weigh, which a table has for every output row and column.
#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/ops/functional.h"
#include "engine/ops/resize.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

/// Between which elements of an axis an output element lies; the weights' sum is 1.
struct Neighbours {
  int64_t low, high;
  float low_weight, high_weight;
};

/// PyTorch's places in float32, moved into the axis.
std::vector<Neighbours> neighbours_of(int64_t in, int64_t out, Coordinates coordinates) {
  const bool corners = coordinates == Coordinates::align_corners;
  const float scale = !corners  ? static_cast<float>(in) / static_cast<float>(out)
                      : out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                                : 0;
  std::vector<Neighbours> all;
  for (int64_t i = 0; i < out; ++i) {
    const float place =
        coordinates == Coordinates::half_pixel ? scale * (static_cast<float>(i) + 0.5F) - 0.5F : scale * static_cast<float>(i);
    const float inside = std::clamp(place, 0.0F, static_cast<float>(in - 1));
    const auto low = std::min(static_cast<int64_t>(inside), in - 1);
    const float weight = inside - static_cast<float>(low);
    all.push_back({low, std::min(low + 1, in - 1), 1 - weight, weight});
  }
  return all;
}

/// TensorFlow Lite's, in units of 1/1024 (ComputeInterpolationValuesInteger).
struct FixedNeighbours {
  int32_t low, high, low_weight, high_weight;
};
std::vector<FixedNeighbours> fixed_neighbours_of(int64_t in, int64_t out, Coordinates coordinates) {
  constexpr int64_t kOne = 1 << 10;
  const bool corners = coordinates == Coordinates::align_corners && out > 1;
  const int64_t scale = corners ? (kOne * (in - 1) + (out - 1) / 2) / (out - 1) : (kOne * in + out / 2) / out;
  std::vector<FixedNeighbours> all;
  for (int64_t i = 0; i < out; ++i) {
    const int64_t place = coordinates == Coordinates::half_pixel ? i * scale + scale / 2 - kOne / 2 : i * scale;
    const int64_t low = std::clamp<int64_t>(place / kOne, 0, in - 1),
                  high = std::clamp<int64_t>((place + kOne - 1) / kOne, 0, in - 1);
    const int64_t weight = low == high ? 0 : place - low * kOne;
    all.push_back(
        {static_cast<int32_t>(low), static_cast<int32_t>(high), static_cast<int32_t>(kOne - weight), static_cast<int32_t>(weight)});
  }
  return all;
}

struct Picture {
  int64_t batch, in_h, in_w, out_h, out_w, channels;
};
Picture picture(const ResizeLinear& op, const Shape& x) { return {x[0], x[1], x[2], op.size.h, op.size.w, x[3]}; }

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

}  // namespace

std::vector<Shape> ResizeLinear::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  const Shape& x = call.inputs[0];
  constexpr int64_t kLongest = 1 << 20;
  check(x.size() == 4 && x[1] > 0 && x[2] > 0, call.path, ": expected N,H,W,C, got shape ", to_string(x));
  check(size.h > 0 && size.w > 0 && size.h < kLongest && size.w < kLongest && x[1] < kLongest && x[2] < kLongest, call.path, ": ",
        x[1], "x", x[2], " resized to ", size.h, "x", size.w);
  check(coordinates <= Coordinates::align_corners, call.path, ": unknown kind of resizing");
  return {{x[0], size.h, size.w, x[3]}};
}

std::vector<Var> ResizeLinear::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  const Picture p = picture(*this, x.shape());
  const std::vector<Neighbours> rows = neighbours_of(p.in_h, p.out_h, coordinates),
                                columns = neighbours_of(p.in_w, p.out_w, coordinates);
  return {dispatch_float(x.dtype(), call.path, [&]<class T>() {
    Tensor y({p.batch, p.out_h, p.out_w, p.channels}, x.dtype());
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
  })};
}

Lowered ResizeLinear::lower(const LowerCall& call) const {
  const Picture p = picture(*this, call.input_shapes[0]);
  kernels::ResizeArgs a{};
  a.batch = static_cast<int32_t>(p.batch), a.in_h = static_cast<int32_t>(p.in_h), a.in_w = static_cast<int32_t>(p.in_w);
  a.channels = static_cast<int32_t>(p.channels), a.out_h = static_cast<int32_t>(p.out_h), a.out_w = static_cast<int32_t>(p.out_w);
  a.zero_point = call.inputs[0].zero_point[0];
  a.type = code_type(call.inputs[0]);
  a.rounding = call.rounding;
  std::vector<int32_t> table;
  for (const auto& [in, out] : {std::pair(p.in_h, p.out_h), {p.in_w, p.out_w}})
    if (call.rounding == Rounding::fixed_double || call.rounding == Rounding::fixed_single)
      for (const FixedNeighbours& t : fixed_neighbours_of(in, out, coordinates))
        table.insert(table.end(), {t.low, t.high, t.low_weight, t.high_weight});
    else
      for (const Neighbours& t : neighbours_of(in, out, coordinates))
        table.insert(table.end(), {static_cast<int32_t>(t.low), static_cast<int32_t>(t.high), std::bit_cast<int32_t>(t.low_weight),
                                   std::bit_cast<int32_t>(t.high_weight)});
  return {{{.args = a, .blobs = integer_table(table)}}};
}

}  // namespace octet
