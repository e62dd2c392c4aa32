// SPDX-License-Identifier: Apache-2.0
// Element-wise functions of two tensors of 16-bit codes with broadcasting: sums as kernels/ref/add_16.cpp, a product's codes are
// multiplied exactly, in 31 bits, and rescaled once.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref16.h"
#include "kernels/ref/rows.h"

namespace octet::kernels {
namespace {

template <Rounding R, bool Subtracts>
inline int32_t sum(const BinaryArgs& g, int32_t a, int32_t b) {
  constexpr int32_t kUnit = 1 << 15;
  const int32_t va = qmath::multiply_fixed<R>(a * kUnit, g.a_multiplier, g.a_shift);
  const int32_t vb = qmath::multiply_fixed<R>(b * kUnit, g.b_multiplier, g.b_shift);
  const int32_t v = Subtracts ? qmath::wrapping_sub(va, vb) : qmath::wrapping_add(va, vb);
  return qmath::multiply_fixed<R>(v, g.output_multiplier, g.output_shift);
}
template <Rounding R>
inline int32_t product(const BinaryArgs& g, int32_t a, int32_t b) {
  return qmath::multiply_fixed<R>(a * b, g.output_multiplier, g.output_shift);
}
inline int32_t smaller_code(const BinaryArgs&, int32_t a, int32_t b) { return smaller(a, b); }
inline int32_t larger_code(const BinaryArgs&, int32_t a, int32_t b) { return larger(a, b); }

template <class F>
inline void each_row(const BinaryArgs& args, const void* a, const void* b, void* output, int32_t begin, int32_t end, const F& f) {
  const BinaryArgs g = args;
  const size_t sa = static_cast<size_t>(g.a_stride[g.rank - 1]), sb = static_cast<size_t>(g.b_stride[g.rank - 1]);
  for (Rows rows(g.rank, g.output_shape, begin, end); rows.more(); rows.next()) {
    const int16_t *pa = wide(a) + rows.input(g.a_stride), *pb = wide(b) + rows.input(g.b_stride);
    int16_t* to = wide(output) + rows.output();  // may be an input that is read element by element
    for (int32_t i = 0; i < rows.length(); ++i) {
      const size_t at = static_cast<size_t>(i);
      to[i] = static_cast<int16_t>(qmath::limit(f(g, pa[at * sa], pb[at * sb]), g.output));
    }
  }
}

}  // namespace

template <Rounding R>
void binary_16(const BinaryArgs& g, const void* a, const void* b, void* output, int32_t begin, int32_t end) {
  switch (g.kind) {
    case BinaryKind::add: return each_row(g, a, b, output, begin, end, sum<R, false>);
    case BinaryKind::sub: return each_row(g, a, b, output, begin, end, sum<R, true>);
    case BinaryKind::mul: return each_row(g, a, b, output, begin, end, product<R>);
    case BinaryKind::minimum: return each_row(g, a, b, output, begin, end, smaller_code);
    case BinaryKind::maximum: return each_row(g, a, b, output, begin, end, larger_code);
  }
}

template void binary_16<static_cast<Rounding>(OCTET_ROUNDING)>(const BinaryArgs&, const void*, const void*, void*, int32_t,
                                                               int32_t);

}  // namespace octet::kernels
