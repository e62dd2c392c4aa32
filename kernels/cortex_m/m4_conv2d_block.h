// SPDX-License-Identifier: Apache-2.0
// The inner block of the M4 convolution: 2 pixels x 4 output channels at a time, through all groups of four. The hand-allocated
// form is m4_conv2d_block.S; this is its meaning in intrinsics, for targets without it and to test it against.
//
// Two output channels share a 16-bit weight 256 * A + B, so that one SMLAD with the stored word adds to 256 * A + B and one with
// its SXTB16 adds to B: one unpacking for four weights. A = (both - B) / 256 is exact while |A| < 2^23, which pack proves.
#pragma once

#include "kernels/cortex_m/m4_requantize.h"

namespace octet::cortex_m::m4 {

/// x: for each pair of inputs the word of pixel 0 and that of pixel 1. `stream`, for each group: four start values (256 A + B and
/// B, 256 C + D and D), for each pair of inputs the two weight words, four Rescale. `steps`: pairs of inputs, even. A block of sums
/// has no Rescale, and writes 32-bit accumulators.
struct ConvBlock {
  const uint32_t* x;
  int32_t steps, groups;
  const uint32_t* stream;
  int8_t *out0, *out1;
  RealOutput real;
};

#if defined(OCTET_M4_ASSEMBLY)
extern "C" void octet_m4_conv2d_fixed_double(const ConvBlock*);
extern "C" void octet_m4_conv2d_fixed_single(const ConvBlock*);
extern "C" void octet_m4_conv2d_real(const ConvBlock*);
extern "C" void octet_m4_conv2d_sums_fixed_double(const ConvBlock*);
extern "C" void octet_m4_conv2d_sums_fixed_single(const ConvBlock*);
extern "C" void octet_m4_conv2d_sums_real(const ConvBlock*);
#endif

template <Rounding R, bool Sums>
inline void conv_block(const ConvBlock& block) {
#if defined(OCTET_M4_ASSEMBLY)
  if constexpr (Sums && R == Rounding::fixed_double) return octet_m4_conv2d_sums_fixed_double(&block);
  if constexpr (Sums && R == Rounding::fixed_single) return octet_m4_conv2d_sums_fixed_single(&block);
  if constexpr (Sums && R == Rounding::real) return octet_m4_conv2d_sums_real(&block);
  if constexpr (R == Rounding::fixed_double) return octet_m4_conv2d_fixed_double(&block);
  if constexpr (R == Rounding::fixed_single) return octet_m4_conv2d_fixed_single(&block);
  if constexpr (R == Rounding::real) return octet_m4_conv2d_real(&block);
#else
  const uint32_t* w = block.stream;
  int8_t *out0 = block.out0, *out1 = block.out1;
  for (int32_t g = 0; g < block.groups; ++g) {
    int32_t ab0 = static_cast<int32_t>(w[0]), b0 = static_cast<int32_t>(w[1]);
    int32_t cd0 = static_cast<int32_t>(w[2]), d0 = static_cast<int32_t>(w[3]);
    int32_t ab1 = ab0, b1 = b0, cd1 = cd0, d1 = d0;
    w += 4;
    const uint32_t* x = block.x;
    for (int32_t s = 0; s < block.steps; ++s, x += 2, w += 2) {
      ab0 = smlad(x[0], w[0], ab0);
      ab1 = smlad(x[1], w[0], ab1);
      cd0 = smlad(x[0], w[1], cd0);
      cd1 = smlad(x[1], w[1], cd1);
      const uint32_t b = sxtb16(w[0]), d = sxtb16(w[1]);
      b0 = smlad(x[0], b, b0);
      b1 = smlad(x[1], b, b1);
      d0 = smlad(x[0], d, d0);
      d1 = smlad(x[1], d, d1);
    }
    constexpr Rounding kPair = Sums ? Rounding::fixed_double : R;  // 1 or 256 times the high channel
    const int32_t acc0[4] = {unpair<kPair>(ab0, b0), b0, unpair<kPair>(cd0, d0), d0};
    const int32_t acc1[4] = {unpair<kPair>(ab1, b1), b1, unpair<kPair>(cd1, d1), d1};
    if constexpr (Sums) {
      __builtin_memcpy(out0, acc0, sizeof acc0);
      __builtin_memcpy(out1, acc1, sizeof acc1);
      out0 += sizeof acc0, out1 += sizeof acc1;
      continue;
    }
    for (int32_t c = 0; c < 4; ++c, w += 3) {
      Rescale s;
      __builtin_memcpy(&s, w, sizeof s);
      *out0++ = static_cast<int8_t>(code<R>(acc0[c], s, block.real));
      *out1++ = static_cast<int8_t>(code<R>(acc1[c], s, block.real));
    }
  }
#endif
}

}  // namespace octet::cortex_m::m4
