// SPDX-License-Identifier: Apache-2.0
// Matrix product, convolution and its gradients as plain loops over any floating-point type.
#pragma once

#include <type_traits>

#include "kernels/f32/f32.h"

namespace octet::naive {

template <class T>
void matmul(const f32::Matmul& g, const T* a, const T* b, const std::type_identity_t<T>* bias, T* c) {
  for (int64_t i = 0; i < g.m; ++i)
    for (int64_t j = 0; j < g.n; ++j) {
      T sum = g.accumulate ? c[i * g.n + j] : bias ? bias[j] : T(0);
      for (int64_t k = 0; k < g.k; ++k)
        sum += (g.transpose_a ? a[k * g.m + i] : a[i * g.k + k]) * (g.transpose_b ? b[j * g.k + k] : b[k * g.n + j]);
      c[i * g.n + j] = sum;
    }
}

/// f(input index, weight index, output index) for every multiplication of a convolution, output by output.
template <class F>
void for_products(const ConvGeometry& g, const F& f) {
  const int64_t inputs = g.in_c / g.groups, outputs = g.out_c / g.groups;
  for (int64_t n = 0; n < g.batch; ++n)
    for (int64_t oh = 0; oh < g.out_h; ++oh)
      for (int64_t ow = 0; ow < g.out_w; ++ow)
        for (int64_t o = 0; o < g.out_c; ++o)
          for (int64_t kh = 0; kh < g.kernel_h; ++kh)
            for (int64_t kw = 0; kw < g.kernel_w; ++kw) {
              const int64_t ih = oh * g.stride_h - g.pad_top + kh * g.dilation_h;
              const int64_t iw = ow * g.stride_w - g.pad_left + kw * g.dilation_w;
              if (ih < 0 || ih >= g.in_h || iw < 0 || iw >= g.in_w) continue;
              const int64_t x = ((n * g.in_h + ih) * g.in_w + iw) * g.in_c + o / outputs * inputs;
              const int64_t w = ((o * g.kernel_h + kh) * g.kernel_w + kw) * inputs;
              for (int64_t i = 0; i < inputs; ++i) f(x + i, w + i, ((n * g.out_h + oh) * g.out_w + ow) * g.out_c + o);
            }
}

template <class T>
void conv2d(const ConvGeometry& g, const T* x, const T* w, const std::type_identity_t<T>* bias, std::type_identity_t<T> act_min,
            std::type_identity_t<T> act_max, T* y) {
  const int64_t size = g.batch * g.out_h * g.out_w * g.out_c;
  for (int64_t i = 0; i < size; ++i) y[i] = bias ? bias[i % g.out_c] : T(0);
  for_products(g, [&](int64_t xi, int64_t wi, int64_t yi) { y[yi] += x[xi] * w[wi]; });
  for (int64_t i = 0; i < size; ++i) y[i] = y[i] < act_min ? act_min : y[i] > act_max ? act_max : y[i];
}

template <class T>
void conv2d_grad_input(const ConvGeometry& g, const T* dy, const T* w, T* dx) {
  for (int64_t i = 0; i < g.batch * g.in_h * g.in_w * g.in_c; ++i) dx[i] = T(0);
  for_products(g, [&](int64_t xi, int64_t wi, int64_t yi) { dx[xi] += dy[yi] * w[wi]; });
}

template <class T>
void conv2d_grad_weight(const ConvGeometry& g, const T* x, const T* dy, T* dw) {
  for (int64_t i = 0; i < g.out_c * g.kernel_h * g.kernel_w * (g.in_c / g.groups); ++i) dw[i] = T(0);
  for_products(g, [&](int64_t xi, int64_t wi, int64_t yi) { dw[wi] += dy[yi] * x[xi]; });
}

}  // namespace octet::naive
