// SPDX-License-Identifier: Apache-2.0
// Fully connected layer on Cortex-M55: four outputs at a time over 16 inputs a step; weights are packed as those of a convolution.
#include "kernels/cortex_m/cortex_m.h"
#include "kernels/cortex_m/mve.h"

namespace octet::cortex_m::m55 {
namespace {

/// Four dot products of 16 * steps values; leaves w behind the weights.
inline void dot4(const int8_t* x, int32_t steps, const int8_t*& w, int32_t* sums) {
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  for (; steps > 0; --steps, x += 16, w += 64) {
    s0 = dot16(s0, x, w);
    s1 = dot16(s1, x, w + 16);
    s2 = dot16(s2, x, w + 32);
    s3 = dot16(s3, x, w + 48);
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

}  // namespace

template <Rounding R>
void linear(const LinearArgs& args, const PackedData& d, int32_t begin, int32_t end) {
  const LinearArgs a = args;
  const Output4 output = output_of(a.output, R);
  const int32_t steps = (a.in + 15) / 16;
  for (int32_t row = begin; row < end; ++row) {
    const int8_t* x = static_cast<const int8_t*>(d.input) + row * a.in;
    auto* out = static_cast<int8_t*>(d.output) + row * a.out;
    if (a.in % 16 != 0) {
      __builtin_memcpy(d.scratch, x, static_cast<size_t>(a.in));
      x = static_cast<const int8_t*>(d.scratch);
    }
    const auto* w = static_cast<const int8_t*>(d.packed);
    for (int32_t o = 0; o < a.out; o += 4) {
      int32_t sums[4];
      dot4(x, steps, w, sums);
      if (o + 4 <= a.out) {
        finish4<R>(sums, w, output, out + o);
      } else {
        int8_t last[4];
        finish4<R>(sums, w, output, last);
        for (int32_t i = 0; o + i < a.out; ++i) out[o + i] = last[i];
      }
      w += sizeof(Rescale4);
    }
  }
}

template void linear<static_cast<Rounding>(OCTET_ROUNDING)>(const LinearArgs&, const PackedData&, int32_t, int32_t);

}  // namespace octet::cortex_m::m55
