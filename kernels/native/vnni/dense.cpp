// SPDX-License-Identifier: Apache-2.0
// Dense convolution and linear: blocks of Pixels x Vectors * 16 output channels, sums in registers, one broadcast of four codes
// against a vector of weights at a time. Which block sizes there are is what fits 32 registers beside the operands.
#include <utility>

#include "kernels/native/vnni/copy.h"

namespace octet::native::vnni {
namespace {

template <int I>
using Int = std::integral_constant<int, I>;

/// f(Int<0>{}), …, f(Int<N - 1>{}): indices known to the compiler, or it keeps the sums in memory.
template <int N, class F>
[[gnu::always_inline]] inline void unrolled(const F& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) { (f(Int<I>{}), ...); }
  (std::make_integer_sequence<int, N>{});
}

[[gnu::always_inline]] inline __m512i four_codes(const uint8_t* p) {
  int32_t x;
  __builtin_memcpy(&x, p, sizeof x);
  return _mm512_set1_epi32(x);
}

/// In 32-bit units, from what the packs leave to pixels one after the other, and back.
template <int Vectors>
[[gnu::always_inline]] inline __m512i by_pixel(__m512i q) {
  if constexpr (Vectors == 2) return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), q);
  if constexpr (Vectors == 1)
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), q);
  return q;
}
template <int Vectors>
[[gnu::always_inline]] inline __m512i by_lane(__m512i q) {
  if constexpr (Vectors == 2) return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), q);
  return by_pixel<Vectors>(q);  // a transposition of 4 x 4
}

/// The codes of 4 / Vectors pixels, of which `pixels` exist.
template <int Vectors>
[[gnu::always_inline]] inline void store(uint8_t* to, int64_t step, int32_t count, int pixels, __m512i q) {
  if constexpr (Vectors == 4) {
    _mm512_mask_storeu_epi8(to, low_bits(count), q);
  } else if constexpr (Vectors == 2) {
    const auto mask = static_cast<__mmask32>(low_bits(count));
    _mm256_mask_storeu_epi8(to, mask, _mm512_castsi512_si256(q));
    if (pixels > 1) _mm256_mask_storeu_epi8(to + step, mask, _mm512_extracti64x4_epi64(q, 1));
  } else {
    const auto mask = static_cast<__mmask16>(low_bits(count));
    _mm_mask_storeu_epi8(to, mask, _mm512_castsi512_si128(q));
    if (pixels > 1) _mm_mask_storeu_epi8(to + step, mask, _mm512_extracti32x4_epi32(q, 1));
    if (pixels > 2) _mm_mask_storeu_epi8(to + 2 * step, mask, _mm512_extracti32x4_epi32(q, 2));
    if (pixels > 3) _mm_mask_storeu_epi8(to + 3 * step, mask, _mm512_extracti32x4_epi32(q, 3));
  }
}
template <int Vectors>
[[gnu::always_inline]] inline __m512i load_residual(const uint8_t* from, int64_t step, int32_t count, int pixels) {
  if constexpr (Vectors == 4) {
    return _mm512_maskz_loadu_epi8(low_bits(count), from);
  } else if constexpr (Vectors == 2) {
    const auto mask = static_cast<__mmask32>(low_bits(count));
    __m512i q = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(mask, from));
    if (pixels > 1) q = _mm512_inserti64x4(q, _mm256_maskz_loadu_epi8(mask, from + step), 1);
    return by_lane<Vectors>(q);
  } else {
    const auto mask = static_cast<__mmask16>(low_bits(count));
    __m512i q = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(mask, from));
    if (pixels > 1) q = _mm512_inserti32x4(q, _mm_maskz_loadu_epi8(mask, from + step), 1);
    if (pixels > 2) q = _mm512_inserti32x4(q, _mm_maskz_loadu_epi8(mask, from + 2 * step), 2);
    if (pixels > 3) q = _mm512_inserti32x4(q, _mm_maskz_loadu_epi8(mask, from + 3 * step), 3);
    return by_lane<Vectors>(q);
  }
}

