// SPDX-License-Identifier: Apache-2.0
// Column sums, moments, affine maps and batch normalization's gradients as plain loops over any floating-point type.
#pragma once

#include <cstdint>
#include <type_traits>

namespace octet::naive {

template <class T>
void column_sum(int64_t rows, int64_t channels, const T* x, T* sum) {
  for (int64_t c = 0; c < channels; ++c) {
    sum[c] = T(0);
    for (int64_t r = 0; r < rows; ++r) sum[c] += x[r * channels + c];
  }
}

template <class T>
void column_moments(int64_t rows, int64_t channels, const T* x, T* mean, T* variance) {
  column_sum(rows, channels, x, mean);
  for (int64_t c = 0; c < channels; ++c) {
    mean[c] /= static_cast<T>(rows);
    T sum = 0;
    for (int64_t r = 0; r < rows; ++r) sum += (x[r * channels + c] - mean[c]) * (x[r * channels + c] - mean[c]);
    variance[c] = sum / static_cast<T>(rows);
  }
}

template <class T>
void column_affine(int64_t rows, int64_t channels, const T* x, const T* scale, const T* shift, std::type_identity_t<T> act_min,
                   std::type_identity_t<T> act_max, T* y) {
  for (int64_t i = 0; i < rows * channels; ++i) {
    const T v = x[i] * scale[i % channels] + shift[i % channels];
    y[i] = v < act_min ? act_min : v > act_max ? act_max : v;
  }
}

template <class T>
void batch_norm_sums(int64_t rows, int64_t channels, const T* x, const T* dy, const T* mean, const T* inv_std, T* dgamma,
                     T* dbeta) {
  for (int64_t c = 0; c < channels; ++c) {
    T product = 0, sum = 0;
    for (int64_t r = 0; r < rows; ++r) {
      product += dy[r * channels + c] * (x[r * channels + c] - mean[c]);
      sum += dy[r * channels + c];
    }
    dgamma[c] = product * inv_std[c];
    dbeta[c] = sum;
  }
}

template <class T>
void batch_norm_grad_input(int64_t rows, int64_t channels, const T* x, const T* dy, const T* mean, const T* inv_std, const T* gamma,
                           const T* dgamma, const T* dbeta, T* dx) {
  const T n = static_cast<T>(rows);
  for (int64_t i = 0; i < rows * channels; ++i) {
    const int64_t c = i % channels;
    dx[i] = gamma[c] * inv_std[c] * (dy[i] - dbeta[c] / n - (x[i] - mean[c]) * inv_std[c] * dgamma[c] / n);
  }
}

}  // namespace octet::naive
