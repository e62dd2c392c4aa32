// SPDX-License-Identifier: Apache-2.0
// Copies of input rows with a border of zero-point codes. Only for this folder's units.
#pragma once

#include "kernels/native/vnni/codes.h"

namespace octet::native::vnni {
namespace {

[[gnu::always_inline]] inline void fill(uint8_t* to, int64_t n, uint8_t value) {
  const __m512i v = _mm512_set1_epi8(static_cast<char>(value));
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) _mm512_storeu_si512(to + i, v);
  if (i < n) _mm512_mask_storeu_epi8(to + i, low_bits(static_cast<int32_t>(n - i)), v);
}

[[gnu::always_inline]] inline void copy(const uint8_t* from, int64_t n, uint8_t flip, uint8_t* to) {
  const __m512i flips = _mm512_set1_epi8(static_cast<char>(flip));
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_loadu_si512(from + i), flips));
  if (i < n) {
    const __mmask64 rest = low_bits(static_cast<int32_t>(n - i));
    _mm512_mask_storeu_epi8(to + i, rest, _mm512_xor_si512(_mm512_maskz_loadu_epi8(rest, from + i), flips));
  }
}

/// Every `step`-th pixel of n bytes, packed.
template <int Bytes>
[[gnu::always_inline]] inline void copy_pixels(const uint8_t* from, int32_t pixels, int64_t step, uint8_t flip, uint8_t* to) {
  typedef uint8_t Pixel __attribute__((vector_size(Bytes)));
  const Pixel flips = Pixel{} + flip;
  for (int32_t i = 0; i < pixels; ++i, from += step, to += Bytes) {
    Pixel p;
    __builtin_memcpy(&p, from, Bytes);
    p ^= flips;
    __builtin_memcpy(to, &p, Bytes);
  }
}

/// The real pixels of an input row into its place in the copy; the border is not touched.
inline void copy_row(const Source& s, const uint8_t* row, uint8_t* to) {
  if (s.planes == 1)
    return copy(row, int64_t{s.in_w < s.padded_w - s.pad_left ? s.in_w : s.padded_w - s.pad_left} * s.in_c, s.flip,
                to + int64_t{s.pad_left} * s.in_c);
  for (int32_t plane = 0; plane < s.planes; ++plane) {
    int32_t first = (plane - s.pad_left) % s.planes;  // input column of the plane's first real pixel
    if (first < 0) first += s.planes;
    const int32_t last = (s.in_w < s.padded_w - s.pad_left ? s.in_w : s.padded_w - s.pad_left);
    if (first >= last) continue;
    const int32_t pixels = (last - first - 1) / s.planes + 1;
    const uint8_t* from = row + int64_t{first} * s.in_c;
    const int64_t step = int64_t{s.planes} * s.in_c;
    uint8_t* place = to + plane * s.plane_bytes + int64_t{(first + s.pad_left) / s.planes} * s.in_c;
    if (s.in_c == 8)
      copy_pixels<8>(from, pixels, step, s.flip, place);
    else if (s.in_c == 16)
      copy_pixels<16>(from, pixels, step, s.flip, place);
    else if (s.in_c == 32)
      copy_pixels<32>(from, pixels, step, s.flip, place);
    else
      for (int32_t i = 0; i < pixels; ++i) copy(from + i * step, s.in_c, s.flip, place + int64_t{i} * s.in_c);
  }
}

}  // namespace
}  // namespace octet::native::vnni
