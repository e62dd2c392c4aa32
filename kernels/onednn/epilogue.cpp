// SPDX-License-Identifier: Apache-2.0
// Compiled once per x86-64 level (kernels/onednn/meson.build). Results go through a small block on the stack: in place runs are
// then plain C++, and the compiler need not prove that output and residual are apart.
#include "kernels/onednn/epilogue.h"

#if defined(__AVX512BW__)
#include <immintrin.h>
#endif

#include "kernels/qmath.h"

namespace octet::onednn::OCTET_ISA {
namespace {

constexpr int64_t kBlock = 256;

/// What code_of_real needs, as floats in the unsigned domain.
struct Output {
  float inv_scale, zero_point, lo, hi;
  uint8_t flip;
};

/// qmath::code_of_real with its conversion left out: what is limited to [0, 255] and rounded by adding 1.5 * 2^23 has its integer
/// in the low bits of the float, and the low byte of a code of either type is that integer, the top bit flipped for i8.
[[gnu::always_inline]] inline uint8_t code_byte(float v, const Output& o) {
  float x = v * o.inv_scale + o.zero_point;
  x = x > o.lo ? x : o.lo;
  x = x < o.hi ? x : o.hi;
  return static_cast<uint8_t>(static_cast<uint8_t>(__builtin_bit_cast(uint32_t, x + 12582912.0f)) ^ o.flip);
}

/// n <= kBlock.
[[gnu::always_inline]] inline void add_block(int64_t n, const float* sums, const uint8_t* residual, const Residual& r,
                                             const Output& o, uint8_t* to) {
  alignas(64) uint8_t block[kBlock];
  for (int64_t i = 0; i < n; ++i) {
    const int32_t difference = static_cast<uint8_t>(residual[i] ^ r.flip) - r.zero_point;
    block[i] = code_byte(sums[i] + qmath::dequantize(difference, r.scale), o);
  }
  __builtin_memcpy(to, block, static_cast<size_t>(n));
}

#if defined(__AVX512BW__)
/// The rounded, still unlimited below, code of 16 outputs. A NaN and what overflows downwards come out as the lowest integer, which
/// packing turns into 0.
[[gnu::always_inline]] inline __m512i codes_of(const float* sums, const uint8_t* residual, const Residual& r, const Output& o) {
  const __m128i bytes =
      _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(residual)), _mm_set1_epi8(static_cast<char>(r.flip)));
  const __m512i difference = _mm512_sub_epi32(_mm512_cvtepu8_epi32(bytes), _mm512_set1_epi32(r.zero_point));
  const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(difference), _mm512_set1_ps(r.scale));
  const __m512 v = _mm512_add_ps(_mm512_loadu_ps(sums), product);
  const __m512 x = _mm512_add_ps(_mm512_mul_ps(v, _mm512_set1_ps(o.inv_scale)), _mm512_set1_ps(o.zero_point));
  return _mm512_cvt_roundps_epi32(_mm512_min_ps(_mm512_set1_ps(o.hi), x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/// The same operations as add_block, but four vectors share their packing, which also limits from below. GCC's own narrowing takes
/// more instructions than the arithmetic.
[[gnu::always_inline]] inline void add_64(const float* sums, const uint8_t* residual, const Residual& r, const Output& o,
                                          uint8_t* to) {
  const __m512i in_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i ab = _mm512_packs_epi32(codes_of(sums, residual, r, o), codes_of(sums + 16, residual + 16, r, o));
  const __m512i cd = _mm512_packs_epi32(codes_of(sums + 32, residual + 32, r, o), codes_of(sums + 48, residual + 48, r, o));
  __m512i codes = _mm512_permutexvar_epi32(in_order, _mm512_packus_epi16(ab, cd));
  codes = _mm512_max_epu8(codes, _mm512_set1_epi8(static_cast<char>(static_cast<uint8_t>(o.lo))));
  _mm512_storeu_si512(to, _mm512_xor_si512(codes, _mm512_set1_epi8(static_cast<char>(o.flip))));
}
#endif

void add_residual(int64_t n, const float* sums, const uint8_t* residual, const Residual& residual_args,
                  const kernels::OutputArgs& output, int32_t low, uint8_t* to) {
  const Residual r = residual_args;
  const Output o{output.inv_scale, static_cast<float>(output.zero_point - low), static_cast<float>(output.clamp_min - low),
                 static_cast<float>(output.clamp_max - low), static_cast<uint8_t>(low != 0 ? 0x80 : 0)};
  int64_t i = 0;
#if defined(__AVX512BW__)
  for (; i + 64 <= n; i += 64) add_64(sums + i, residual + i, r, o, to + i);
#endif
  for (; i + kBlock <= n; i += kBlock) add_block(kBlock, sums + i, residual + i, r, o, to + i);
  if (i < n) add_block(n - i, sums + i, residual + i, r, o, to + i);
}

void limit(int64_t n, uint8_t lo, uint8_t hi, uint8_t flip, uint8_t* codes) {
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t raised = codes[i] < lo ? lo : codes[i];
    codes[i] = static_cast<uint8_t>((raised > hi ? hi : raised) ^ flip);
  }
}

}  // namespace

const Epilogue kEpilogue = {add_residual, limit};

}  // namespace octet::onednn::OCTET_ISA
