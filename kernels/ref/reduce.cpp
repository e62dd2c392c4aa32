// SPDX-License-Identifier: Apache-2.0
// Mean, sum, largest and smallest of codes along any axes: the sum of differences to the zero point is exact, and rescaled once.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"
#include "kernels/ref/rows.h"

namespace octet::kernels {
namespace {

/// Combines all elements under one place, differences to the zero point.
template <class F>
inline int32_t combined(const ReduceArgs& a, const uint8_t* from, int32_t start, const F& f) {
  const Codes codes(a.input_type, a.input_zero_point);
  const size_t step = static_cast<size_t>(a.stride[a.kept + a.reduced - 1]);
  int32_t value = start;
  for (Rows rows(a.reduced, a.shape + a.kept, 0, a.shape[a.kept]); rows.more(); rows.next()) {
    const uint8_t* x = from + rows.input(a.stride + a.kept);
    for (int32_t i = 0; i < rows.length(); ++i) value = f(value, static_cast<int32_t>(codes(x[static_cast<size_t>(i) * step])));
  }
  return value;
}

template <Rounding R>
inline int32_t rescaled(const ReduceArgs& a, int32_t sum) {
  if constexpr (R == Rounding::real) {
    return qmath::quantize<R>(static_cast<float>(sum) * a.scale, a.output);
  } else if constexpr (R == Rounding::int_bias) {
    return qmath::round_then_shift(static_cast<float>(sum) * a.scale, a.output);
  } else {
    const int32_t v = qmath::multiply_fixed<R>(sum, a.multiplier, a.shift);
    return qmath::limit(qmath::saturate(static_cast<int64_t>(v) + a.output.zero_point), a.output);
  }
}

template <Rounding R>
inline int32_t code(const ReduceArgs& a, const uint8_t* from) {
  constexpr int32_t kBeyond = 1 << 10;  // every difference
  switch (a.kind) {
    case ReduceKind::max: return qmath::limit(combined(a, from, -kBeyond, larger) + a.input_zero_point, a.output);
    case ReduceKind::min: return qmath::limit(combined(a, from, kBeyond, smaller) + a.input_zero_point, a.output);
    case ReduceKind::mean:
    case ReduceKind::sum: break;
  }
  return rescaled<R>(a, combined(a, from, 0, qmath::wrapping_add));
}

constexpr int32_t kNeighbours = 64;  // summed at once

/// Sums and means of n neighbours in memory, row after row of them.
template <Rounding R>
void sum_neighbours(const ReduceArgs& a, const uint8_t* from, int32_t n, uint8_t* __restrict to) {
  int32_t sum[kNeighbours];
  const Codes codes(a.input_type, a.input_zero_point);
  const size_t step = static_cast<size_t>(a.stride[a.kept + a.reduced - 1]);
  for (int32_t i = 0; i < n; ++i) sum[i] = 0;
  for (Rows rows(a.reduced, a.shape + a.kept, 0, a.shape[a.kept]); rows.more(); rows.next()) {
    const uint8_t* row = from + rows.input(a.stride + a.kept);
    for (int32_t k = 0; k < rows.length(); ++k) {
      const uint8_t* __restrict x = row + static_cast<size_t>(k) * step;
      for (int32_t i = 0; i < n; ++i) sum[i] = qmath::wrapping_add(sum[i], codes(x[i]));
    }
  }
  for (int32_t i = 0; i < n; ++i) to[i] = static_cast<uint8_t>(rescaled<R>(a, sum[i]));
}

}  // namespace

template <Rounding R>
void reduce(const ReduceArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  const size_t step = static_cast<size_t>(a.stride[a.kept - 1]);
  const bool sums = a.kind == ReduceKind::sum || a.kind == ReduceKind::mean;
  for (Rows rows(a.kept, a.shape, begin, end); rows.more(); rows.next()) {
    const uint8_t* from = bytes(input) + rows.input(a.stride);
    uint8_t* to = bytes(output) + rows.output();
    if (sums && step == 1) {
      for (int32_t i = 0; i < rows.length(); i += kNeighbours)
        sum_neighbours<R>(a, from + i, smaller(kNeighbours, rows.length() - i), to + i);
      continue;
    }
    for (int32_t i = 0; i < rows.length(); ++i) to[i] = static_cast<uint8_t>(code<R>(a, from + static_cast<size_t>(i) * step));
  }
}

template void reduce<static_cast<Rounding>(OCTET_ROUNDING)>(const ReduceArgs&, const void*, void*, int32_t, int32_t);

}  // namespace octet::kernels
