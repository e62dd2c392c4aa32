// SPDX-License-Identifier: Apache-2.0
// The scalar arithmetic of quantization (docs/architecture.md, section 4): rounding, quantize, dequantize and the four ways from an
// accumulator to a code. Freestanding C++17: no libm, no exceptions. Each float operation is one binary32 operation, so this header
// is only for translation units built without contraction and without fast math; it must never be inlined into a user's code.
#pragma once

#include "kernels/args.h"

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__)
#error "octet's arithmetic is exact: build without -ffast-math"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16
#error "octet's arithmetic needs float operations that round to float (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif

namespace octet::qmath {

using kernels::CodeType;
using kernels::OutputArgs;

/// Lowest code of a type: what lies between its codes and the unsigned ones.
inline int32_t lowest(CodeType type) { return type == CodeType::i8 ? -128 : type == CodeType::i16 ? -32768 : 0; }

/// Nearest integer, ties to even, of x limited to [lo, hi]; NaN gives lo. Adding 1.5 * 2^23 leaves no fraction bits for |x| <=
/// 2^22, so the addition itself rounds, and limiting first means that no out-of-range float is ever converted.
inline int32_t round_within(float x, float lo, float hi) {
  constexpr float kMagic = 12582912.0f;
  x = x > lo ? x : lo;
  x = x < hi ? x : hi;
  return static_cast<int32_t>((x + kMagic) - kMagic);
}

inline int32_t limit(int32_t q, const OutputArgs& o) { return q < o.clamp_min ? o.clamp_min : q > o.clamp_max ? o.clamp_max : q; }

/// clamp( rne(scaled) + zero_point ): the zero point is added after rounding.
inline int32_t round_then_shift(float scaled, const OutputArgs& o) {
  return round_within(scaled, static_cast<float>(o.clamp_min - o.zero_point), static_cast<float>(o.clamp_max - o.zero_point)) +
         o.zero_point;
}

/// x between two whole limits of at most 2^22, rounded to nearest with halves away from zero.
inline int32_t round_half_away_within(float x, float lo, float hi) {
  x = x > lo ? x : lo;
  x = x < hi ? x : hi;
  const auto whole = static_cast<int32_t>(x);
  const float rest = x - static_cast<float>(whole);  // exact
  return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

/// clamp( rne(x * f32(1/s)) + z ); int_bias: rne(x / s); fixed: x / s with halves away from zero. NaN gives z.
template <Rounding R>
inline int32_t quantize(float x, const OutputArgs& o) {
  const float lo = static_cast<float>(o.clamp_min - o.zero_point), hi = static_cast<float>(o.clamp_max - o.zero_point);
  int32_t q;
  if constexpr (R == Rounding::real)
    q = round_within(x * o.inv_scale, lo, hi);
  else if constexpr (R == Rounding::int_bias)
    q = round_within(x / o.inv_scale, lo, hi);
  else
    q = round_half_away_within(x / o.inv_scale, lo, hi);
  return x != x ? o.zero_point : q + o.zero_point;
}

/// scale * f32(q - z), of the difference.
inline float dequantize(int32_t difference, float scale) { return scale * static_cast<float>(difference); }

/// Real units to a code, real mode of convolution and linear: the zero point is added before the rounding, in the unsigned domain,
/// so that u8 and i8 give the same codes: clamp( rne(v * f32(1/so) + f32(zo - lo)) + lo ).
inline int32_t code_of_real(float v, const OutputArgs& o, int32_t lo) {
  const float shifted = v * o.inv_scale + static_cast<float>(o.zero_point - lo);
  return round_within(shifted, static_cast<float>(o.clamp_min - lo), static_cast<float>(o.clamp_max - lo)) + lo;
}

/// a + b with wrap-around: bounds are proved when a layer is lowered, this only keeps a broken promise defined.
inline int32_t wrapping_add(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

/// a - b with wrap-around.
inline int32_t wrapping_sub(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b));
}

inline int32_t saturate(int64_t x) { return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : static_cast<int32_t>(x); }

/// x / 2^bits, halves away from zero; bits in 0..31.
inline int32_t shift_half_away(int32_t x, int32_t bits) {
  const int32_t mask = static_cast<int32_t>((uint32_t{1} << bits) - 1);
  const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> bits) + ((x & mask) > threshold ? 1 : 0);
}

/// x * multiplier * 2^(shift - 31) for a Q31 multiplier >= 0 and a shift in [-31, 30] (positive: left).
/// fixed_double: left shift (saturating), product's high half rounded half up, right shift rounded half away from zero.
/// fixed_single: one 64-bit product, one shift, half up; saturated.
template <Rounding R>
inline int32_t multiply_fixed(int32_t x, int32_t multiplier, int32_t shift) {
  static_assert(R == Rounding::fixed_double || R == Rounding::fixed_single, "only the fixed modes have integer multipliers");
  if constexpr (R == Rounding::fixed_double) {
    const int32_t shifted = shift > 0 ? saturate(static_cast<int64_t>(x) * (int32_t{1} << shift)) : x;
    const int64_t product = static_cast<int64_t>(shifted) * multiplier + (int64_t{1} << 30);
    return shift_half_away(static_cast<int32_t>(product >> 31), shift > 0 ? 0 : -shift);
  } else {
    const int32_t right = 31 - shift;
    return saturate((static_cast<int64_t>(x) * multiplier + (int64_t{1} << (right - 1))) >> right);
  }
}

