// SPDX-License-Identifier: Apache-2.0
// Mean of the codes under each window; padded cells hold the zero point where they count. One output row a unit.
// real: clamp( rne(f32(S - zx*n) * f32(1/n)) + zx ); int_bias: f32(sx / f32(so*n)) instead of f32(1/n); fixed: the integer mean of
// the codes, halves away from zero.
#include "kernels/qmath.h"
#include "kernels/ref/pool_window.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {
namespace {

constexpr int32_t kChannels = 64;  // summed at once

/// Sums over the real cells of (code - zero point) for n channels.
void sum_window(const Pool2dArgs& a, const uint8_t* first, const PoolWindow& rows, const PoolWindow& columns, int32_t n,
                Codes codes, int32_t* __restrict sum) {
  for (int32_t i = 0; i < n; ++i) sum[i] = 0;
  for (int32_t y = 0; y < rows.end - rows.begin; ++y)
    for (int32_t x = 0; x < columns.end - columns.begin; ++x) {
      const uint8_t* __restrict from =
          first + (static_cast<size_t>(y) * static_cast<size_t>(a.in_w) + static_cast<size_t>(x)) * static_cast<size_t>(a.channels);
      for (int32_t i = 0; i < n; ++i) sum[i] += codes(from[i]);
    }
}

template <Rounding R>
void divide(const Pool2dArgs& a, const int32_t* __restrict sum, int32_t divisor, int32_t n, uint8_t* __restrict to) {
  const OutputArgs o{0, a.zero_point, a.clamp_min, a.clamp_max};
  if constexpr (R == Rounding::real || R == Rounding::int_bias) {
    const float count = static_cast<float>(divisor);
    const float factor = R == Rounding::real ? 1.0f / count : a.input_scale / (a.output_scale * count);
    for (int32_t i = 0; i < n; ++i) to[i] = static_cast<uint8_t>(qmath::round_then_shift(static_cast<float>(sum[i]) * factor, o));
  } else {
    for (int32_t i = 0; i < n; ++i)  // Σ codes, counted padding included = Σ differences + zero point * divisor
      to[i] = static_cast<uint8_t>(qmath::limit(qmath::divide_half_away(sum[i] + a.zero_point * divisor, divisor), o));
  }
}

}  // namespace

template <Rounding R>
void average_pool2d(const Pool2dArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  int32_t sum[kChannels];
  const Codes codes(a.type, a.zero_point);
  uint8_t* to = bytes(output) + static_cast<size_t>(begin) * static_cast<size_t>(a.out_w) * static_cast<size_t>(a.channels);
  for (int32_t unit = begin; unit < end; ++unit) {
    const PoolWindow rows = rows_of(a, unit % a.out_h);
    for (int32_t ox = 0; ox < a.out_w; ++ox, to += a.channels) {
      const PoolWindow columns = columns_of(a, ox);
      const uint8_t* first = cell(a, input, unit / a.out_h, rows.begin, columns.begin);
      for (int32_t c = 0; c < a.channels; c += kChannels) {
        const int32_t n = smaller(kChannels, a.channels - c);
        sum_window(a, first + c, rows, columns, n, codes, sum);
        divide<R>(a, sum, larger(1, rows.divisor * columns.divisor), n, to + c);  // an empty window gives the zero point
      }
    }
  }
}

template void average_pool2d<static_cast<Rounding>(OCTET_ROUNDING)>(const Pool2dArgs&, const void*, void*, int32_t, int32_t);

}  // namespace octet::kernels
