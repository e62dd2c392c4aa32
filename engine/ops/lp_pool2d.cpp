// SPDX-License-Identifier: Apache-2.0
// LpPool2d: norms of windows. Sums in binary64, padding counts as zero.
#include <algorithm>
#include <cmath>

#include "engine/ops/functional.h"

namespace octet {
namespace {

PoolGeometry windows(const LpPool2d& op, const Shape& x, std::string_view path) {
  check(op.p > 0 && std::isfinite(op.p), path, ": the norm of power ", op.p);
  return geometry(
      Pool2d{.kind = Pool::average, .kernel = op.kernel, .stride = op.stride, .padding = op.padding, .ceil_mode = op.ceil_mode}, x,
      path);
}

/// f(first channel of an input element) for every element of the picture under output element (n, y, x).
template <class F>
void under_window(const PoolGeometry& g, int64_t n, int64_t y, int64_t x, const F& f) {
  const Window rows = pool_window(y, g.in_h, g.out_h, g.kernel_h, g.stride_h, g.pad_top, g.pad_bottom, false, false);
  const Window columns = pool_window(x, g.in_w, g.out_w, g.kernel_w, g.stride_w, g.pad_left, g.pad_right, false, false);
  for (int64_t h = rows.begin; h < rows.end; ++h)
    for (int64_t w = columns.begin; w < columns.end; ++w) f(((n * g.in_h + h) * g.in_w + w) * g.channels);
}

/// f(n, y, x, first channel of the output element).
template <class F>
void each_window(const PoolGeometry& g, const F& f) {
  for (int64_t n = 0, at = 0; n < g.batch; ++n)
    for (int64_t y = 0; y < g.out_h; ++y)
      for (int64_t x = 0; x < g.out_w; ++x, at += g.channels) f(n, y, x, at);
}

}  // namespace

std::vector<Shape> LpPool2d::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  const PoolGeometry g = windows(*this, call.inputs[0], call.path);
  return {like(call.inputs[0], {g.batch, g.out_h, g.out_w, g.channels})};
}

std::vector<Var> LpPool2d::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  const PoolGeometry g = windows(*this, x.shape(), call.path);
  return {dispatch_float(x.dtype(), call.path, [&]<class T>() {
    Tensor y(like(x.shape(), {g.batch, g.out_h, g.out_w, g.channels}), x.dtype());
    const T* from = x.value().data<T>().data();
    T* to = y.mutable_data<T>().data();
    std::vector<double> sum(static_cast<size_t>(g.channels)), largest(sum.size());
    each_window(g, [&](int64_t n, int64_t row, int64_t column, int64_t at) {
      const auto each_value = [&](const auto& f) {
        under_window(g, n, row, column, [&](int64_t first) {
          for (size_t c = 0; c < sum.size(); ++c) f(c, std::abs(static_cast<double>(from[static_cast<size_t>(first) + c])));
        });
      };
      std::ranges::fill(sum, 0.0), std::ranges::fill(largest, 0.0);
      // In units of the window's largest: a power of a large p leaves binary64.
      each_value([&](size_t c, double v) { largest[c] = v > largest[c] || v != v ? v : largest[c]; });
      each_value(
          [&](size_t c, double v) { sum[c] += largest[c] > 0 && std::isfinite(largest[c]) ? std::pow(v / largest[c], p) : v; });
      for (size_t c = 0; c < sum.size(); ++c) {
        const bool scaled = largest[c] > 0 && std::isfinite(largest[c]);
        to[static_cast<size_t>(at) + c] = static_cast<T>(scaled ? largest[c] * std::pow(sum[c], 1 / p) : sum[c]);
      }
    });
    // d|x|_p / dx = sign(x) |x / y|^(p - 1); nothing where the norm is zero.
    auto vjp = [g, p = p, x = x.value(), y](const Tensor& grad, const Needs&) {
      Tensor dx = Tensor::zeros(x.shape(), x.dtype());
      const T *px = x.template data<T>().data(), *py = y.template data<T>().data(), *dy = grad.data<T>().data();
      T* d = dx.template mutable_data<T>().data();
      each_window(g, [&](int64_t n, int64_t row, int64_t column, int64_t at) {
        under_window(g, n, row, column, [&](int64_t first) {
          for (int64_t c = 0; c < g.channels; ++c) {
            const T value = px[first + c], norm = py[at + c];
            if (norm > 0 && value != 0)
              d[first + c] += dy[at + c] * std::copysign(std::pow(std::abs(value) / norm, static_cast<T>(p - 1)), value);
          }
        });
      });
      return std::vector<Tensor>{std::move(dx)};
    };
    return Var::made(std::move(y), {x}, std::move(vjp));
  })};
}

}  // namespace octet
