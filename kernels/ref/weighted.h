// SPDX-License-Identifier: Apache-2.0
// What convolution and linear share: dot products of 16-bit differences with weight rows, and the way from accumulators to codes.
// The loops are plain; 16-bit factors and a 32-bit sum are what compilers turn into multiply-add-pairs instructions.
#pragma once

#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {

constexpr int32_t kPatch = 576;  ///< input differences held on the stack: a 3x3 window over 64 channels
constexpr int32_t kBlock = 64;   ///< output channels accumulated at once

/// acc[o] += Σ x[i] * (weight[o * row + i] - zero[o]) over n values, for `outputs` rows; exact in int32.
inline void accumulate(const int16_t* __restrict x, int32_t n, const int8_t* __restrict weight, int32_t row,
                       const int32_t* __restrict zero, int32_t outputs, int32_t* __restrict acc) {
  for (int32_t o = 0; o < outputs; ++o) {
    const int8_t* __restrict w = weight + static_cast<size_t>(o) * static_cast<size_t>(row);
    int32_t sum = 0;
    if (zero == nullptr) {
      for (int32_t i = 0; i < n; ++i) sum += x[i] * static_cast<int16_t>(w[i]);
    } else {
      const int16_t z = static_cast<int16_t>(zero[o]);
      for (int32_t i = 0; i < n; ++i) sum += x[i] * static_cast<int16_t>(w[i] - z);
    }
    acc[o] += sum;
  }
}

/// Input bytes as differences to their zero point.
inline void read(const uint8_t* __restrict from, int32_t n, Codes codes, int16_t* __restrict to) {
  for (int32_t i = 0; i < n; ++i) to[i] = codes(from[i]);
}

/// Output channel c's constants; what a mode does not read is zero.
template <Rounding R>
inline qmath::Scale scale_at(const Channels& channels, int32_t c) {
  if constexpr (R == Rounding::real) return {channels.scale[c], channels.bias[c], 0, 0, 0};
  if constexpr (R == Rounding::int_bias) return {channels.scale[c], 0, channels.bias_codes[c], 0, 0};
  return {0, 0, channels.bias_codes[c], channels.multiplier[c], channels.shift[c]};
}

/// The second operand of a fused addition.
struct Residual {
  const uint8_t* data;
  Codes codes;
  qmath::ResidualScale scale;
};

/// Codes of n <= kBlock accumulators, output channels c .. c + n, with a residual; the output may be the residual itself.
template <Rounding R>
inline void finish_with_residual(const int32_t* __restrict acc, int32_t n, const Channels& channels, int32_t c, Residual residual,
                                 const OutputArgs output, CodeType type, uint8_t* to) {
  const OutputArgs o = output;
  const int32_t lo = qmath::lowest(type);
  const uint8_t* r = residual.data;
  uint8_t block[kBlock];
  for (int32_t i = 0; i < n; ++i)
    block[i] = static_cast<uint8_t>(
        qmath::requantize_sum<R>(acc[i], scale_at<R>(channels, c + i), residual.codes(r[i]), residual.scale, o, lo));
  for (int32_t i = 0; i < n; ++i) to[i] = block[i];
}

/// The same without a residual.
template <Rounding R>
inline void finish(const int32_t* __restrict acc, int32_t n, const Channels& channels, int32_t c, const OutputArgs output,
                   CodeType type, uint8_t* __restrict to) {
  const OutputArgs o = output;
  const int32_t lo = qmath::lowest(type);
  if constexpr (R == Rounding::real) {
    const float* __restrict scale = channels.scale + c;
    const float* __restrict bias = channels.bias + c;
    for (int32_t i = 0; i < n; ++i) to[i] = static_cast<uint8_t>(qmath::requantize<R>(acc[i], {scale[i], bias[i], 0, 0, 0}, o, lo));
  } else if constexpr (R == Rounding::int_bias) {
    const float* __restrict scale = channels.scale + c;
    const int32_t* __restrict bias = channels.bias_codes + c;
    for (int32_t i = 0; i < n; ++i) to[i] = static_cast<uint8_t>(qmath::requantize<R>(acc[i], {scale[i], 0, bias[i], 0, 0}, o, lo));
  } else {
    for (int32_t i = 0; i < n; ++i) {
      const qmath::Scale s{0, 0, channels.bias_codes[c + i], channels.multiplier[c + i], channels.shift[c + i]};
      to[i] = static_cast<uint8_t>(qmath::requantize<R>(acc[i], s, o, lo));
    }
  }
}

}  // namespace octet::kernels
