// SPDX-License-Identifier: Apache-2.0
// Products of matrices of 16-bit codes, both read by steps: one output row a unit. Sums of 64 bits are exact, and rescaled as a
// layer's without a bias.
#include "kernels/qmath.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {

void matmul_16(const MatMulArgs& g, const void* a, const void* b, void* output, int32_t begin, int32_t end) {
  const size_t a_step = static_cast<size_t>(g.a_step), b_step = static_cast<size_t>(g.b_step);
  for (int32_t unit = begin; unit < end; ++unit) {
    int32_t matrix = unit / g.m;
    const int16_t *from_a = wide(a) + static_cast<size_t>(unit % g.m) * static_cast<size_t>(g.a_row), *from_b = wide(b);
    for (int32_t axis = g.rank; axis-- > 0; matrix /= g.batch[axis]) {
      const size_t at = static_cast<size_t>(matrix % g.batch[axis]);
      from_a += at * static_cast<size_t>(g.a_batch[axis]), from_b += at * static_cast<size_t>(g.b_batch[axis]);
    }
    int16_t* to = wide(output) + static_cast<size_t>(unit) * static_cast<size_t>(g.n);
    for (int32_t c = 0; c < g.n; ++c) {
      const int16_t* column = from_b + static_cast<size_t>(c) * static_cast<size_t>(g.b_column);
      int64_t sum = 0;
      for (int32_t k = 0; k < g.k; ++k)
        sum += int32_t{from_a[static_cast<size_t>(k) * a_step]} * int32_t{column[static_cast<size_t>(k) * b_step]};
      to[c] = static_cast<int16_t>(qmath::limit(qmath::multiply_fixed_16(sum, g.multiplier, g.shift), g.output));
    }
  }
}

}  // namespace octet::kernels
