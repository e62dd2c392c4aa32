// SPDX-License-Identifier: Apache-2.0
// Element-wise functions, optimizer step, statistics and fake quantization as plain loops over any floating-point type.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/f32/f32.h"

namespace octet::naive {

template <class T>
void clamp(int64_t n, const T* x, std::type_identity_t<T> lo, std::type_identity_t<T> hi, T* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] < lo ? lo : x[i] > hi ? hi : x[i];
}

template <class T>
void clamp_grad(int64_t n, const T* x, const T* dy, std::type_identity_t<T> lo, std::type_identity_t<T> hi, T* dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] = x[i] > lo && x[i] < hi ? dy[i] : T(0);
}

template <class T>
void add(int64_t n, const T* a, const T* b, T* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

template <class T>
void axpby(int64_t n, std::type_identity_t<T> alpha, const T* x, std::type_identity_t<T> beta, T* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = alpha * x[i] + beta * y[i];
}

template <class T>
void sgd(int64_t n, std::type_identity_t<T> rate, std::type_identity_t<T> momentum, std::type_identity_t<T> decay, bool nesterov,
         const T* g, T* v, T* w) {
  for (int64_t i = 0; i < n; ++i) {
    const T gradient = g[i] + decay * w[i];
    v[i] = momentum * v[i] + gradient;
    w[i] -= rate * (nesterov ? gradient + momentum * v[i] : v[i]);
  }
}

template <class T>
void min_max_channels(int64_t outer, int64_t channels, int64_t inner, const T* x, T* lo, T* hi) {
  for (int64_t c = 0; c < channels; ++c) {
    T low = std::numeric_limits<T>::infinity(), high = -low;
    bool nan = false;
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i) {
        const T v = x[(o * channels + c) * inner + i];
        nan |= v != v;
        low = v < low ? v : low;
        high = v > high ? v : high;
      }
    lo[c] = nan ? std::numeric_limits<T>::quiet_NaN() : low + T(0);  // + 0 makes -0 into 0
    hi[c] = nan ? std::numeric_limits<T>::quiet_NaN() : high + T(0);
  }
}

template <class T>
void min_max(int64_t n, const T* x, T* lo, T* hi) {
  min_max_channels(1, 1, n, x, lo, hi);
}

template <class T>
void histogram(int64_t n, const T* x, std::type_identity_t<T> lo, std::type_identity_t<T> hi, int bins, int64_t* counts) {
  const T width = hi - lo;
  for (int64_t i = 0; i < n; ++i) {
    if (!(x[i] >= lo && x[i] <= hi)) continue;
    const T scaled = (x[i] - lo) * static_cast<T>(bins);
    const T position = scaled / width;
    ++counts[position < static_cast<T>(bins) ? static_cast<int>(position) : bins - 1];
  }
}

/// rne(x/s) relative to the zero point, limited to one code beyond the range.
template <class T>
T code_offset(const f32::FakeQuant& q, T x) {
  const T v = x * static_cast<T>(q.inv_scale);
  const T lo = static_cast<T>(q.qmin - q.zero_point) - 1, hi = static_cast<T>(q.qmax - q.zero_point) + 1;
  return std::nearbyint(v < lo ? lo : v > hi ? hi : v);
}

template <class T>
void fake_quantize(int64_t n, const f32::FakeQuant& q, const T* x, T* y) {
  for (int64_t i = 0; i < n; ++i) {
    if (x[i] != x[i]) {  // the zero point
      y[i] = 0;
      continue;
    }
    int32_t code = q.zero_point + static_cast<int32_t>(code_offset(q, x[i]));
    code = code < q.qmin ? q.qmin : code > q.qmax ? q.qmax : code;
    y[i] = static_cast<T>(code - q.zero_point) * static_cast<T>(q.scale);
  }
}

template <class T>
void fake_quantize_grad(int64_t n, const f32::FakeQuant& q, const T* x, const T* dy, T* dx) {
  for (int64_t i = 0; i < n; ++i) {
    const T offset = code_offset(q, x[i]);
    const bool inside = offset >= static_cast<T>(q.qmin - q.zero_point) && offset <= static_cast<T>(q.qmax - q.zero_point);
    dx[i] = inside ? dy[i] : T(0);
  }
}

}  // namespace octet::naive
