// SPDX-License-Identifier: Apache-2.0
// The inner block of the M55 convolution: 2 pixels x 4 output channels at a time, through all groups of four. The hand-allocated
// form is m55_conv2d_block.S; this is its meaning in intrinsics.
#pragma once

#include "kernels/cortex_m/mve.h"

namespace octet::cortex_m::m55 {

/// x0, x1: the windows of two pixels, 16 * steps bytes. `stream`, for each group: for each 16 inputs 16 weights of each of four
/// channels, then Rescale4. The block uses its argument as working memory. A block of sums has four start values in place of
/// Rescale4, and writes 32-bit accumulators.
struct ConvBlock {
  const int8_t *x0, *x1;
  int32_t steps, groups;
  const int8_t* stream;
  int8_t *out0, *out1;
  Output4 output;
};

#if defined(OCTET_M55_ASSEMBLY)
extern "C" void octet_m55_conv2d_fixed_double(ConvBlock*);
extern "C" void octet_m55_conv2d_fixed_single(ConvBlock*);
extern "C" void octet_m55_conv2d_real(ConvBlock*);
extern "C" void octet_m55_conv2d_sums_fixed_double(ConvBlock*);
extern "C" void octet_m55_conv2d_sums_fixed_single(ConvBlock*);
extern "C" void octet_m55_conv2d_sums_real(ConvBlock*);
#endif

template <Rounding R, bool Sums>
inline void conv_block(ConvBlock block) {
#if defined(OCTET_M55_ASSEMBLY)
  if constexpr (Sums && R == Rounding::fixed_double) return octet_m55_conv2d_sums_fixed_double(&block);
  if constexpr (Sums && R == Rounding::fixed_single) return octet_m55_conv2d_sums_fixed_single(&block);
  if constexpr (Sums && R == Rounding::real) return octet_m55_conv2d_sums_real(&block);
  if constexpr (R == Rounding::fixed_double) return octet_m55_conv2d_fixed_double(&block);
  if constexpr (R == Rounding::fixed_single) return octet_m55_conv2d_fixed_single(&block);
  if constexpr (R == Rounding::real) return octet_m55_conv2d_real(&block);
#else
  const int8_t* w = block.stream;
  for (int32_t g = 0; g < block.groups; ++g) {
    int32_t sums0[4] = {}, sums1[4] = {};
    for (int32_t k = 0; k < 16 * block.steps; k += 16)
      for (int32_t c = 0; c < 4; ++c, w += 16) {
        sums0[c] = dot16(sums0[c], block.x0 + k, w);
        sums1[c] = dot16(sums1[c], block.x1 + k, w);
      }
    if constexpr (Sums) {
      int32_t start[4];
      __builtin_memcpy(start, w, sizeof start);
      for (int32_t c = 0; c < 4; ++c) sums0[c] = wrap(sums0[c], start[c]), sums1[c] = wrap(sums1[c], start[c]);
      __builtin_memcpy(block.out0 + sizeof start * static_cast<size_t>(g), sums0, sizeof start);
      __builtin_memcpy(block.out1 + sizeof start * static_cast<size_t>(g), sums1, sizeof start);
      w += sizeof start;
    } else {
      finish4<R>(sums0, w, block.output, block.out0 + 4 * g);
      finish4<R>(sums1, w, block.output, block.out1 + 4 * g);
      w += sizeof(Rescale4);
    }
  }
#endif
}

}  // namespace octet::cortex_m::m55
