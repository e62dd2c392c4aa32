// SPDX-License-Identifier: Apache-2.0
// Dense convolution on Cortex-M4. Two output pixels' windows are expanded to 16 bits, interleaved word by word, and meet all output
// channels in one call of the inner block; pairs of pixels run on from row to row, so that only the last one of a layer can be odd.
// `Sums`: of a layer with a residual, whose accumulators become codes together with it.
#pragma once

#include "kernels/cortex_m/m4_conv2d_block.h"
#include "kernels/cortex_m/padded_rows.h"
#include "kernels/cortex_m/sums.h"

namespace octet::cortex_m::m4 {

/// Words of one kernel row, and steps of two inputs of a whole window: each kernel row is filled up to whole words.
inline int32_t row_words(const Conv2dArgs& a) { return (a.kernel_w * a.in_c + 3) / 4; }
inline int32_t steps(const Conv2dArgs& a) { return a.kernel_h * row_words(a) * 2; }

/// Bytes 0, 2 and 1, 3 of each word of two rows, as 16-bit values.
[[gnu::always_inline]] inline uint32_t* expand(const int8_t* s0, const int8_t* s1, int32_t words, uint32_t* to) {
#pragma GCC unroll 4
  for (int32_t i = 0; i < words; ++i, s0 += 4, s1 += 4, to += 4) {
    const uint32_t x0 = load4(s0), x1 = load4(s1);
    to[0] = sxtb16(x0);
    to[1] = sxtb16(x1);
    to[2] = sxtb16_odd(x0);
    to[3] = sxtb16_odd(x1);
  }
  return to;
}

/// Walks over output pixels in order.
struct Pixel {
  int32_t x, y;
  const int8_t* row;

  [[gnu::always_inline]] const int8_t* window(PaddedRows& rows, const Conv2dArgs& a) {
    if (x == 0) {
      rows.need(y);
      row = rows.row(y);
    }
    const int8_t* at = row + x * a.stride_w * a.in_c;
    if (++x == a.out_w) x = 0, ++y;
    return at;
  }
};

template <Rounding R, bool Sums>
void convolve(const Conv2dArgs& args, const PackedData& d, int32_t begin, int32_t end) {
  const Conv2dArgs a = args;
  const int32_t words = row_words(a), padded_c = round_up(a.out_c, 4);
  auto* x = static_cast<uint32_t*>(d.scratch);
  auto* spare = reinterpret_cast<int8_t*>(x + 2 * steps(a));  // two pixels that may not go to the output directly
  const int32_t room = Sums ? 4 * padded_c : padded_c;        // as spare_bytes() says
  int8_t* ring = spare + 2 * room;
  const auto* stream = static_cast<const uint32_t*>(d.packed);
  ConvBlock block{x, steps(a), padded_c / 4, stream, spare, spare + room, real_output<R>(a.output)};
  const auto* constants = reinterpret_cast<const int8_t*>(stream + padded_c / 4 * (4 + 2 * steps(a)));
  auto* out = static_cast<int8_t*>(d.output) + begin * a.out_w * a.out_c;
  const auto* residual = static_cast<const int8_t*>(d.second) + (Sums ? begin * a.out_w * a.out_c : 0);
  for (int32_t unit = begin; unit < end;) {
    const int32_t y = unit % a.out_h, left = a.out_h - y, rows_here = left < end - unit ? left : end - unit;
    PaddedRows rows(a, 4, static_cast<const int8_t*>(d.input) + unit / a.out_h * a.in_h * a.in_w * a.in_c, ring);
    rows.begin(y);
    Pixel pixel{0, y, nullptr};
    for (int32_t pixels = rows_here * a.out_w; pixels > 0; pixels -= 2, out += 2 * a.out_c) {
      const bool two = pixels > 1;
      const int8_t* s0 = pixel.window(rows, a);
      const int8_t* s1 = two ? pixel.window(rows, a) : s0;
      uint32_t* to = x;
      for (int32_t ky = 0; ky < a.kernel_h; ++ky) {
        to = expand(s0, s1, words, to);
        s0 += rows.stride(), s1 += rows.stride();
        if (s0 >= rows.end()) s0 -= rows.size();
        if (s1 >= rows.end()) s1 -= rows.size();
      }
      if constexpr (Sums) {
        conv_block<R, true>(block);
        finish_sums<R>(a, reinterpret_cast<const int32_t*>(spare), constants, residual, out);
        if (two) finish_sums<R>(a, reinterpret_cast<const int32_t*>(spare + room), constants, residual + a.out_c, out + a.out_c);
        residual += (two ? 2 : 1) * a.out_c;
      } else if (padded_c == a.out_c) {
        block.out0 = out;
        if (two)
          block.out1 = out + a.out_c;
        else
          block.out1 = spare;
        conv_block<R, false>(block);
      } else {
        conv_block<R, false>(block);
        __builtin_memcpy(out, spare, static_cast<size_t>(a.out_c));
        if (two) __builtin_memcpy(out + a.out_c, spare + room, static_cast<size_t>(a.out_c));
      }
    }
    out -= rows_here * a.out_w % 2 * a.out_c;
    unit += rows_here;
  }
  if constexpr (!Sums)
    clamp_codes(static_cast<int8_t*>(d.output) + begin * a.out_w * a.out_c, (end - begin) * a.out_w * a.out_c, a.output);
}

}  // namespace octet::cortex_m::m4
