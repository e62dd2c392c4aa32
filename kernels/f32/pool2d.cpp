// SPDX-License-Identifier: Apache-2.0
// Max and average pooling and their gradients, vectorized over channels. Forward passes are cut by output rows; gradients by image
// and 64 channels, because windows may overlap.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {
namespace {

constexpr float kInfinity = __builtin_inff();
constexpr int64_t kGradientChannels = 64;
// A float sum of equal numbers stops growing at 2^24 of them; windows above this size are summed in parts.
constexpr int64_t kCellsAtOnce = 1 << 16;

Window rows_of(const PoolGeometry& g, int64_t oh) {
  return pool_window(oh, g.in_h, g.out_h, g.kernel_h, g.stride_h, g.pad_top, g.pad_bottom, g.adaptive, g.count_include_pad);
}
Window columns_of(const PoolGeometry& g, int64_t ow) {
  return pool_window(ow, g.in_w, g.out_w, g.kernel_w, g.stride_w, g.pad_left, g.pad_right, g.adaptive, g.count_include_pad);
}

/// f(image of x, h, w, output position) for every output row of every image.
template <class F>
void for_outputs(const PoolGeometry& g, const F& f) {
  const int64_t work = g.channels * max_of(g.out_w, g.in_h * g.in_w / max_of(1, g.out_h));
  parallel(g.batch * g.out_h, row_grain(work), [&](int, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const Window h = rows_of(g, row % g.out_h);
      for (int64_t ow = 0; ow < g.out_w; ++ow)
        f(row / g.out_h * g.in_h * g.in_w * g.channels, h, columns_of(g, ow), (row * g.out_w + ow) * g.channels);
    }
  });
}

void pool2d_max(const PoolGeometry& g, const float* x, float* y) {
  for_outputs(g, [&](int64_t image, Window h, Window w, int64_t to) {
    for_strips<4>(0, g.channels, [&]<int L, int V>(int64_t c) {
      Vec<L> best[V];
      for (int v = 0; v < V; ++v) best[v] = splat<L>(-kInfinity);
      for (int64_t ih = h.begin; ih < h.end; ++ih)
        for (int64_t iw = w.begin; iw < w.end; ++iw)
          for (int v = 0; v < V; ++v) {
            const Vec<L> e = load<L>(x + image + (ih * g.in_w + iw) * g.channels + c + v * L);
            best[v] = ((e > best[v]) | (e != e)) ? e : best[v];
          }
      for (int v = 0; v < V; ++v) store<L>(y + to + c + v * L, best[v]);
    });
  });
}

void pool2d_average(const PoolGeometry& g, const float* x, float* y) {
  for_outputs(g, [&](int64_t image, Window h, Window w, int64_t to) {
    const float divisor = static_cast<float>(h.divisor * w.divisor);
    for_strips<4>(0, g.channels, [&]<int L, int V>(int64_t c) {
      Vec<L> total[V] = {}, sum[V] = {};
      int64_t summed = 0;
      for (int64_t ih = h.begin; ih < h.end; ++ih)
        for (int64_t iw = w.begin; iw < w.end; ++iw) {
          for (int v = 0; v < V; ++v) sum[v] += load<L>(x + image + (ih * g.in_w + iw) * g.channels + c + v * L);
          if (++summed % kCellsAtOnce == 0)
            for (int v = 0; v < V; ++v) total[v] += sum[v], sum[v] = Vec<L>{};
        }
      for (int v = 0; v < V; ++v) store<L>(y + to + c + v * L, (total[v] + sum[v]) / divisor);
    });
  });
}

/// f(first channel, channels' end, image of x, image of dy) with dx of these channels zeroed.
template <class F>
void for_gradients(const PoolGeometry& g, float* dx, const F& f) {
  const int64_t parts = (g.channels + kGradientChannels - 1) / kGradientChannels, pixels = g.in_h * g.in_w;
  parallel(g.batch * parts, row_grain(pixels * min_of(g.channels, kGradientChannels)), [&](int, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t n = unit / parts, c0 = unit % parts * kGradientChannels, c1 = min_of(g.channels, c0 + kGradientChannels);
      const int64_t image = n * pixels * g.channels;
      for (int64_t p = 0; p < pixels; ++p)
        for (int64_t c = c0; c < c1; ++c) dx[image + p * g.channels + c] = 0;
      for (int64_t oh = 0; oh < g.out_h; ++oh) {
        const Window h = rows_of(g, oh);
        for (int64_t ow = 0; ow < g.out_w; ++ow)
          f(c0, c1, image, h, columns_of(g, ow), ((n * g.out_h + oh) * g.out_w + ow) * g.channels);
      }
    }
  });
}

/// The gradient goes to the element that won: the first of equal ones, the last NaN.
void pool2d_max_grad(const PoolGeometry& g, const float* x, const float* dy, float* dx) {
  for_gradients(g, dx, [&](int64_t c0, int64_t c1, int64_t image, Window h, Window w, int64_t from) {
    for_strips<1>(c0, c1, [&]<int L, int>(int64_t c) {
      Vec<L> best = splat<L>(-kInfinity);
      IntVec<L> winner = IntVec<L>{} - 1;
      for (int64_t ih = h.begin; ih < h.end; ++ih)
        for (int64_t iw = w.begin; iw < w.end; ++iw) {
          const auto at = static_cast<int32_t>(ih * g.in_w + iw);
          const Vec<L> e = load<L>(x + image + at * g.channels + c);
          const IntVec<L> wins = (e > best) | (e != e) | (winner < 0);
          best = wins ? e : best;
          winner = wins ? IntVec<L>{} + at : winner;
        }
      const Vec<L> d = load<L>(dy + from + c);
      for (int64_t ih = h.begin; ih < h.end; ++ih)
        for (int64_t iw = w.begin; iw < w.end; ++iw) {
          const auto at = static_cast<int32_t>(ih * g.in_w + iw);
          float* to = dx + image + at * g.channels + c;
          store<L>(to, load<L>(to) + (winner == at ? d : Vec<L>{}));
        }
    });
  });
}

void pool2d_average_grad(const PoolGeometry& g, const float* dy, float* dx) {
  for_gradients(g, dx, [&](int64_t c0, int64_t c1, int64_t image, Window h, Window w, int64_t from) {
    const float divisor = static_cast<float>(h.divisor * w.divisor);
    for_strips<1>(c0, c1, [&]<int L, int>(int64_t c) {
      const Vec<L> d = load<L>(dy + from + c) / divisor;
      for (int64_t ih = h.begin; ih < h.end; ++ih)
        for (int64_t iw = w.begin; iw < w.end; ++iw) {
          float* to = dx + image + (ih * g.in_w + iw) * g.channels + c;
          store<L>(to, load<L>(to) + d);
        }
    });
  });
}

}  // namespace

void fill_pool2d(Table& t) {
  t.pool2d_max = pool2d_max;
  t.pool2d_max_grad = pool2d_max_grad;
  t.pool2d_average = pool2d_average;
  t.pool2d_average_grad = pool2d_average_grad;
}

}  // namespace octet::f32::OCTET_ISA
