// SPDX-License-Identifier: Apache-2.0
// The inner block of the M55 fully connected layer: one input row x 4 outputs, 16 inputs a step. The hand-allocated form is
// m55_linear_block.S; this is its meaning in intrinsics.
#pragma once

#include "kernels/cortex_m/mve.h"

namespace octet::cortex_m::m55 {

/// x: 16 * steps inputs, steps at least 1. `stream`: as for a convolution (m55_conv2d_block.h).
struct LinearBlock {
  const int8_t* x;
  int32_t steps, groups;
  const int8_t* stream;
  int8_t* out;
  Output4 output;
};

#if defined(OCTET_M55_ASSEMBLY)
extern "C" void octet_m55_linear_fixed_double(const LinearBlock*);
extern "C" void octet_m55_linear_fixed_single(const LinearBlock*);
extern "C" void octet_m55_linear_real(const LinearBlock*);
#endif

template <Rounding R>
inline void linear_block(const LinearBlock& block) {
#if defined(OCTET_M55_ASSEMBLY)
  if constexpr (R == Rounding::fixed_double) return octet_m55_linear_fixed_double(&block);
  if constexpr (R == Rounding::fixed_single) return octet_m55_linear_fixed_single(&block);
  if constexpr (R == Rounding::real) return octet_m55_linear_real(&block);
#else
  const int8_t* w = block.stream;
  for (int32_t g = 0; g < block.groups; ++g) {
    int32_t sums[4] = {};
    for (int32_t k = 0; k < 16 * block.steps; k += 16)
      for (int32_t c = 0; c < 4; ++c, w += 16) sums[c] = dot16(sums[c], block.x + k, w);
    finish4<R>(sums, w, block.output, block.out + 4 * g);
    w += sizeof(Rescale4);
  }
#endif
}

}  // namespace octet::cortex_m::m55
