// SPDX-License-Identifier: Apache-2.0
// Codes of one scale as codes of another where either has 16 bits, in rows that may be written with a stride: one integer
// rescaling.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {
namespace {

constexpr int32_t kAtOnce = 256;

/// n codes from the i-th on as differences to the zero point.
void read_block(const RequantizeArgs& g, const void* input, size_t i, int32_t n, int32_t* __restrict to) {
  if (is_wide(g.input_type)) {
    const int16_t* from = wide(input) + i;
    for (int32_t k = 0; k < n; ++k) to[k] = from[k];
    return;
  }
  const Codes codes(g.input_type, g.input_zero_point);
  const uint8_t* from = bytes(input) + i;
  for (int32_t k = 0; k < n; ++k) to[k] = codes(from[k]);
}

}  // namespace

template <Rounding R>
void requantize_16(const RequantizeArgs& args, const void* input, void* output, int32_t begin, int32_t end) {
  const RequantizeArgs g = args;
  int32_t block[kAtOnce];
  for (int32_t r = begin; r < end; ++r)
    for (int32_t i = 0, n; i < g.row; i += n) {
      n = smaller(kAtOnce, g.row - i);
      const size_t from = static_cast<size_t>(r) * static_cast<size_t>(g.row) + static_cast<size_t>(i);
      const size_t to = static_cast<size_t>(r) * static_cast<size_t>(g.output_stride) + static_cast<size_t>(i);
      read_block(g, input, from, n, block);
      for (int32_t k = 0; k < n; ++k) {
        const int32_t v = qmath::multiply_fixed<R>(block[k], g.multiplier, g.shift);
        block[k] = qmath::limit(qmath::saturate(static_cast<int64_t>(v) + g.output.zero_point), g.output);
      }
      if (is_wide(g.output_type)) {
        for (int32_t k = 0; k < n; ++k) wide(output)[to + static_cast<size_t>(k)] = static_cast<int16_t>(block[k]);
      } else {
        for (int32_t k = 0; k < n; ++k) bytes(output)[to + static_cast<size_t>(k)] = static_cast<uint8_t>(block[k]);
      }
    }
}

template void requantize_16<static_cast<Rounding>(OCTET_ROUNDING)>(const RequantizeArgs&, const void*, void*, int32_t, int32_t);

}  // namespace octet::kernels
