// SPDX-License-Identifier: Apache-2.0
// Fully connected layer of 16-bit codes and int8 weights, [rows, in] x [out, in]^T: one input row a unit.
#include "kernels/ref/weighted_16.h"

namespace octet::kernels {

void linear_16(const LinearArgs& a, const Buffers& d, int32_t begin, int32_t end) {
  int64_t acc[kBlock16];
  const size_t in = static_cast<size_t>(a.in), out = static_cast<size_t>(a.out);
  for (int32_t r = begin; r < end; ++r) {
    const int16_t* x = wide(d.input) + static_cast<size_t>(r) * in;
    int16_t* y = wide(d.output) + static_cast<size_t>(r) * out;
    for (int32_t o = 0; o < a.out; o += kBlock16) {
      const int32_t n = smaller(kBlock16, a.out - o);
      for (int32_t i = 0; i < n; ++i) acc[i] = 0;
      accumulate_16(x, a.in, d.weight + static_cast<size_t>(o) * in, a.in, n, acc);
      finish_16(acc, n, d.channels, o, a.output, y + o);
    }
  }
}

}  // namespace octet::kernels
