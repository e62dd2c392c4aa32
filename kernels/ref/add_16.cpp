// SPDX-License-Identifier: Apache-2.0
// Element-wise sum of two tensors of 16-bit codes: both in units of 2^-15 of twice the larger input scale, three rescalings.
#include "kernels/qmath.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {

template <Rounding R>
void add_16(const AddArgs& args, const void* a, const void* b, void* output, int32_t begin, int32_t end) {
  constexpr int32_t kUnit = 1 << 15;
  const AddArgs g = args;
  const int16_t *pa = wide(a), *pb = wide(b);
  int16_t* to = wide(output);  // may be an input
  for (int32_t i = begin; i < end; ++i) {
    const int32_t va = qmath::multiply_fixed<R>(pa[i] * kUnit, g.a_multiplier, g.a_shift);
    const int32_t vb = qmath::multiply_fixed<R>(pb[i] * kUnit, g.b_multiplier, g.b_shift);
    const int32_t v = qmath::multiply_fixed<R>(qmath::wrapping_add(va, vb), g.output_multiplier, g.output_shift);
    to[i] = static_cast<int16_t>(qmath::limit(v, g.output));
  }
}

template void add_16<static_cast<Rounding>(OCTET_ROUNDING)>(const AddArgs&, const void*, const void*, void*, int32_t, int32_t);

}  // namespace octet::kernels
