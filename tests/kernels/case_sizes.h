// SPDX-License-Identifier: Apache-2.0
// How many elements the kernels of a case line read.
#pragma once

#include <initializer_list>

#include "kernels/kernel.h"

namespace octet::testing {

using namespace kernels;  // NOLINT(google-global-names-in-headers)

inline constexpr int64_t kLargestBuffer = int64_t{1} << 30;

inline int64_t product(std::initializer_list<int64_t> factors) {
  double estimate = 1;
  int64_t p = 1;
  for (const int64_t f : factors) {
    estimate *= static_cast<double>(f);
    if (estimate > static_cast<double>(kLargestBuffer) * 2) return kLargestBuffer * 2;
    p *= f;
  }
  return p;
}

/// Elements that are read along these axes, up to the one farthest in.
inline int64_t read_along(int rank, const int32_t* shape, const int32_t* stride) {
  int64_t last = 0;
  for (int i = 0; i < rank; ++i) {
    if (shape[i] == 0) return 0;
    last += int64_t{shape[i] - 1} * stride[i];
  }
  return last + 1;
}

inline int64_t input_elements(const TransposeArgs& a) { return read_along(a.rank, a.output_shape, a.input_stride); }
inline int64_t read_by(const int32_t (&stride)[6], const BinaryArgs& a) { return read_along(a.rank, a.output_shape, stride); }

/// Elements of the input whose matrices have these two axes.
inline int64_t read_of(const MatMulArgs& a, const int32_t (&batch_steps)[4], int32_t n1, int32_t step1, int32_t n2, int32_t step2) {
  const int64_t matrices = read_along(a.rank, a.batch, batch_steps);
  return matrices == 0 || n1 == 0 || n2 == 0 ? 0 : matrices + int64_t{n1 - 1} * step1 + int64_t{n2 - 1} * step2;
}
inline int64_t read_of_a(const MatMulArgs& a) { return read_of(a, a.a_batch, a.m, a.a_row, a.k, a.a_step); }
inline int64_t read_of_b(const MatMulArgs& a) { return read_of(a, a.b_batch, a.n, a.b_column, a.k, a.b_step); }

}  // namespace octet::testing
