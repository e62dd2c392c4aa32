// SPDX-License-Identifier: Apache-2.0
// Average pooling on Cortex-M4, fixed modes: four channels a word, summed two by two.
#include "kernels/cortex_m/average_pool2d.h"
#include "kernels/cortex_m/dsp.h"

namespace octet::cortex_m::m4 {

void average_pool2d(const kernels::Pool2dArgs& args, const void* input, void* output, int32_t begin, int32_t end) {
  const kernels::Pool2dArgs a = args;
  average_pool<4>(a, input, output, begin, end, [](const Cells& cells, int32_t, int32_t* sums) {
    uint32_t even = 0, odd = 0;
    const int8_t* from = cells.first;
    const int32_t step = cells.step;
#pragma GCC unroll 4
    for (int32_t i = cells.count; i > 0; --i, from += step) {
      const uint32_t x = load4(from);
      even = sadd16(even, sxtb16(x));
      odd = sadd16(odd, sxtb16_odd(x));
    }
    sums[0] += static_cast<int16_t>(even & 0xffff), sums[1] += static_cast<int16_t>(odd & 0xffff);
    sums[2] += static_cast<int16_t>(even >> 16), sums[3] += static_cast<int16_t>(odd >> 16);
  });
}

}  // namespace octet::cortex_m::m4
