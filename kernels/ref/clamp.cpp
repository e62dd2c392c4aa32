// SPDX-License-Identifier: Apache-2.0
// Codes limited to a range of codes: relu, relu6 and hardtanh whose input and output share their quantization.
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {

void clamp(const ClampArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  const Codes codes(a.type, 0);
  const uint8_t* from = bytes(input);
  uint8_t* to = bytes(output);
  const int32_t lo = a.clamp_min, hi = a.clamp_max;
  for (int32_t i = begin; i < end; ++i) to[i] = static_cast<uint8_t>(smaller(larger(codes(from[i]), lo), hi));
}

}  // namespace octet::kernels
