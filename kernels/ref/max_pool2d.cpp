// SPDX-License-Identifier: Apache-2.0
// Maximum of the codes under each window; padded cells never take part. One output row a unit.
#include "kernels/ref/pool_window.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {
namespace {

void raise(const uint8_t* __restrict from, int32_t n, uint8_t flip, uint8_t* __restrict to) {
  for (int32_t i = 0; i < n; ++i) {
    const uint8_t q = from[i] ^ flip;
    to[i] = to[i] > q ? to[i] : q;
  }
}

}  // namespace

void max_pool2d(const Pool2dArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  const Codes codes(a.type, 0);
  const int32_t lo = a.clamp_min + codes.zero, hi = a.clamp_max + codes.zero;  // unsigned domain, as the bytes in flight
  uint8_t* to = bytes(output) + static_cast<size_t>(begin) * static_cast<size_t>(a.out_w) * static_cast<size_t>(a.channels);
  for (int32_t unit = begin; unit < end; ++unit) {
    const PoolWindow rows = rows_of(a, unit % a.out_h);
    for (int32_t ox = 0; ox < a.out_w; ++ox, to += a.channels) {
      const PoolWindow columns = columns_of(a, ox);
      for (int32_t c = 0; c < a.channels; ++c) to[c] = 0;
      for (int32_t y = rows.begin; y < rows.end; ++y)
        for (int32_t x = columns.begin; x < columns.end; ++x)
          raise(cell(a, input, unit / a.out_h, y, x), a.channels, codes.flip, to);
      for (int32_t c = 0; c < a.channels; ++c) to[c] = static_cast<uint8_t>(smaller(larger(to[c], lo), hi)) ^ codes.flip;
    }
  }
}

}  // namespace octet::kernels
