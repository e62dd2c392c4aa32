// SPDX-License-Identifier: Apache-2.0
// Which input cells one pooling window covers along one axis, and how many an average divides by.
#pragma once

#include "kernels/ref/codes.h"

namespace octet::kernels {

struct PoolWindow {
  int32_t begin, end;  ///< real cells
  int32_t divisor;     ///< cells an average counts

  /// Window `i` of `out` over `in` cells. Adaptive: floor(i*in/out) .. ceil((i+1)*in/out), with in/out split off so that no product
  /// exceeds out^2. Otherwise clipped to the real cells; the divisor keeps padded ones if they count.
  PoolWindow(const Pool2dArgs& a, int32_t i, int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t pad_before,
             int32_t pad_after) {
    if (a.kind == PoolKind::adaptive_average) {
      const int32_t whole = in / out, rest = in % out;
      begin = i * whole + i * rest / out;
      end = (i + 1) * whole + ((i + 1) * rest + out - 1) / out;
      divisor = end - begin;
      return;
    }
    const int32_t from = i * stride - pad_before, to = from + kernel;
    begin = larger(from, 0);
    end = larger(begin, smaller(to, in));
    divisor = a.count_include_pad != 0 ? smaller(to, in + pad_after) - from : end - begin;
  }
};

inline PoolWindow rows_of(const Pool2dArgs& a, int32_t oy) {
  return {a, oy, a.in_h, a.out_h, a.kernel_h, a.stride_h, a.pad_top, a.pad_bottom};
}
inline PoolWindow columns_of(const Pool2dArgs& a, int32_t ox) {
  return {a, ox, a.in_w, a.out_w, a.kernel_w, a.stride_w, a.pad_left, a.pad_right};
}
/// Place of a cell's first code in the input.
inline size_t first_code(const Pool2dArgs& a, int32_t image, int32_t y, int32_t x) {
  const size_t row = static_cast<size_t>(image) * static_cast<size_t>(a.in_h) + static_cast<size_t>(y);
  return (row * static_cast<size_t>(a.in_w) + static_cast<size_t>(x)) * static_cast<size_t>(a.channels);
}
inline const uint8_t* cell(const Pool2dArgs& a, const void* input, int32_t image, int32_t y, int32_t x) {
  return bytes(input) + first_code(a, image, y, x);
}

}  // namespace octet::kernels
