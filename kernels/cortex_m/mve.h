// SPDX-License-Identifier: Apache-2.0
// The Helium instructions (M-profile vector extension) that the M55 kernels use, or their exact meaning in plain C++ where the
// compiler's target lacks them. Freestanding C++17.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/args.h"

#if defined(__ARM_FEATURE_MVE) && !defined(OCTET_EMULATE)
#include <arm_mve.h>
#define OCTET_MVE 1
#endif

namespace octet::cortex_m::m55 {

/// Constants of four output channels, behind their weights: the sum of the start value and `acc` is the accumulator.
/// fixed_double: multiplier M, shift (negative) of the second rounding. fixed_single: M, and 1 more than the shift, because the
/// high half of the product is already shifted by 32. real: scale, and `shift` holds the bias.
struct Rescale4 {
  int32_t start[4], multiplier[4], shift[4];
};

/// Packed constants of an addition; `other_multiplier` 0: both operands are shifted exactly. Shifts are VRSHL's, negative.
struct AddConstants {
  int32_t swapped;  ///< 1: b is the operand that is shifted exactly
  int32_t exact_zero, other_zero, other_multiplier, other_shift, multiplier, shift;
};

/// What all channels of a layer share.
struct Output4 {
  int32_t zero, low, high;     ///< added after rounding and limits; real: limits in 0..255, zero is -128
  float inv_scale, real_zero;  ///< real: v * inv_scale + real_zero gives 0..255
};

inline Output4 output_of(const kernels::OutputArgs& o, Rounding r) {
  if (r != Rounding::real) return {o.zero_point, o.clamp_min, o.clamp_max, 0, 0};
  return {-128, o.clamp_min + 128, o.clamp_max + 128, o.inv_scale, static_cast<float>(o.zero_point + 128)};
}

/// a + b modulo 2^32: what packed constants hold is not checked, only streamed.
inline int32_t wrap(int32_t a, int32_t b) { return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b)); }

#if defined(OCTET_MVE)

inline void copy16(int8_t* to, const int8_t* from) { vst1q_s8(to, vld1q_s8(from)); }

/// acc + the dot product of 16 signed bytes.
inline int32_t dot16(int32_t acc, const int8_t* x, const int8_t* w) { return vmladavaq_s8(acc, vld1q_s8(x), vld1q_s8(w)); }

/// Four accumulators to codes, in vector registers; the constants may be the same for all lanes.
template <Rounding R>
inline int32x4_t codes4(int32x4_t v, int32x4_t multiplier, int32x4_t shift, const Output4& o) {
  if constexpr (R == Rounding::real) {
    float32x4_t f = vaddq_f32(vmulq_f32(vcvtq_f32_s32(v), vreinterpretq_f32_s32(multiplier)), vreinterpretq_f32_s32(shift));
    f = vaddq_n_f32(vmulq_n_f32(f, o.inv_scale), o.real_zero);
    v = vcvtnq_s32_f32(f);
    v = vminq_s32(vmaxq_s32(v, vdupq_n_s32(o.low)), vdupq_n_s32(o.high));
    return vaddq_n_s32(v, o.zero);
  } else {
    if constexpr (R == Rounding::fixed_double) {
      v = vqrdmulhq_s32(v, multiplier);
      v = vaddq_s32(v, vshrq_n_s32(v, 31));
    } else {
      v = vmulhq_s32(v, multiplier);
    }
    v = vaddq_n_s32(vrshlq_s32(v, shift), o.zero);
    return vminq_s32(vmaxq_s32(v, vdupq_n_s32(o.low)), vdupq_n_s32(o.high));
  }
}

/// Four sums of neighbouring channels to four neighbouring codes; `constants` is their Rescale4.
template <Rounding R>
inline void finish4(const int32_t* sums, const int8_t* constants, const Output4& o, int8_t* to) {
  const auto* s = reinterpret_cast<const Rescale4*>(constants);
  const int32x4_t v = vaddq_s32(vld1q_s32(sums), vld1q_s32(s->start));
  vstrbq_s32(to, codes4<R>(v, vld1q_s32(s->multiplier), vld1q_s32(s->shift), o));
}

/// `count` columns of n <= 8 channels each, one column `step` bytes after the other (0: the same one), to to[4 * column + pitch *
/// channel].
inline void transpose8(int8_t* to, int32_t pitch, const int8_t* from, int32_t step, int32_t n, int32_t count) {
  const uint16x8_t at = vmulq_n_u16(vidupq_n_u16(0, 1), static_cast<uint16_t>(pitch));
  if (n >= 8) {
    for (; count > 0; --count, to += 4, from += step) vstrbq_scatter_offset_s16(to, at, vldrbq_s16(from));
  } else {
    const mve_pred16_t lanes = vctp16q(static_cast<uint32_t>(n));
    for (; count > 0; --count, to += 4, from += step) vstrbq_scatter_offset_p_s16(to, at, vldrbq_z_s16(from, lanes), lanes);
  }
}

