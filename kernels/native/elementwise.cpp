// SPDX-License-Identifier: Apache-2.0
// Functions of one and two codes in blocks that are read before they are written, so that the output may lie on an input.
#include <immintrin.h>

#include "kernels/native/unit.h"
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/rows.h"

namespace octet::native::OCTET_ISA {
namespace {

using namespace kernels;

constexpr int32_t kBlock = 64;

/// block(begin, n) for pieces of [begin, end) of kBlock codes, the last one shorter.
template <class Block>
void in_blocks(int32_t begin, int32_t end, const Block& block) {
  for (; begin + kBlock <= end; begin += kBlock) block(begin, kBlock);
  if (begin < end) block(begin, end - begin);
}

}  // namespace

void add_real(const LoopData& d, int32_t begin, int32_t end) {
  const AddArgs g = args_of<AddArgs>(d);
  const Codes ca(g.a_type, g.a_zero_point), cb(g.b_type, g.b_zero_point);
  in_blocks(begin, end, [&](int32_t at, int32_t n) {
    uint8_t a[kBlock], b[kBlock], y[kBlock];
    __builtin_memcpy(a, bytes(d.input) + at, static_cast<size_t>(n));
    __builtin_memcpy(b, bytes(d.second) + at, static_cast<size_t>(n));
    for (int32_t i = 0; i < kBlock; ++i) {
      const float v = qmath::dequantize(ca(a[i]), g.a_scale) + qmath::dequantize(cb(b[i]), g.b_scale);
      y[i] = static_cast<uint8_t>(qmath::quantize<Rounding::real>(v, g.output));
    }
    __builtin_memcpy(bytes(d.output) + at, y, static_cast<size_t>(n));
  });
}

void clamp(const LoopData& d, int32_t begin, int32_t end) {
  const ClampArgs g = args_of<ClampArgs>(d);
  const uint8_t flip = g.type == CodeType::i8 ? 0x80 : 0;  // unsigned domain
  const uint8_t lo = static_cast<uint8_t>(g.clamp_min) ^ flip, hi = static_cast<uint8_t>(g.clamp_max) ^ flip;
  in_blocks(begin, end, [&](int32_t at, int32_t n) {
    uint8_t x[kBlock];
    __builtin_memcpy(x, bytes(d.input) + at, static_cast<size_t>(n));
    for (int32_t i = 0; i < kBlock; ++i) {
      uint8_t q = x[i] ^ flip;
      q = q > lo ? q : lo;
      q = q < hi ? q : hi;
      x[i] = q ^ flip;
    }
    __builtin_memcpy(bytes(d.output) + at, x, static_cast<size_t>(n));
  });
}

namespace {

/// n elements of a row from element `at` on: neighbours, one that is repeated, or others.
[[gnu::always_inline]] inline void take(const uint8_t* row, size_t stride, int32_t at, int32_t n, uint8_t* block) {
  if (stride == 1)
    __builtin_memcpy(block, row + at, static_cast<size_t>(n));
  else if (stride == 0)
    __builtin_memset(block, *row, kBlock);
  else
    for (int32_t i = 0; i < n; ++i) block[i] = row[static_cast<size_t>(at + i) * stride];
}

/// f(difference of a to its zero point, of b) for all elements.
template <class F>
[[gnu::always_inline]] inline void each_pair(const LoopData& d, const BinaryArgs& g, int32_t begin, int32_t end, const F& f) {
  const Codes ca(g.a_type, g.a_zero_point), cb(g.b_type, g.b_zero_point);
  const size_t sa = static_cast<size_t>(g.a_stride[g.rank - 1]), sb = static_cast<size_t>(g.b_stride[g.rank - 1]);
  uint8_t a[kBlock] = {}, b[kBlock] = {}, y[kBlock];
  for (Rows rows(g.rank, g.output_shape, begin, end); rows.more(); rows.next()) {
    const uint8_t *from_a = bytes(d.input) + rows.input(g.a_stride), *from_b = bytes(d.second) + rows.input(g.b_stride);
    uint8_t* to = bytes(d.output) + rows.output();
    in_blocks(0, rows.length(), [&](int32_t at, int32_t n) {
      take(from_a, sa, at, n, a), take(from_b, sb, at, n, b);
      for (int32_t i = 0; i < kBlock; ++i) y[i] = static_cast<uint8_t>(f(int32_t{ca(a[i])}, int32_t{cb(b[i])}));
      __builtin_memcpy(to + at, y, static_cast<size_t>(n));
    });
  }
}

}  // namespace

void binary_real(const LoopData& d, int32_t begin, int32_t end) {
  const BinaryArgs g = args_of<BinaryArgs>(d);
  const auto code = [&](float v) { return qmath::quantize<Rounding::real>(v, g.output); };
  const auto real = [](int32_t difference, float scale) { return qmath::dequantize(difference, scale); };
  switch (g.kind) {
    case BinaryKind::add:
      return each_pair(d, g, begin, end, [&](int32_t a, int32_t b) { return code(real(a, g.a_scale) + real(b, g.b_scale)); });
    case BinaryKind::sub:
      return each_pair(d, g, begin, end, [&](int32_t a, int32_t b) { return code(real(a, g.a_scale) - real(b, g.b_scale)); });
    case BinaryKind::mul: return each_pair(d, g, begin, end, [&](int32_t a, int32_t b) { return code(real(a * b, g.a_scale)); });
    case BinaryKind::minimum:
      return each_pair(d, g, begin, end,
                       [&](int32_t a, int32_t b) { return qmath::limit((a < b ? a : b) + g.a_zero_point, g.output); });
    case BinaryKind::maximum:
      return each_pair(d, g, begin, end,
                       [&](int32_t a, int32_t b) { return qmath::limit((a > b ? a : b) + g.a_zero_point, g.output); });
  }
}

namespace {

#if defined(__AVX512BW__)
using Bytes = __m512i;
[[gnu::always_inline]] inline Bytes sixteen(const int8_t* table) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
}
[[gnu::always_inline]] inline Bytes all(int value) { return _mm512_set1_epi8(static_cast<char>(value)); }
[[gnu::always_inline]] inline Bytes among(Bytes table, Bytes x, Bytes which) {
  return _mm512_shuffle_epi8(table, _mm512_adds_epu8(_mm512_xor_si512(x, which), all(0x70)));
}
#else
using Bytes = __m256i;
[[gnu::always_inline]] inline Bytes sixteen(const int8_t* table) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
}
[[gnu::always_inline]] inline Bytes all(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
[[gnu::always_inline]] inline Bytes among(Bytes table, Bytes x, Bytes which) {
  return _mm256_shuffle_epi8(table, _mm256_adds_epu8(_mm256_xor_si256(x, which), all(0x70)));
}
#endif

/// What a table of 256 gives for each code: of the sixteen sixteenths of the table only the one that its upper half names gives
/// anything, because what lies beyond 15 has its highest bit set, for which a shuffle gives zero.
[[gnu::always_inline]] inline Bytes looked_up(const int8_t* table, Bytes x) {
  Bytes y = among(sixteen(table), x, all(0));
  for (int k = 1; k < 16; ++k) y |= among(sixteen(table + 16 * k), x, all(16 * k));
  return y;
}

}  // namespace

void lookup(const LoopData& d, int32_t begin, int32_t end) {
  const auto* from = static_cast<const int8_t*>(d.input);
  auto* to = static_cast<int8_t*>(d.output);
  constexpr int32_t kAtOnce = sizeof(Bytes);
  int32_t i = begin;
  for (; i + kAtOnce <= end; i += kAtOnce) {
    Bytes x;
    __builtin_memcpy(&x, from + i, sizeof x);
    const Bytes y = looked_up(d.weight, x);
    __builtin_memcpy(to + i, &y, sizeof y);
  }
  for (; i < end; ++i) to[i] = d.weight[static_cast<uint8_t>(from[i])];
}

}  // namespace octet::native::OCTET_ISA
