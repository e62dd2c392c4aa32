// SPDX-License-Identifier: Apache-2.0
// Max and average pooling and their gradients as plain loops over any floating-point type.
#pragma once

#include <limits>

#include "kernels/geometry.h"

namespace octet::naive {

/// f(window rows, window columns, index of channel c at (0,0) of the image, output index) for every output element.
template <class F>
void for_windows(const PoolGeometry& g, const F& f) {
  for (int64_t n = 0; n < g.batch; ++n)
    for (int64_t oh = 0; oh < g.out_h; ++oh)
      for (int64_t ow = 0; ow < g.out_w; ++ow)
        for (int64_t c = 0; c < g.channels; ++c)
          f(pool_window(oh, g.in_h, g.out_h, g.kernel_h, g.stride_h, g.pad_top, g.pad_bottom, g.adaptive, g.count_include_pad),
            pool_window(ow, g.in_w, g.out_w, g.kernel_w, g.stride_w, g.pad_left, g.pad_right, g.adaptive, g.count_include_pad),
            n * g.in_h * g.in_w * g.channels + c, ((n * g.out_h + oh) * g.out_w + ow) * g.channels + c);
}

/// Index of the largest element under a window: the first of equal ones, the last NaN.
template <class T>
int64_t winner(const PoolGeometry& g, const T* x, Window h, Window w, int64_t base) {
  int64_t best = -1;
  for (int64_t ih = h.begin; ih < h.end; ++ih)
    for (int64_t iw = w.begin; iw < w.end; ++iw) {
      const int64_t at = base + (ih * g.in_w + iw) * g.channels;
      if (best < 0 || x[at] > x[best] || x[at] != x[at]) best = at;
    }
  return best;
}

template <class T>
void pool2d_max(const PoolGeometry& g, const T* x, T* y) {
  for_windows(g, [&](Window h, Window w, int64_t base, int64_t to) {
    const int64_t best = winner(g, x, h, w, base);
    y[to] = best < 0 ? -std::numeric_limits<T>::infinity() : x[best];
  });
}

template <class T>
void pool2d_max_grad(const PoolGeometry& g, const T* x, const T* dy, T* dx) {
  for (int64_t i = 0; i < g.batch * g.in_h * g.in_w * g.channels; ++i) dx[i] = T(0);
  for_windows(g, [&](Window h, Window w, int64_t base, int64_t from) {
    const int64_t best = winner(g, x, h, w, base);
    if (best >= 0) dx[best] += dy[from];
  });
}

template <class T>
void pool2d_average(const PoolGeometry& g, const T* x, T* y) {
  for_windows(g, [&](Window h, Window w, int64_t base, int64_t to) {
    T sum = 0;
    for (int64_t ih = h.begin; ih < h.end; ++ih)
      for (int64_t iw = w.begin; iw < w.end; ++iw) sum += x[base + (ih * g.in_w + iw) * g.channels];
    y[to] = sum / static_cast<T>(h.divisor * w.divisor);
  });
}

template <class T>
void pool2d_average_grad(const PoolGeometry& g, const T* dy, T* dx) {
  for (int64_t i = 0; i < g.batch * g.in_h * g.in_w * g.channels; ++i) dx[i] = T(0);
  for_windows(g, [&](Window h, Window w, int64_t base, int64_t from) {
    for (int64_t ih = h.begin; ih < h.end; ++ih)
      for (int64_t iw = w.begin; iw < w.end; ++iw)
        dx[base + (ih * g.in_w + iw) * g.channels] += dy[from] / static_cast<T>(h.divisor * w.divisor);
  });
}

}  // namespace octet::naive
