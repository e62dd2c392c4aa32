// SPDX-License-Identifier: Apache-2.0
// 16-bit floats of files, as float32, exactly.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace octet {

/// IEEE binary16.
inline float float_of_half(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const float size = exponent == 31
                         ? (fraction == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN())
                     : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                     : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return (half & 0x8000) != 0 ? -size : size;
}

}  // namespace octet
