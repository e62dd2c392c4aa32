// SPDX-License-Identifier: Apache-2.0
// Pictures of 16-bit codes of another size: the four neighbours weighed in integers, halves away from zero, as
// kernels/ref/resize.cpp does in the fixed modes.
#include "kernels/ref/codes.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {

void resize_16(const ResizeArgs& g, const void* input, const int32_t* table, void* output, int32_t begin, int32_t end) {
  const size_t n = static_cast<size_t>(g.channels), line = static_cast<size_t>(g.in_w) * n;
  for (int32_t unit = begin; unit < end; ++unit) {
    const int32_t* v = table + 4 * (unit % g.out_h);  // low, high, their weights
    const int16_t* image = wide(input) + static_cast<size_t>(unit / g.out_h) * static_cast<size_t>(g.in_h) * line;
    const int16_t *above = image + static_cast<size_t>(v[0]) * line, *below = image + static_cast<size_t>(v[1]) * line;
    int16_t* to = wide(output) + static_cast<size_t>(unit) * static_cast<size_t>(g.out_w) * n;
    for (int32_t x = 0; x < g.out_w; ++x, to += n) {
      const int32_t* h = table + 4 * (g.out_h + x);
      const int16_t *a = above + static_cast<size_t>(h[0]) * n, *b = above + static_cast<size_t>(h[1]) * n;
      const int16_t *c = below + static_cast<size_t>(h[0]) * n, *d = below + static_cast<size_t>(h[1]) * n;
      const int32_t aw = v[2] * h[2], bw = v[2] * h[3], cw = v[3] * h[2], dw = v[3] * h[3];
      for (size_t i = 0; i < n; ++i) {
        const int64_t sum = int64_t{a[i]} * aw + int64_t{b[i]} * bw + int64_t{c[i]} * cw + int64_t{d[i]} * dw;
        to[i] = static_cast<int16_t>((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
      }
    }
  }
}

}  // namespace octet::kernels
