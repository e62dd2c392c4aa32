// SPDX-License-Identifier: Apache-2.0
// From an accumulator to a code on Cortex-M4: the record of constants that lies behind each group of packed weights, and the few
// instructions that use it. The hand-allocated blocks (*.S) do the same, instruction by instruction.
#pragma once

#include "kernels/args.h"
#include "kernels/cortex_m/dsp.h"

namespace octet::cortex_m::m4 {

/// fixed_double: multiplier = 2 M mod 2^32, addend = 2^(e-1) + zero point * 2^e, shift = e.
/// fixed_single: multiplier = M, addend = 2^(shift-1) + zero point * 2^shift, shift = e - 1, or e + 7 for an accumulator times 256.
/// real: multiplier and addend are the bits of two floats, scale (/ 256 for an accumulator times 256) and bias.
struct Rescale {
  int32_t multiplier, addend, shift;
};

/// What all channels of a layer share, real mode only: v * inv_scale + zero gives 0..255.
struct RealOutput {
  float inv_scale, zero;
};

/// Packed constants of an addition: the other operand's rescaled values by its byte, with the exact operand's zero point taken off.
struct AddTable {
  int32_t swapped;  ///< 1: b is the operand that is shifted exactly
  Rescale rescale;
  int32_t rescaled[256];
};

/// Zeros in the fixed modes, which touch no float register.
template <Rounding R>
inline RealOutput real_output(const kernels::OutputArgs& o) {
  if constexpr (R == Rounding::real) return {o.inv_scale, static_cast<float>(o.zero_point + 128)};
  return {};
}

inline float as_float(int32_t bits) {
  float f;
  __builtin_memcpy(&f, &bits, sizeof f);
  return f;
}

/// acc is the accumulator; in fixed_single and real it is 256 times that where the record says so.
template <Rounding R>
inline int32_t code(int32_t acc, const Rescale& s, const RealOutput& o) {
  if constexpr (R == Rounding::fixed_double) {
    const int32_t high = smmlar(acc, s.multiplier, acc);
    return ssat8(asr(wrap(wrap(high, high >> 31), s.addend), s.shift));
  } else if constexpr (R == Rounding::fixed_single) {
    return ssat8(asr(wrap(smmul(acc, s.multiplier), s.addend), s.shift));
  } else {
    const float v = static_cast<float>(acc) * as_float(s.multiplier) + as_float(s.addend);
    return round_u8(v * o.inv_scale + o.zero) ^ -128;
  }
}

/// The high channel of a pair from the two sums: 256 A + B and B.
template <Rounding R>
inline int32_t unpair(int32_t both, int32_t low) {
  const auto high = static_cast<int32_t>(static_cast<uint32_t>(both) - static_cast<uint32_t>(low));
  return R == Rounding::fixed_double ? high >> 8 : high;
}

/// Limits the codes of a finished layer where they are not the type's own.
void clamp_codes(int8_t* codes, int32_t count, const kernels::OutputArgs&);

}  // namespace octet::cortex_m::m4
