// SPDX-License-Identifier: Apache-2.0
// Dense convolution on Cortex-M55. Windows that are one run of whole vectors (1x1 over a multiple of 16 channels) are read in
// place; others are gathered byte for byte, 16 at a time, the last vector filled up against zero weights. `Sums`: of a layer
// with a residual, whose accumulators become codes together with it.
#pragma once

#include "kernels/cortex_m/m55_conv2d_block.h"
#include "kernels/cortex_m/padded_rows.h"
#include "kernels/cortex_m/sums.h"

namespace octet::cortex_m::m55 {

/// Walks over output pixels in order.
struct Pixel {
  const Conv2dArgs& a;
  PaddedRows& rows;
  bool direct;
  int32_t row_bytes, x, y;
  const int8_t* row;

  /// The next pixel's window; `patch` holds it if it must be gathered.
  const int8_t* window(int8_t* patch) {
    if (x == 0) {
      rows.need(y);
      row = rows.row(y);
    }
    const int8_t* at = row + x * a.stride_w * a.in_c;
    if (++x == a.out_w) x = 0, ++y;
    if (direct) return at;
    int8_t* to = patch;
    for (int32_t ky = 0; ky < a.kernel_h; ++ky, to += row_bytes) {  // what a row writes too much, the next one overwrites
      for (int32_t i = 0; i < row_bytes; i += 16) copy16(to + i, at + i);
      at += rows.stride();
      if (at >= rows.end()) at -= rows.size();
    }
    return patch;
  }
};

template <Rounding R, bool Sums>
void convolve(const Conv2dArgs& args, const PackedData& d, int32_t begin, int32_t end) {
  const Conv2dArgs a = args;
  const int32_t row_bytes = a.kernel_w * a.in_c, window = round_up(a.kernel_h * row_bytes, 16), padded_c = round_up(a.out_c, 4);
  const bool direct = a.kernel_h == 1 && PaddedRows::in_place(a, 16);
  auto* patch = static_cast<int8_t*>(d.scratch);
  int8_t* spare = patch + 2 * (window + 16);            // two pixels that may not go to the output directly
  const int32_t room = Sums ? 4 * padded_c : padded_c;  // as spare_bytes() says
  int8_t* ring = spare + 2 * room;
  const auto* stream = static_cast<const int8_t*>(d.packed);
  ConvBlock block{nullptr, nullptr, window / 16, padded_c / 4, stream, spare, spare + room, output_of(a.output, R)};
  const int8_t* constants = stream + padded_c / 4 * (16 + 4 * window);
  auto* out = static_cast<int8_t*>(d.output) + begin * a.out_w * a.out_c;
  const auto* residual = static_cast<const int8_t*>(d.second) + (Sums ? begin * a.out_w * a.out_c : 0);
  for (int32_t unit = begin; unit < end;) {
    const int32_t y = unit % a.out_h, left = a.out_h - y, rows_here = left < end - unit ? left : end - unit;
    PaddedRows rows(a, 16, static_cast<const int8_t*>(d.input) + unit / a.out_h * a.in_h * a.in_w * a.in_c, ring);
    rows.begin(y);
    Pixel pixel{a, rows, direct, row_bytes, 0, y, nullptr};
    for (int32_t pixels = rows_here * a.out_w; pixels > 0; pixels -= 2) {
      const bool two = pixels > 1;
      block.x0 = pixel.window(patch);
      block.x1 = two ? pixel.window(patch + window + 16) : block.x0;
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
      out += two ? 2 * a.out_c : a.out_c;
    }
    unit += rows_here;
  }
}

}  // namespace octet::cortex_m::m55
