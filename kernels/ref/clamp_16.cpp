// SPDX-License-Identifier: Apache-2.0
// 16-bit codes limited to a range of codes.
#include "kernels/ref/codes.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {

void clamp_16(const ClampArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  const int16_t* from = wide(input);
  int16_t* to = wide(output);
  const int32_t lo = a.clamp_min, hi = a.clamp_max;
  for (int32_t i = begin; i < end; ++i) to[i] = static_cast<int16_t>(smaller(larger(from[i], lo), hi));
}

}  // namespace octet::kernels
