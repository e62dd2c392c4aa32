// SPDX-License-Identifier: Apache-2.0
// Average pooling on Cortex-M55, fixed modes: eight channels a vector of 16-bit lanes.
#include "kernels/cortex_m/average_pool2d.h"
#include "kernels/cortex_m/mve.h"

namespace octet::cortex_m::m55 {

void average_pool2d(const kernels::Pool2dArgs& args, const void* input, void* output, int32_t begin, int32_t end) {
  const kernels::Pool2dArgs a = args;
  average_pool<8>(a, input, output, begin, end, [](const Cells& cells, int32_t channels, int32_t* sums) {
    int16_t lanes[8];
    sum_columns8(cells.first, cells.step, channels, cells.count, lanes);
    for (int32_t i = 0; i < channels; ++i) sums[i] += lanes[i];
  });
}

}  // namespace octet::cortex_m::m55
