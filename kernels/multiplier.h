// SPDX-License-Identifier: Apache-2.0
// Host side of the fixed rounding modes: a positive real number as the Q31 multiplier and shift that qmath.h's multiply_fixed
// takes.
#pragma once

#include <cstdint>

namespace octet {

/// multiplier * 2^(shift - 31)
struct FixedMultiplier {
  int32_t multiplier, shift;
};

/// `real` >= 0 and finite, split by frexp as TensorFlow Lite does: halves away from zero, 0 below 2^-32, saturated from 2^30 on.
FixedMultiplier quantize_multiplier(double real);

}  // namespace octet
