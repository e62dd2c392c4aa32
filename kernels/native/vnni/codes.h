// SPDX-License-Identifier: Apache-2.0
// From sums to codes, 64 at a time, operation by operation as kernels/qmath.h has it. Only for this folder's units.
#pragma once

#include <immintrin.h>

#include "kernels/native/vnni/vnni.h"

namespace octet::native::vnni {
namespace {

/// sum + the products of four unsigned codes and four signed weights, by lane. Assembly because g++ 12 copies every sum of a loop
/// twice a turn around the intrinsic.
[[gnu::always_inline]] inline __m512i add_products(__m512i sum, __m512i codes, __m512i weights) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(weights));
  return sum;
}

/// The codes behind a residual's 64 bytes, in lane order: zero-extended by in-lane unpacks, which the packs at the end undo.
template <int Vector>
[[gnu::always_inline]] inline __m512i widened(__m512i bytes) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i half = Vector < 2 ? _mm512_unpacklo_epi8(bytes, zero) : _mm512_unpackhi_epi8(bytes, zero);
  return Vector % 2 == 0 ? _mm512_unpacklo_epi16(half, zero) : _mm512_unpackhi_epi16(half, zero);
}

template <bool Residual, bool Shifted, int Vector>
[[gnu::always_inline]] inline __m512i rounded(__m512i sum, const float* scale, const float* bias, __m512i residual,
                                              const Rescale& r) {
  __m512 v = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_load_ps(scale)), _mm512_load_ps(bias));
  if constexpr (Residual) {
    const __m512i difference = _mm512_sub_epi32(widened<Vector>(residual), _mm512_load_si512(r.residual_zero));
    v = _mm512_add_ps(v, _mm512_mul_ps(_mm512_load_ps(r.residual_scale), _mm512_cvtepi32_ps(difference)));
  }
  v = _mm512_mul_ps(v, _mm512_load_ps(r.inv_scale));
  if constexpr (Shifted) v = _mm512_add_ps(v, _mm512_load_ps(r.shift));
  return _mm512_cvt_roundps_epi32(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/// Four vectors of sums to 64 codes. Saturating packs and byte limits do what qmath does by limiting floats first: the plan has
/// proved that no value leaves int32, and limits are integers.
template <bool Residual, bool Shifted>
[[gnu::always_inline]] inline __m512i codes(__m512i a, __m512i b, __m512i c, __m512i d, const float* const (&scale)[4],
                                            const float* const (&bias)[4], __m512i residual, const Rescale& r) {
  if constexpr (Residual) residual = _mm512_xor_si512(residual, _mm512_load_si512(r.residual_flip));
  const __m512i ab = _mm512_packs_epi32(rounded<Residual, Shifted, 0>(a, scale[0], bias[0], residual, r),
                                        rounded<Residual, Shifted, 1>(b, scale[1], bias[1], residual, r));
  const __m512i cd = _mm512_packs_epi32(rounded<Residual, Shifted, 2>(c, scale[2], bias[2], residual, r),
                                        rounded<Residual, Shifted, 3>(d, scale[3], bias[3], residual, r));
  __m512i q = _mm512_packus_epi16(ab, cd);
  q = _mm512_min_epu8(_mm512_max_epu8(q, _mm512_load_si512(r.low)), _mm512_load_si512(r.high));
  return _mm512_xor_si512(q, _mm512_load_si512(r.flip));
}

/// The lowest n bits.
[[gnu::always_inline]] inline uint64_t low_bits(int32_t n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }

}  // namespace
}  // namespace octet::native::vnni
