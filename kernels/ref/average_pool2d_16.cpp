// SPDX-License-Identifier: Apache-2.0
// Mean of the 16-bit codes under each window, halves away from zero; padded cells are zeros where they count. A window has at most
// kMostSummed16 cells, so that its sum and half its divisor stay within 32 bits. One output row a unit.
#include "kernels/qmath.h"
#include "kernels/ref/pool_window.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {
namespace {

constexpr int32_t kChannels = 64;  // summed at once

}  // namespace

void average_pool2d_16(const Pool2dArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  int32_t sum[kChannels];
  const OutputArgs o{0, 0, a.clamp_min, a.clamp_max};
  int16_t* to = wide(output) + static_cast<size_t>(begin) * static_cast<size_t>(a.out_w) * static_cast<size_t>(a.channels);
  for (int32_t unit = begin; unit < end; ++unit) {
    const PoolWindow rows = rows_of(a, unit % a.out_h);
    for (int32_t ox = 0; ox < a.out_w; ++ox, to += a.channels) {
      const PoolWindow columns = columns_of(a, ox);
      const int32_t divisor = larger(1, rows.divisor * columns.divisor);  // an empty window gives zero
      for (int32_t c = 0; c < a.channels; c += kChannels) {
        const int32_t n = smaller(kChannels, a.channels - c);
        for (int32_t i = 0; i < n; ++i) sum[i] = 0;
        for (int32_t y = rows.begin; y < rows.end; ++y)
          for (int32_t x = columns.begin; x < columns.end; ++x) {
            const int16_t* __restrict from = wide(input) + first_code(a, unit / a.out_h, y, x) + c;
            for (int32_t i = 0; i < n; ++i) sum[i] += from[i];
          }
        for (int32_t i = 0; i < n; ++i) to[c + i] = static_cast<int16_t>(qmath::limit(qmath::divide_half_away(sum[i], divisor), o));
      }
    }
  }
}

}  // namespace octet::kernels
