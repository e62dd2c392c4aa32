// SPDX-License-Identifier: Apache-2.0
// Average pooling in the fixed modes on both targets: windows and the integer mean, halves away from zero. The targets differ in
// how they sum a few neighbouring channels over a window, in 16-bit lanes, which hold 255 cells.
#pragma once

#include "kernels/cortex_m/cortex_m.h"
#include "kernels/qmath.h"
#include "kernels/ref/pool_window.h"

namespace octet::cortex_m {

/// A run of equally spaced cells.
struct Cells {
  const int8_t* first;
  int32_t step, count;  ///< bytes from cell to cell; at most 255
};

/// sum(cells, channels) adds N channels' codes (fewer at a tensor's end: `channels`) to int32_t sums[N].
template <int32_t N, class Sum>
void average_pool(const kernels::Pool2dArgs& a, const void* input, void* output, int32_t begin, int32_t end, Sum sum) {
  const kernels::OutputArgs o{0, a.zero_point, a.clamp_min, a.clamp_max};
  auto* to = static_cast<int8_t*>(output) + begin * a.out_w * a.channels;
  for (int32_t unit = begin; unit < end; ++unit) {
    const kernels::PoolWindow rows = kernels::rows_of(a, unit % a.out_h);
    for (int32_t ox = 0; ox < a.out_w; ++ox, to += a.channels) {
      const kernels::PoolWindow columns = kernels::columns_of(a, ox);
      const auto* window = reinterpret_cast<const int8_t*>(kernels::cell(a, input, unit / a.out_h, rows.begin, columns.begin));
      int32_t height = rows.end - rows.begin, width = columns.end - columns.begin;
      const int32_t cells = height * width, divisor = kernels::larger(1, rows.divisor * columns.divisor);
      if (width == a.in_w) width = cells, height = cells > 0 ? 1 : 0;  // whole rows are one run
      for (int32_t c = 0; c < a.channels; c += N) {
        const int32_t n = kernels::smaller(N, a.channels - c);
        int32_t sums[N] = {};
        for (int32_t y = 0; y < height; ++y)
          for (int32_t x = 0; x < width; x += 255)
            sum(Cells{window + (y * a.in_w + x) * a.channels + c, a.channels, kernels::smaller(255, width - x)}, n, sums);
        for (int32_t i = 0; i < n; ++i)  // cells of the padding that count hold the zero point
          to[c + i] = static_cast<int8_t>(
              qmath::limit(qmath::divide_half_away(sums[i] + a.zero_point * (divisor - (cells > 0 ? cells : 0)), divisor), o));
      }
    }
  }
}

}  // namespace octet::cortex_m
