// SPDX-License-Identifier: Apache-2.0
// Maximum of the 16-bit codes under each window; padded cells never take part. One output row a unit.
#include "kernels/ref/pool_window.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {
namespace {

void raise(const int16_t* __restrict from, int32_t n, int16_t* __restrict to) {
  for (int32_t i = 0; i < n; ++i) to[i] = to[i] > from[i] ? to[i] : from[i];
}

}  // namespace

void max_pool2d_16(const Pool2dArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  int16_t* to = wide(output) + static_cast<size_t>(begin) * static_cast<size_t>(a.out_w) * static_cast<size_t>(a.channels);
  for (int32_t unit = begin; unit < end; ++unit) {
    const PoolWindow rows = rows_of(a, unit % a.out_h);
    for (int32_t ox = 0; ox < a.out_w; ++ox, to += a.channels) {
      const PoolWindow columns = columns_of(a, ox);
      for (int32_t c = 0; c < a.channels; ++c) to[c] = INT16_MIN;
      for (int32_t y = rows.begin; y < rows.end; ++y)
        for (int32_t x = columns.begin; x < columns.end; ++x)
          raise(wide(input) + first_code(a, unit / a.out_h, y, x), a.channels, to);
      for (int32_t c = 0; c < a.channels; ++c) to[c] = static_cast<int16_t>(smaller(larger(to[c], a.clamp_min), a.clamp_max));
    }
  }
}

}  // namespace octet::kernels
