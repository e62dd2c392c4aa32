// SPDX-License-Identifier: Apache-2.0
// Mean, sum, largest and smallest of 16-bit codes along any axes: sums of at most kMostSummed16 codes, rescaled once.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref16.h"
#include "kernels/ref/rows.h"

namespace octet::kernels {
namespace {

constexpr int32_t kNeighbours16 = 64;  // combined at once

/// n neighbours in memory, row after row of them combined by f.
template <class F>
inline void combine(const ReduceArgs& a, const int16_t* from, size_t step, int32_t n, int32_t start, int32_t* __restrict value,
                    const F& f) {
  const size_t along = static_cast<size_t>(a.stride[a.kept + a.reduced - 1]);
  for (int32_t i = 0; i < n; ++i) value[i] = start;
  for (Rows rows(a.reduced, a.shape + a.kept, 0, a.shape[a.kept]); rows.more(); rows.next()) {
    const int16_t* row = from + rows.input(a.stride + a.kept);
    for (int32_t k = 0; k < rows.length(); ++k, row += along)
      for (int32_t i = 0; i < n; ++i) value[i] = f(value[i], row[static_cast<size_t>(i) * step]);
  }
}

template <Rounding R>
inline void codes_of(const ReduceArgs& a, const int16_t* from, size_t step, int32_t n, int16_t* to) {
  int32_t value[kNeighbours16];
  switch (a.kind) {
    case ReduceKind::max: combine(a, from, step, n, INT16_MIN, value, larger); break;
    case ReduceKind::min: combine(a, from, step, n, INT16_MAX, value, smaller); break;
    case ReduceKind::mean:
    case ReduceKind::sum:
      combine(a, from, step, n, 0, value, qmath::wrapping_add);
      for (int32_t i = 0; i < n; ++i) value[i] = qmath::multiply_fixed<R>(value[i], a.multiplier, a.shift);
      break;
  }
  for (int32_t i = 0; i < n; ++i) to[i] = static_cast<int16_t>(qmath::limit(value[i], a.output));
}

}  // namespace

template <Rounding R>
void reduce_16(const ReduceArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  const size_t step = static_cast<size_t>(a.stride[a.kept - 1]);
  for (Rows rows(a.kept, a.shape, begin, end); rows.more(); rows.next()) {
    const int16_t* from = wide(input) + rows.input(a.stride);
    int16_t* to = wide(output) + rows.output();
    for (int32_t i = 0, n; i < rows.length(); i += n) {
      n = smaller(kNeighbours16, rows.length() - i);
      codes_of<R>(a, from + static_cast<size_t>(i) * step, step, n, to + i);
    }
  }
}

template void reduce_16<static_cast<Rounding>(OCTET_ROUNDING)>(const ReduceArgs&, const void*, void*, int32_t, int32_t);

}  // namespace octet::kernels