/// The same of a 64-bit sum, |x| below 2^47, with the multiplier's upper 16 bits, a shift in [-31, 14] and one rounding, half up:
/// TensorFlow Lite's rescaling of layers of 16-bit codes, in both fixed modes. Saturated.
inline int32_t multiply_fixed_16(int64_t x, int32_t multiplier, int32_t shift) {
  const int32_t upper = multiplier < 0x7fff0000 ? (multiplier + (1 << 15)) >> 16 : 0x7fff;
  const int32_t right = 15 - shift;
  return saturate((x * upper + (int64_t{1} << (right - 1))) >> right);
}

/// High half of the doubled product, ties upward.
inline int32_t multiply_high(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  return static_cast<int32_t>((static_cast<int64_t>(a) * b + (int64_t{1} << 30)) >> 31);
}

/// 2 / (1 + a) in units of 2^-29 for a in [0, 1) in units of 2^-31: three steps of Newton's method, as gemmlowp does them.
inline int32_t reciprocal_of_one_plus(int32_t a) {
  const int32_t half = static_cast<int32_t>((static_cast<int64_t>(a) + INT32_MAX + 1) >> 1);
  int32_t x = wrapping_add(1515870810, multiply_high(half, -1010580540));
  for (int step = 0; step < 3; ++step)
    x = wrapping_add(x, saturate(int64_t{4} * multiply_high(x, wrapping_add(1 << 29, -multiply_high(half, x)))));
  return x;
}

/// n / d for d > 0, halves away from zero: the fixed modes' average.
inline int32_t divide_half_away(int32_t n, int32_t d) { return n > 0 ? (n + d / 2) / d : (n - d / 2) / d; }

/// a * b + c with one rounding, without libm or fma hardware. The product is exact in binary64; TwoSum gives the sum's error, and a
/// sum rounded to odd (53 bits, more than 24 + 2) can be rounded once more without harm.
inline float fma_exact(float a, float b, float c) {
  const double product = static_cast<double>(a) * b, addend = c;
  double sum = product + addend;
  const double part = sum - product;
  const double error = (product - (sum - part)) + (addend - part);
  uint64_t bits;
  __builtin_memcpy(&bits, &sum, sizeof bits);
  if ((error > 0 || error < 0) && (bits & 1) == 0) {
    bits = (error > 0) == (sum > 0) ? bits + 1 : bits - 1;
    __builtin_memcpy(&sum, &bits, sizeof sum);
  }
  return static_cast<float>(sum);
}

/// How one output channel's accumulator is rescaled; a mode reads only its own fields (kernels::Channels).
struct Scale {
  float scale, bias;
  int32_t bias_codes, multiplier, shift;
};

/// How a residual's difference from its zero point is rescaled; a mode reads only its own fields (kernels::Conv2dArgs).
struct ResidualScale {
  float scale;
  int32_t multiplier, shift;
};

/// An accumulator and a residual to a code: one rounding of their sum. The fixed modes have 64 bits for it, halves go up in both.
template <Rounding R>
inline int32_t requantize_sum(int32_t acc, const Scale& s, int32_t difference, const ResidualScale& r, const OutputArgs& o,
                              int32_t lo) {
  if constexpr (R == Rounding::real) {
    return code_of_real(static_cast<float>(acc) * s.scale + s.bias + dequantize(difference, r.scale), o, lo);
  } else if constexpr (R == Rounding::int_bias) {
    const float own = static_cast<float>(wrapping_add(acc, s.bias_codes)) * s.scale;
    return round_then_shift(own + dequantize(difference, r.scale), o);
  } else {
    const int64_t own = static_cast<int64_t>(wrapping_add(acc, s.bias_codes)) * s.multiplier;
    const int64_t other = static_cast<int64_t>(difference * (int32_t{1} << kernels::kResidualBits)) * r.multiplier;
    const int64_t scaled = (own + other + (int64_t{1} << (r.shift - 1))) >> r.shift;
    return limit(saturate(scaled + o.zero_point), o);
  }
}

/// An accumulator to a code; lo is lowest(output type).
template <Rounding R>
inline int32_t requantize(int32_t acc, const Scale& s, const OutputArgs& o, int32_t lo) {
  if constexpr (R == Rounding::real) {
    return code_of_real(static_cast<float>(acc) * s.scale + s.bias, o, lo);
  } else if constexpr (R == Rounding::int_bias) {
    return round_then_shift(static_cast<float>(wrapping_add(acc, s.bias_codes)) * s.scale, o);
  } else {
    const int32_t scaled = multiply_fixed<R>(wrapping_add(acc, s.bias_codes), s.multiplier, s.shift);
    return limit(saturate(static_cast<int64_t>(scaled) + o.zero_point), o);
  }
}

}  // namespace octet::qmath
