// SPDX-License-Identifier: Apache-2.0
// float32 to 16-bit codes: x / s with halves away from zero. NaN gives 0, infinities saturate.
#include "kernels/qmath.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {

void quantize_16(const QuantizeArgs& a, const float* input, void* output, int32_t begin, int32_t end) {
  const OutputArgs o = a.output;
  const float* __restrict from = input;
  int16_t* __restrict to = wide(output);
  for (int32_t i = begin; i < end; ++i) to[i] = static_cast<int16_t>(qmath::quantize<Rounding::fixed_double>(from[i], o));
}

}  // namespace octet::kernels
