// SPDX-License-Identifier: Apache-2.0
// Codes of one scale as codes of another, in rows that may be written with a stride (one input of a concatenation).
// real and int_bias: quantize of the dequantized value; fixed: one integer rescaling.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {
namespace {

template <Rounding R>
void requantize_row(const RequantizeArgs& args, const uint8_t* __restrict from, uint8_t* __restrict to) {
  const RequantizeArgs g = args;
  const Codes codes(g.input_type, g.input_zero_point);
  for (int32_t i = 0; i < g.row; ++i) {
    if constexpr (R == Rounding::real || R == Rounding::int_bias) {
      to[i] = static_cast<uint8_t>(qmath::quantize<R>(qmath::dequantize(codes(from[i]), g.input_scale), g.output));
    } else {
      const int32_t v = qmath::multiply_fixed<R>(codes(from[i]), g.multiplier, g.shift);
      to[i] = static_cast<uint8_t>(qmath::limit(qmath::saturate(static_cast<int64_t>(v) + g.output.zero_point), g.output));
    }
  }
}

}  // namespace

template <Rounding R>
void requantize(const RequantizeArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  for (int32_t r = begin; r < end; ++r) {
    const uint8_t* from = bytes(input) + static_cast<size_t>(r) * static_cast<size_t>(a.row);
    uint8_t* to = bytes(output) + static_cast<size_t>(r) * static_cast<size_t>(a.output_stride);
    if (a.copy != 0)
      __builtin_memcpy(to, from, static_cast<size_t>(a.row));
    else
      requantize_row<R>(a, from, to);
  }
}

template void requantize<static_cast<Rounding>(OCTET_ROUNDING)>(const RequantizeArgs&, const void*, void*, int32_t, int32_t);

}  // namespace octet::kernels
