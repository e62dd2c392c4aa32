// SPDX-License-Identifier: Apache-2.0
// Products of matrices of codes, both read by steps: one output row a unit. Sums are exact; a sum is rescaled as a layer's
// without a bias.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {
namespace {

constexpr int32_t kTerms = 256, kColumns = 64;  // of one row, held on the stack

/// acc[c] += sum of x[i] * b[c, i] over n terms.
inline void accumulate(const MatMulArgs& g, const int16_t* __restrict x, int32_t n, const uint8_t* __restrict b, int32_t columns,
                       int32_t* __restrict acc) {
  const Codes codes(g.b_type, g.b_zero_point);
  const size_t column = static_cast<size_t>(g.b_column), step = static_cast<size_t>(g.b_step);
  if (step == 1) {
    for (int32_t c = 0; c < columns; ++c) {
      const uint8_t* __restrict from = b + static_cast<size_t>(c) * column;
      int32_t sum = 0;
      for (int32_t i = 0; i < n; ++i) sum += x[i] * codes(from[i]);
      acc[c] += sum;
    }
  } else if (column == 1) {
    for (int32_t i = 0; i < n; ++i) {
      const uint8_t* __restrict from = b + static_cast<size_t>(i) * step;
      for (int32_t c = 0; c < columns; ++c) acc[c] += x[i] * codes(from[c]);
    }
  } else {
    for (int32_t i = 0; i < n; ++i)
      for (int32_t c = 0; c < columns; ++c)
        acc[c] += x[i] * codes(b[static_cast<size_t>(i) * step + static_cast<size_t>(c) * column]);
  }
}

}  // namespace

template <Rounding R>
void matmul(const MatMulArgs& g, const void* a, const void* b, void* output, int32_t begin, int32_t end) {
  const Codes codes(g.a_type, g.a_zero_point);
  const qmath::Scale scale{g.scale, 0, 0, g.multiplier, g.shift};
  const int32_t lo = qmath::lowest(g.output_type);
  const size_t step = static_cast<size_t>(g.a_step);
  int16_t x[kTerms];
  int32_t acc[kColumns];
  for (int32_t unit = begin; unit < end; ++unit) {
    int32_t matrix = unit / g.m;
    const uint8_t *from_a = bytes(a) + static_cast<size_t>(unit % g.m) * static_cast<size_t>(g.a_row), *from_b = bytes(b);
    for (int32_t axis = g.rank; axis-- > 0; matrix /= g.batch[axis]) {
      const size_t at = static_cast<size_t>(matrix % g.batch[axis]);
      from_a += at * static_cast<size_t>(g.a_batch[axis]), from_b += at * static_cast<size_t>(g.b_batch[axis]);
    }
    uint8_t* to = bytes(output) + static_cast<size_t>(unit) * static_cast<size_t>(g.n);
    for (int32_t c = 0; c < g.n; c += kColumns) {
      const int32_t columns = smaller(kColumns, g.n - c);
      for (int32_t i = 0; i < columns; ++i) acc[i] = 0;
      for (int32_t k = 0; k < g.k; k += kTerms) {
        const int32_t terms = smaller(kTerms, g.k - k);
        for (int32_t i = 0; i < terms; ++i) x[i] = codes(from_a[static_cast<size_t>(k + i) * step]);
        accumulate(g, x, terms,
                   from_b + static_cast<size_t>(k) * static_cast<size_t>(g.b_step) +
                       static_cast<size_t>(c) * static_cast<size_t>(g.b_column),
                   columns, acc);
      }
      for (int32_t i = 0; i < columns; ++i) to[c + i] = static_cast<uint8_t>(qmath::requantize<R>(acc[i], scale, g.output, lo));
    }
  }
}

template void matmul<static_cast<Rounding>(OCTET_ROUNDING)>(const MatMulArgs&, const void*, const void*, void*, int32_t, int32_t);

}  // namespace octet::kernels
