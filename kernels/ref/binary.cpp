// SPDX-License-Identifier: Apache-2.0
// Element-wise functions of two tensors of codes with broadcasting. add and sub compute as kernels/ref/add.cpp does; mul rescales
// the exact product of both differences once, int_bias adds the zero point before it rounds, as ONNX Runtime does.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"
#include "kernels/ref/rows.h"

namespace octet::kernels {
namespace {

constexpr int32_t kAtOnce = 256;

/// A rescaled value to a code, in the fixed modes.
template <Rounding R>
int32_t limited(int32_t scaled, const OutputArgs& o) {
  return qmath::limit(qmath::saturate(static_cast<int64_t>(scaled) + o.zero_point), o);
}

/// a and b are differences to the zero points.
template <Rounding R, bool Subtracts>
inline int32_t sum(const BinaryArgs& g, int32_t a, int32_t b) {
  if constexpr (R == Rounding::real) {
    const float va = qmath::dequantize(a, g.a_scale), vb = qmath::dequantize(b, g.b_scale);
    return qmath::quantize<R>(Subtracts ? va - vb : va + vb, g.output);
  } else if constexpr (R == Rounding::int_bias) {
    const float qa = static_cast<float>(a + g.a_zero_point), qb = static_cast<float>(b + g.b_zero_point);
    const float inner = qmath::fma_exact(Subtracts ? -qb : qb, g.b_scale, g.offset), v = qmath::fma_exact(qa, g.a_scale, inner);
    return qmath::round_within(v, static_cast<float>(g.output.clamp_min), static_cast<float>(g.output.clamp_max));
  } else {
    constexpr int32_t kUnit = 1 << 20;
    const int32_t va = qmath::multiply_fixed<R>(a * kUnit, g.a_multiplier, g.a_shift);
    const int32_t vb = qmath::multiply_fixed<R>(b * kUnit, g.b_multiplier, g.b_shift);
    const int32_t v = Subtracts ? qmath::wrapping_sub(va, vb) : qmath::wrapping_add(va, vb);
    return limited<R>(qmath::multiply_fixed<R>(v, g.output_multiplier, g.output_shift), g.output);
  }
}

template <Rounding R>
inline int32_t product(const BinaryArgs& g, int32_t a, int32_t b) {
  if constexpr (R == Rounding::real) {
    return qmath::quantize<R>(static_cast<float>(a * b) * g.a_scale, g.output);
  } else if constexpr (R == Rounding::int_bias) {
    const float v = static_cast<float>(a * b) * g.a_scale + static_cast<float>(g.output.zero_point);
    return qmath::round_within(v, static_cast<float>(g.output.clamp_min), static_cast<float>(g.output.clamp_max));
  } else {
    return limited<R>(qmath::multiply_fixed<R>(a * b, g.output_multiplier, g.output_shift), g.output);
  }
}

template <class F>
inline void row(const BinaryArgs& args, const uint8_t* a, const uint8_t* b, int32_t n, uint8_t* to, const F& f) {
  const BinaryArgs g = args;
  const Codes ca(g.a_type, g.a_zero_point), cb(g.b_type, g.b_zero_point);
  const size_t sa = static_cast<size_t>(g.a_stride[g.rank - 1]), sb = static_cast<size_t>(g.b_stride[g.rank - 1]);
  uint8_t block[kAtOnce];  // the output may be an input
  for (int32_t i = 0, m; i < n; i += m) {
    m = smaller(kAtOnce, n - i);
    for (int32_t j = 0; j < m; ++j) {
      const size_t at = static_cast<size_t>(i + j);
      block[j] = static_cast<uint8_t>(f(g, ca(a[at * sa]), cb(b[at * sb])));
    }
    for (int32_t j = 0; j < m; ++j) to[i + j] = block[j];
  }
}

template <class F>
inline void each_row(const BinaryArgs& g, const void* a, const void* b, void* output, int32_t begin, int32_t end, const F& f) {
  for (Rows rows(g.rank, g.output_shape, begin, end); rows.more(); rows.next())
    row(g, bytes(a) + rows.input(g.a_stride), bytes(b) + rows.input(g.b_stride), rows.length(), bytes(output) + rows.output(), f);
}

inline int32_t smaller_code(const BinaryArgs& g, int32_t a, int32_t b) {
  return qmath::limit(smaller(a, b) + g.a_zero_point, g.output);
}
inline int32_t larger_code(const BinaryArgs& g, int32_t a, int32_t b) {
  return qmath::limit(larger(a, b) + g.a_zero_point, g.output);
}

}  // namespace

template <Rounding R>
void binary(const BinaryArgs& g, const void* a, const void* b, void* output, int32_t begin, int32_t end) {
  switch (g.kind) {
    case BinaryKind::add: return each_row(g, a, b, output, begin, end, sum<R, false>);
    case BinaryKind::sub: return each_row(g, a, b, output, begin, end, sum<R, true>);
    case BinaryKind::mul: return each_row(g, a, b, output, begin, end, product<R>);
    case BinaryKind::minimum: return each_row(g, a, b, output, begin, end, smaller_code);
    case BinaryKind::maximum: return each_row(g, a, b, output, begin, end, larger_code);
  }
}

template void binary<static_cast<Rounding>(OCTET_ROUNDING)>(const BinaryArgs&, const void*, const void*, void*, int32_t, int32_t);

}  // namespace octet::kernels