/// Pixels x Vectors output codes. A single pixel has too few sums to keep the multipliers busy and splits each in Parts.
template <int Vectors, int Pixels, bool Residual, bool Shifted>
void block(const Dense& d, const Block& b, const uint8_t* x, const uint8_t* residual, uint8_t* to) {
  constexpr int kParts = Pixels > 1 ? 1 : Vectors == 4 ? 2 : 4;
  constexpr int kSums = Pixels * Vectors;
  __m512i sum[kSums * kParts];
  unrolled<kSums>([&](auto i) { sum[i] = _mm512_load_si512(b.initial + i % Vectors * 16); });
  unrolled<kSums*(kParts - 1)>([&](auto i) { sum[kSums + i] = _mm512_setzero_si512(); });
  const int64_t step = d.pixel_step;
  const int8_t* weights = b.weights;
  const auto add_quad = [&](const uint8_t* at, auto part) __attribute__((always_inline)) {
    __m512i w[Vectors];
    unrolled<Vectors>([&](auto v) { w[v] = _mm512_load_si512(weights + 64 * v); });
    unrolled<Pixels>([&](auto p) {
      const __m512i codes = four_codes(at + p * step);
      unrolled<Vectors>([&](auto v) {
        constexpr int i = part * kSums + p * Vectors + v;
        sum[i] = add_products(sum[i], codes, w[v]);
      });
    });
    weights += 64 * Vectors;
  };
  for (int32_t run = 0; run < d.runs; ++run) {
    const uint8_t* at = x + d.run_offset[run];
    int32_t quad = 0;
    if constexpr (kParts > 1)
      for (; quad + kParts <= d.quads; quad += kParts) unrolled<kParts>([&](auto part) { add_quad(at + 4 * (quad + part), part); });
    for (; quad < d.quads; ++quad) add_quad(at + 4 * quad, Int<0>{});
  }
  unrolled<kParts - 1>(
      [&](auto part) { unrolled<kSums>([&](auto i) { sum[i] = _mm512_add_epi32(sum[i], sum[(part + 1) * kSums + i]); }); });

  constexpr int kAtOnce = 4 / Vectors;
  unrolled<(Pixels + kAtOnce - 1) / kAtOnce>([&](auto group) {
    constexpr int first = group * kAtOnce, pixels = Pixels - first < kAtOnce ? Pixels - first : kAtOnce;
    const auto at = [&](auto i) __attribute__((always_inline)) {
      constexpr int pixel = first + i / Vectors < Pixels ? first + i / Vectors : Pixels - 1;
      return sum[pixel * Vectors + i % Vectors];
    };
    const auto table = [](const float* t, int i) __attribute__((always_inline)) { return t + i % Vectors * 16; };
    const float* const scale[4] = {table(b.scale, 0), table(b.scale, 1), table(b.scale, 2), table(b.scale, 3)};
    const float* const bias[4] = {table(b.bias, 0), table(b.bias, 1), table(b.bias, 2), table(b.bias, 3)};
    __m512i other = _mm512_setzero_si512();
    if constexpr (Residual) other = load_residual<Vectors>(residual + first * int64_t{d.out_c}, d.out_c, b.count, pixels);
    const __m512i q =
        codes<Residual, Shifted>(at(Int<0>{}), at(Int<1>{}), at(Int<2>{}), at(Int<3>{}), scale, bias, other, *d.rescale);
    store<Vectors>(to + first * int64_t{d.out_c}, d.out_c, b.count, pixels, by_pixel<Vectors>(q));
  });
}

using BlockLoop = void (*)(const Dense&, const Block&, const uint8_t*, const uint8_t*, uint8_t*);

// Of one, two and four vectors each.
constexpr int32_t kMostPixels = 16, kMostOfTwo = 10, kMostOfFour = 6;