/// Sums of n <= 8 channels over `count` cells, `step` bytes apart, in 16 bits.
inline void sum_columns8(const int8_t* from, int32_t step, int32_t n, int32_t count, int16_t* sums) {
  int16x8_t sum = vdupq_n_s16(0);
  if (n >= 8) {
    for (; count > 0; --count, from += step) sum = vaddq_s16(sum, vldrbq_s16(from));
  } else {
    const mve_pred16_t lanes = vctp16q(static_cast<uint32_t>(n));
    for (; count > 0; --count, from += step) sum = vaddq_s16(sum, vldrbq_z_s16(from, lanes));
  }
  vst1q_s16(sums, sum);
}

#else

inline void transpose8(int8_t* to, int32_t pitch, const int8_t* from, int32_t step, int32_t n, int32_t count) {
  for (; count > 0; --count, to += 4, from += step)
    for (int32_t i = 0; i < n; ++i) to[i * pitch] = from[i];
}

inline void sum_columns8(const int8_t* from, int32_t step, int32_t n, int32_t count, int16_t* sums) {
  for (int32_t i = 0; i < n; ++i) {
    int32_t sum = 0;
    for (int32_t k = 0; k < count; ++k) sum += from[k * step + i];
    sums[i] = static_cast<int16_t>(sum);
  }
}

inline void copy16(int8_t* to, const int8_t* from) { __builtin_memcpy(to, from, 16); }

inline int32_t dot16(int32_t acc, const int8_t* x, const int8_t* w) {
  for (int32_t i = 0; i < 16; ++i) acc = static_cast<int32_t>(static_cast<uint32_t>(acc) + static_cast<uint32_t>(x[i] * w[i]));
  return acc;
}

inline float as_float(int32_t bits) {
  float f;
  __builtin_memcpy(&f, &bits, sizeof f);
  return f;
}

/// v / 2^-shift, halves up, as VRSHL with a shift in -31..0; any other gives some value.
inline int32_t rounding_shift(int32_t v, int32_t any_shift) {
  const int32_t shift = any_shift < -31 || any_shift > 0 ? 0 : any_shift;
  return shift == 0 ? v : static_cast<int32_t>((int64_t{v} + (int64_t{1} << (-shift - 1))) >> -shift);
}

/// VQRDMULH and the sign: the first rounding of fixed_double, made ready for the second.
inline int32_t doubled_high(int32_t v, int32_t multiplier) {
  const auto high = static_cast<int32_t>((int64_t{v} * multiplier + (int64_t{1} << 30)) >> 31);
  return wrap(high, high >> 31);
}

/// An accumulator to a code.
template <Rounding R>
inline int32_t code(int32_t acc, int32_t multiplier, int32_t shift, const Output4& o) {
  int32_t v = 0;
  if constexpr (R == Rounding::real) {
    constexpr float kMagic = 12582912.0f;
    float f = static_cast<float>(acc) * as_float(multiplier) + as_float(shift);
    f = f * o.inv_scale + o.real_zero;
    f = f > 0.0f ? f : 0.0f;
    f = f < 255.0f ? f : 255.0f;
    v = static_cast<int32_t>((f + kMagic) - kMagic);
  } else if constexpr (R == Rounding::fixed_double) {
    v = wrap(rounding_shift(doubled_high(acc, multiplier), shift), o.zero);
  } else {
    v = wrap(rounding_shift(static_cast<int32_t>(int64_t{acc} * multiplier >> 32), shift), o.zero);
  }
  v = v < o.low ? o.low : v > o.high ? o.high : v;
  return R == Rounding::real ? v + o.zero : v;
}

template <Rounding R>
inline void finish4(const int32_t* sums, const int8_t* constants, const Output4& o, int8_t* to) {
  Rescale4 s;
  __builtin_memcpy(&s, constants, sizeof s);
  for (int32_t i = 0; i < 4; ++i) {
    const auto acc = static_cast<int32_t>(static_cast<uint32_t>(sums[i]) + static_cast<uint32_t>(s.start[i]));
    to[i] = static_cast<int8_t>(code<R>(acc, s.multiplier[i], s.shift[i], o));
  }
}

#endif

}  // namespace octet::cortex_m::m55
