// SPDX-License-Identifier: Apache-2.0
// What convolution and linear of 16-bit codes share: dot products with int8 weights, and the way from 64-bit sums to codes.
#pragma once

#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {

constexpr int32_t kBlock16 = 64;  ///< output channels accumulated at once
constexpr int32_t kRun16 = 256;   ///< products of a code and a weight whose sum stays within 32 bits, at most 2^30

/// acc[o] += Σ x[i] * weight[o * row + i] over n values, for `outputs` rows.
inline void accumulate_16(const int16_t* __restrict x, int32_t n, const int8_t* __restrict weight, int32_t row, int32_t outputs,
                          int64_t* __restrict acc) {
  for (int32_t o = 0; o < outputs; ++o) {
    const int8_t* __restrict w = weight + static_cast<size_t>(o) * static_cast<size_t>(row);
    for (int32_t i = 0, m; i < n; i += m) {
      m = smaller(kRun16, n - i);
      int32_t sum = 0;
      for (int32_t k = 0; k < m; ++k) sum += x[i + k] * static_cast<int16_t>(w[i + k]);
      acc[o] += sum;
    }
  }
}

/// Codes of n sums, output channels c .. c + n.
inline void finish_16(const int64_t* __restrict acc, int32_t n, const Channels& channels, int32_t c, const OutputArgs output,
                      int16_t* __restrict to) {
  const OutputArgs o = output;
  for (int32_t i = 0; i < n; ++i) {
    const int64_t sum = acc[i] + wide_bias(channels.bias_codes, c + i);
    to[i] = static_cast<int16_t>(qmath::limit(qmath::multiply_fixed_16(sum, channels.multiplier[c + i], channels.shift[c + i]), o));
  }
}

}  // namespace octet::kernels
