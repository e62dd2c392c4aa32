// SPDX-License-Identifier: Apache-2.0
// Pools along the channels of one output pixel at a time, in the widest vectors that fit, then narrower ones.
#include "kernels/native/unit.h"
#include "kernels/qmath.h"
#include "kernels/ref/pool_window.h"

namespace octet::native::OCTET_ISA {
namespace {

using namespace kernels;

#if defined(__AVX512BW__)
constexpr int kBytes = 64;
#else
constexpr int kBytes = 32;
#endif

template <int L>
struct VecTypes {
  typedef uint8_t Codes __attribute__((vector_size(L)));
  typedef int32_t Sums __attribute__((vector_size(L * 4)));
  typedef float Floats __attribute__((vector_size(L * 4)));
};

template <class Vector>
[[gnu::always_inline]] inline Vector load(const uint8_t* p) {
  Vector v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

/// The real cells under one window.
struct Cells {
  const uint8_t* first;
  int32_t height, width;
  size_t pixel, row;  ///< bytes from one to the next

  template <class Visit>
  [[gnu::always_inline]] void visit(int32_t channel, const Visit& v) const {
    const uint8_t* line = first + channel;
    for (int32_t y = 0; y < height; ++y, line += row) {
      const uint8_t* p = line;
      for (int32_t x = 0; x < width; ++x, p += pixel) v(p);
    }
  }
};

/// f.operator()<L>(c) for strips of L channels that cover [0, n).
template <int Widest, class F>
[[gnu::always_inline]] inline void for_strips(int32_t n, const F& f) {
  int32_t c = 0;
  for (; c + Widest <= n; c += Widest) f.template operator()<Widest>(c);
  if constexpr (Widest > 32)
    for (; c + 32 <= n; c += 32) f.template operator()<32>(c);
  if constexpr (Widest > 16)
    for (; c + 16 <= n; c += 16) f.template operator()<16>(c);
  if constexpr (Widest > 8)
    for (; c + 8 <= n; c += 8) f.template operator()<8>(c);
  for (; c < n; ++c) f.template operator()<1>(c);
}

/// pixel(cells, rows, columns, output) for every output pixel of rows [begin, end).
template <class Pixel>
void for_pixels(const Pool2dArgs& a, const LoopData& d, int32_t begin, int32_t end, const Pixel& pixel) {
  const size_t channels = static_cast<size_t>(a.channels);
  uint8_t* to = bytes(d.output) + static_cast<size_t>(begin) * static_cast<size_t>(a.out_w) * channels;
  for (int32_t unit = begin; unit < end; ++unit) {
    const PoolWindow rows = rows_of(a, unit % a.out_h);
    for (int32_t ox = 0; ox < a.out_w; ++ox, to += channels) {
      const PoolWindow columns = columns_of(a, ox);
      const Cells cells{cell(a, d.input, unit / a.out_h, rows.begin, columns.begin), rows.end - rows.begin,
                        columns.end - columns.begin, channels, channels * static_cast<size_t>(a.in_w)};
      pixel(cells, larger(1, rows.divisor * columns.divisor), to);
    }
  }
}

}  // namespace

void max_pool2d(const LoopData& d, int32_t begin, int32_t end) {
  const Pool2dArgs a = args_of<Pool2dArgs>(d);
  const uint8_t flip = a.type == CodeType::i8 ? 0x80 : 0;  // unsigned domain
  const uint8_t lo = static_cast<uint8_t>(a.clamp_min) ^ flip, hi = static_cast<uint8_t>(a.clamp_max) ^ flip;
  for_pixels(a, d, begin, end, [&](const Cells& cells, int32_t, uint8_t* to) {
    for_strips<kBytes>(a.channels, [&]<int L>(int32_t c) {
      using V = typename VecTypes<L>::Codes;
      const V flips = V{} + flip, least = V{} + lo, most = V{} + hi;
      V best{};
      cells.visit(c, [&](const uint8_t* p) {
        const V q = load<V>(p) ^ flips;
        best = q > best ? q : best;
      });
      best = best > least ? best : least;
      best = (best < most ? best : most) ^ flips;
      __builtin_memcpy(to + c, &best, sizeof best);
    });
  });
}

void average_pool2d_real(const LoopData& d, int32_t begin, int32_t end) {
  const Pool2dArgs a = args_of<Pool2dArgs>(d);
  const Codes codes(a.type, a.zero_point);
  const OutputArgs o{0, a.zero_point, a.clamp_min, a.clamp_max};
  for_pixels(a, d, begin, end, [&](const Cells& cells, int32_t divisor, uint8_t* to) {
    const float factor = 1.0f / static_cast<float>(divisor);
    const int32_t offset = codes.zero * cells.height * cells.width;
    for_strips<kBytes / 4>(a.channels, [&]<int L>(int32_t c) {
      using Bytes = typename VecTypes<L>::Codes;
      using Sums = typename VecTypes<L>::Sums;
      const Bytes flips = Bytes{} + codes.flip;
      Sums sum{};
      cells.visit(c, [&](const uint8_t* p) { sum += __builtin_convertvector(load<Bytes>(p) ^ flips, Sums); });
      sum -= offset;
      for (int i = 0; i < L; ++i) to[c + i] = static_cast<uint8_t>(qmath::round_then_shift(static_cast<float>(sum[i]) * factor, o));
    });
  });
}

}  // namespace octet::native::OCTET_ISA
