// SPDX-License-Identifier: Apache-2.0
// Products of matrices.
#include "runtime/check.h"

namespace octet::checks {

using namespace kernels;

namespace {

/// The axes of all matrices, and within one of them two more with these lengths and steps, stay inside the input.
bool inside_matrices(const MatMulArgs& a, const int32_t* batch_steps, int32_t n1, int32_t step1, int32_t n2, int32_t step2,
                     uint32_t bytes) {
  int32_t shape[6], steps[6];
  for (int32_t i = 0; i < a.rank; ++i) shape[i] = a.batch[i], steps[i] = batch_steps[i];
  shape[a.rank] = n1, steps[a.rank] = step1, shape[a.rank + 1] = n2, steps[a.rank + 1] = step2;
  return inside(a.rank + 2, shape, steps, bytes);
}

}  // namespace

bool matmul_shape(const octet_step& s, const MatMulArgs& a, uint32_t size) {
  uint32_t matrices = 0, outputs = 0;
  if (s.input_count != 2 || !within(a.rank, 1, 4) || !product(&matrices, a.batch, a.rank)) return false;
  const int32_t factors[] = {static_cast<int32_t>(matrices), a.m, a.n, static_cast<int32_t>(size)};
  return product(&outputs, factors, 4) && s.output_bytes[0] == outputs && s.input_bytes[0] % size == 0 &&
         s.input_bytes[1] % size == 0 && inside_matrices(a, a.a_batch, a.m, a.a_row, a.k, a.a_step, s.input_bytes[0] / size) &&
         inside_matrices(a, a.b_batch, a.k, a.b_step, a.n, a.b_column, s.input_bytes[1] / size);
}

octet_status matmul(const octet_step& s, Rounding rounding) {
  MatMulArgs a;
  if (!take(s, &a) || a.rounding != rounding || !within(a.k, 1, kMostMatMulTerms) || !matmul_shape(s, a, 1))
    return OCTET_ERROR_ARGUMENTS;
  if (!valid(a.a_type) || !valid(a.b_type) || !is_code(a.a_zero_point, a.a_type) || !is_code(a.b_zero_point, a.b_type) ||
      !valid(a.output, a.output_type))
    return OCTET_ERROR_ARGUMENTS;
  const bool scales = rounding == Rounding::real ? is_scale(a.scale) : is_multiplier(a.multiplier, a.shift);
  return scales ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
}

}  // namespace octet::checks
