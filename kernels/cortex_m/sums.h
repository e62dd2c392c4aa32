// SPDX-License-Identifier: Apache-2.0
// Layers with a residual: the blocks leave accumulators, and these become codes together with the residual.
#pragma once

#include "kernels/cortex_m/cortex_m.h"
#include "kernels/qmath.h"

namespace octet::cortex_m {

/// One output channel, behind the groups of packed weights. fixed modes: multiplier in units of 2^-residual_shift, bias codes.
/// real: the bits of two floats, scale and bias.
struct SumConstants {
  int32_t multiplier, bias;
};

/// What one pixel's channels take before they go to the output, filled up to groups of four: codes, or accumulators.
inline int32_t spare_bytes(const Conv2dArgs& a) { return round_up(a.out_c, 4) * (has_residual(a) ? 4 : 1); }

inline float float_of(int32_t bits) {
  float f;
  __builtin_memcpy(&f, &bits, sizeof f);
  return f;
}

/// Codes of one pixel's accumulators, without bias, and residuals, which may lie at `to`.
template <Rounding R>
inline void finish_sums(const Conv2dArgs& a, const int32_t* sums, const int8_t* constants, const int8_t* residual, int8_t* to) {
  const kernels::OutputArgs output = a.output;
  const qmath::ResidualScale scale{a.residual_scale, a.residual_multiplier, a.residual_shift};
  const int32_t zero = a.residual_zero_point;
  for (int32_t c = 0; c < a.out_c; ++c, constants += sizeof(SumConstants)) {
    SumConstants s;
    __builtin_memcpy(&s, constants, sizeof s);
    qmath::Scale own{0, 0, s.bias, s.multiplier, 0};
    if constexpr (R == Rounding::real) own = {float_of(s.multiplier), float_of(s.bias), 0, 0, 0};
    to[c] = static_cast<int8_t>(qmath::requantize_sum<R>(sums[c], own, residual[c] - zero, scale, output, -128));
  }
}

}  // namespace octet::cortex_m