template <bool Residual, bool Shifted>
struct Loops {
  template <int Vectors, int... P>
  static constexpr void fill(BlockLoop (&table)[kMostPixels + 1], std::integer_sequence<int, P...>) {
    ((table[P + 1] = block<Vectors, P + 1, Residual, Shifted>), ...);
  }
  BlockLoop one[kMostPixels + 1]{}, two[kMostPixels + 1]{}, four[kMostPixels + 1]{};
  constexpr Loops() {
    fill<1>(one, std::make_integer_sequence<int, kMostPixels>{});
    fill<2>(two, std::make_integer_sequence<int, kMostOfTwo>{});
    fill<4>(four, std::make_integer_sequence<int, kMostOfFour>{});
  }
};
constexpr Loops<true, true> kResidual;
constexpr Loops<false, true> kShifted;
constexpr Loops<false, false> kPlain;

struct Choice {
  const BlockLoop* loops;
  int32_t most;
};
template <class L>
Choice of(const L& loops, int32_t vectors) {
  if (vectors == 1) return {loops.one, kMostPixels};
  return vectors == 2 ? Choice{loops.two, kMostOfTwo} : Choice{loops.four, kMostOfFour};
}
Choice choose(const Rescale& r, int32_t vectors) {
  if (r.residual) return of(kResidual, vectors);
  return r.shifted ? of(kShifted, vectors) : of(kPlain, vectors);
}

/// Input rows [first, first + rows) of an image, those outside it full of zero points.
void copy_rows(const Source& s, const uint8_t* image, int32_t first, int32_t rows, uint8_t* to) {
  for (int32_t y = first; y < first + rows; ++y, to += s.row_bytes) {
    if (y < 0 || y >= s.in_h) {
      fill(to, s.row_bytes, s.fill);
      continue;
    }
    const int64_t before = int64_t{s.pad_left} * s.in_c, after = before + int64_t{s.in_w} * s.in_c;
    if (before > 0) fill(to, before < s.row_bytes ? before : s.row_bytes, s.fill);
    if (after < s.row_bytes) fill(to + after, s.row_bytes - after, s.fill);
    copy_row(s, image + int64_t{y} * s.in_w * s.in_c, to);
  }
}

}  // namespace

void dense(const Dense& d, const Buffers& buffers, int32_t begin, int32_t end, uint8_t* scratch) {
  const Source& s = d.source;
  const int64_t image_bytes = int64_t{s.in_h} * s.in_w * s.in_c, line_codes = int64_t{d.out_w} * d.out_c;
  const int64_t line_step = d.stride_h * s.row_bytes;
  for (int32_t line = begin; line < end;) {
    int32_t lines = d.tile < end - line ? d.tile : end - line, width = d.out_w;
    const int32_t oy = line % d.out_h;
    if (!d.flat && lines > d.out_h - oy) lines = d.out_h - oy;
    const uint8_t* image = buffers.input + line / d.out_h * image_bytes;
    const uint8_t* x = image + oy * line_step;
    if (d.copies) {
      copy_rows(s, image, oy * d.stride_h - d.pad_top, (lines - 1) * d.stride_h + d.reach_h, scratch);
      x = scratch;
    }
    const int32_t done = lines;
    if (d.flat) width *= lines, lines = 1;
    for (int32_t i = 0; i < d.blocks; ++i) {
      const Block& b = d.block[i];
      const Choice choice = choose(*d.rescale, b.vectors);
      const int32_t pieces = (width + choice.most - 1) / choice.most;
      const int32_t least = width / pieces, longer = width % pieces;  // as equal as can be
      for (int32_t l = 0; l < lines; ++l) {
        const uint8_t* from = x + l * line_step;
        const int64_t offset = (line + l) * line_codes + b.channel;
        uint8_t* to = buffers.output + offset;
        const uint8_t* residual = buffers.residual == nullptr ? nullptr : buffers.residual + offset;
        for (int32_t piece = 0; piece < pieces; ++piece) {
          const int32_t pixels = least + (piece < longer ? 1 : 0);
          choice.loops[pixels](d, b, from, residual, to);
          from += pixels * d.pixel_step;
          to += int64_t{pixels} * d.out_c;
          if (residual != nullptr) residual += int64_t{pixels} * d.out_c;
        }
      }
    }
    line += done;
  }
}

}  // namespace octet::native::vnni
