// SPDX-License-Identifier: Apache-2.0
// 16-bit codes to float32: scale * f32(q).
#include "kernels/qmath.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {

void dequantize_16(const DequantizeArgs& a, const void* input, float* output, int32_t begin, int32_t end) {
  const float scale = a.scale;
  const int16_t* __restrict from = wide(input);
  float* __restrict to = output;
  for (int32_t i = begin; i < end; ++i) to[i] = qmath::dequantize(from[i], scale);
}

}  // namespace octet::kernels
