// SPDX-License-Identifier: Apache-2.0
// See multiplier.h. Uses the host's frexp: runs once when a layer is lowered, never on a device.
#include "kernels/multiplier.h"

#include <cmath>

namespace octet {

FixedMultiplier quantize_multiplier(double real) {
  if (!(real > 0)) return {0, 0};
  int shift = 0;
  const double mantissa = std::frexp(real, &shift);                       // [0.5, 1)
  auto q31 = static_cast<int64_t>(std::round(std::ldexp(mantissa, 31)));  // halves away from zero
  if (q31 == int64_t{1} << 31) {
    q31 /= 2;
    ++shift;
  }
  if (shift < -31) return {0, 0};          // every int32 would round to zero
  if (shift > 30) return {INT32_MAX, 30};  // every code but the zero point saturates anyway
  return {static_cast<int32_t>(q31), shift};
}

}  // namespace octet
