// SPDX-License-Identifier: Apache-2.0
// The inner block of the M4 fully connected layer: one input row x 8 outputs at a time, two outputs a 16-bit weight as in
// m4_conv2d_block.h. The hand-allocated form is m4_linear_block.S; this is its meaning in intrinsics.
#pragma once

#include "kernels/cortex_m/m4_requantize.h"

namespace octet::cortex_m::m4 {

/// x: two words for four inputs (0, 2 and 1, 3). `stream`, for each group of eight: four pairs of start values (256 A + B and B),
/// for each four inputs two words of each pair, eight Rescale. `steps`: fours of inputs.
struct LinearBlock {
  const uint32_t* x;
  int32_t steps, groups;
  const uint32_t* stream;
  int8_t* out;
  RealOutput real;
};

#if defined(OCTET_M4_ASSEMBLY)
extern "C" void octet_m4_linear_fixed_double(const LinearBlock*);
extern "C" void octet_m4_linear_fixed_single(const LinearBlock*);
extern "C" void octet_m4_linear_real(const LinearBlock*);
#endif

template <Rounding R>
inline void linear_block(const LinearBlock& block) {
#if defined(OCTET_M4_ASSEMBLY)
  if constexpr (R == Rounding::fixed_double) return octet_m4_linear_fixed_double(&block);
  if constexpr (R == Rounding::fixed_single) return octet_m4_linear_fixed_single(&block);
  if constexpr (R == Rounding::real) return octet_m4_linear_real(&block);
#else
  const uint32_t* w = block.stream;
  int8_t* out = block.out;
  for (int32_t g = 0; g < block.groups; ++g) {
    int32_t both[4], low[4];
    for (int32_t p = 0; p < 4; ++p, w += 2) both[p] = static_cast<int32_t>(w[0]), low[p] = static_cast<int32_t>(w[1]);
    const uint32_t* x = block.x;
    for (int32_t s = 0; s < block.steps; ++s, x += 2)
      for (int32_t p = 0; p < 4; ++p, w += 2) {
        both[p] = smlad(x[1], w[1], smlad(x[0], w[0], both[p]));
        low[p] = smlad(x[1], sxtb16(w[1]), smlad(x[0], sxtb16(w[0]), low[p]));
      }
    for (int32_t p = 0; p < 4; ++p, w += 6) {
      Rescale s[2];
      __builtin_memcpy(s, w, sizeof s);
      *out++ = static_cast<int8_t>(code<R>(unpair<R>(both[p], low[p]), s[0], block.real));
      *out++ = static_cast<int8_t>(code<R>(low[p], s[1], block.real));
    }
  }
#endif
}

}  // namespace octet::cortex_m::m4
