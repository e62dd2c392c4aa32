// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution along rows taken as strings of bytes: 64 output codes from 64 bytes of four input rows at each tap column,
// interleaved so that a 32-bit lane holds four vertical taps of one channel. With three window rows and stride 1 the same lanes
// serve two output rows.
#include "kernels/native/vnni/copy.h"

namespace octet::native::vnni {
namespace {

struct Rows {
  const uint8_t* row[4];
};

/// Adds one column of taps to the sums of one output row, or of two.
template <bool Pair>
[[gnu::always_inline]] inline void add_column(const Rows& rows, int64_t at, const int8_t* weights, __m512i (&sum)[8]) {
  const __m512i r0 = _mm512_loadu_si512(rows.row[0] + at), r1 = _mm512_loadu_si512(rows.row[1] + at);
  const __m512i r2 = _mm512_loadu_si512(rows.row[2] + at), r3 = _mm512_loadu_si512(rows.row[3] + at);
  const __m512i low01 = _mm512_unpacklo_epi8(r0, r1), high01 = _mm512_unpackhi_epi8(r0, r1);
  const __m512i low23 = _mm512_unpacklo_epi8(r2, r3), high23 = _mm512_unpackhi_epi8(r2, r3);
  const __m512i x[4] = {_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
                        _mm512_unpacklo_epi16(high01, high23), _mm512_unpackhi_epi16(high01, high23)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    sum[i] = add_products(sum[i], x[i], _mm512_load_si512(weights + 64 * i));
    if constexpr (Pair) sum[4 + i] = add_products(sum[4 + i], x[i], _mm512_load_si512(weights + 256 + 64 * i));
  }
}

template <bool Residual, bool Shifted>
[[gnu::always_inline]] inline void finish(const Depthwise& d, const Strip& s, const __m512i* sum, int64_t at, int32_t n,
                                          const uint8_t* residual, uint8_t* to) {
  const float* const scale[4] = {s.scale, s.scale + 16, s.scale + 32, s.scale + 48};
  const float* const bias[4] = {s.bias, s.bias + 16, s.bias + 32, s.bias + 48};
  __m512i other = _mm512_setzero_si512();
  if constexpr (Residual) other = _mm512_maskz_loadu_epi8(low_bits(n), residual + at);
  const __m512i q = codes<Residual, Shifted>(sum[0], sum[1], sum[2], sum[3], scale, bias, other, *d.rescale);
  if (n >= 64)
    _mm512_storeu_si512(to + at, q);
  else
    _mm512_mask_storeu_epi8(to + at, low_bits(n), q);
}

/// One output row, or two: rows[group] are the input rows under the window.
template <bool Pair, int Columns, bool Residual, bool Shifted>
void output_row(const Depthwise& d, const Rows* rows, const uint8_t* residual, uint8_t* to) {
  int32_t next = 0;
  const int32_t columns = Columns > 0 ? Columns : d.kernel_w, groups = Pair ? 1 : d.groups;
  const int32_t column_weights = d.pairs ? 512 : 256;
  for (int32_t at = 0; at < d.row_codes; at += 64) {
    const Strip& s = d.strip[next];
    next = next + 1 == d.strips ? 0 : next + 1;
    __m512i sum[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      sum[i] = _mm512_load_si512(s.initial + 16 * i);
      if constexpr (Pair) sum[4 + i] = sum[i];
    }
    const int8_t* weights = s.weights;
    for (int32_t g = 0; g < groups; ++g) {
#pragma GCC unroll 3
      for (int32_t column = 0; column < columns; ++column, weights += column_weights)
        add_column<Pair>(rows[g], at + d.column_offset[column], weights, sum);
    }
    const int32_t n = d.row_codes - at;
    finish<Residual, Shifted>(d, s, sum, at, n, residual, to);
    if constexpr (Pair) finish<Residual, Shifted>(d, s, sum + 4, at + d.row_codes, n, residual, to);
  }
}

using OutputRow = void (*)(const Depthwise&, const Rows*, const uint8_t*, uint8_t*);

template <bool Pair, int Columns>
OutputRow choose(const Rescale& r) {
  if (r.residual) return output_row<Pair, Columns, true, true>;
  return r.shifted ? output_row<Pair, Columns, false, true> : output_row<Pair, Columns, false, false>;
}

/// Copies of the latest input rows of one image.
struct Ring {
  const Depthwise& d;
  uint8_t* memory;
  const uint8_t* image = nullptr;
  int32_t copied = 0;  ///< rows below this one have been

  const uint8_t* row(int32_t y) {
    if (y < 0 || y >= d.source.in_h) return memory + int64_t{d.ring} * d.source.row_bytes;  // a row of zero points
    for (; copied <= y; ++copied) copy_row(d.source, image + int64_t{copied} * d.source.in_w * d.source.in_c, place(copied));
    return place(y);
  }
  uint8_t* place(int32_t y) const { return memory + int64_t{y % d.ring} * d.source.row_bytes; }
};

}  // namespace

void depthwise(const Depthwise& d, const Buffers& b, int32_t begin, int32_t end, uint8_t* scratch) {
  fill(scratch, (int64_t{d.ring} + 1) * d.source.row_bytes + kSlack, d.source.fill);
  const OutputRow pair = d.kernel_w == 3 ? choose<true, 3>(*d.rescale) : choose<true, 0>(*d.rescale);
  const OutputRow single = d.kernel_w == 3 ? choose<false, 3>(*d.rescale) : choose<false, 0>(*d.rescale);
  Ring ring{d, scratch};
  Rows rows[kMostGroups];
  for (int32_t line = begin; line < end;) {
    const int32_t oy = line % d.out_h, first = oy * d.stride_h - d.pad_top;
    if (line == begin || oy == 0) {
      ring.image = b.input + int64_t{line / d.out_h} * d.source.in_h * d.source.in_w * d.source.in_c;
      ring.copied = first < 0 ? 0 : first;
    }
    const bool two = d.pairs && line + 1 < end && oy + 1 < d.out_h;
    const int32_t taps = d.kernel_h + (two ? 1 : 0);
    for (int32_t t = 0; t < d.groups * 4; ++t)  // past the window: weights are zero, any row will do
      rows[t / 4].row[t % 4] = t < taps ? ring.row(first + t * d.dilation_h) : rows[0].row[0];
    uint8_t* to = b.output + int64_t{line} * d.row_codes;
    const uint8_t* residual = d.rescale->residual ? b.residual + int64_t{line} * d.row_codes : nullptr;
    (two ? pair : single)(d, rows, residual, to);
    line += two ? 2 : 1;
  }
}

}  // namespace octet::native::vnni
