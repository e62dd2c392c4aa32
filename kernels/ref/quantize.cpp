// SPDX-License-Identifier: Apache-2.0
// float32 to codes: clamp( rne(x * f32(1/s)) + z ), int_bias rne(x / s), fixed modes x / s with halves away from zero. NaN gives
// the zero point, infinities saturate.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {

template <Rounding R>
void quantize(const QuantizeArgs& a, const float* input, void* output, int32_t begin, int32_t end) {
  const OutputArgs o = a.output;
  const float* __restrict from = input;
  uint8_t* __restrict to = bytes(output);
  for (int32_t i = begin; i < end; ++i) to[i] = static_cast<uint8_t>(qmath::quantize<R>(from[i], o));
}

template void quantize<static_cast<Rounding>(OCTET_ROUNDING)>(const QuantizeArgs&, const float*, void*, int32_t, int32_t);

}  // namespace octet::kernels
