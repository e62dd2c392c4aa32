// SPDX-License-Identifier: Apache-2.0
// Codes to float32: scale * f32(q - z).
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {

void dequantize(const DequantizeArgs& a, const void* input, float* output, int32_t begin, int32_t end) {
  const Codes codes(a.input_type, a.zero_point);
  const float scale = a.scale;
  const uint8_t* __restrict from = bytes(input);
  float* __restrict to = output;
  for (int32_t i = begin; i < end; ++i) to[i] = qmath::dequantize(codes(from[i]), scale);
}

}  // namespace octet::kernels
