// SPDX-License-Identifier: Apache-2.0
// Element-wise sum of two tensors of codes. real: on dequantized values; int_bias: two fused multiply-adds, zero points folded into
// `offset`; fixed: both inputs in units of 2^-20 of twice the larger input scale, three integer rescalings.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {
namespace {

constexpr int32_t kAtOnce = 256;

template <Rounding R>
inline void add_block(const AddArgs& args, const uint8_t* __restrict pa, const uint8_t* __restrict pb, int32_t n,
                      uint8_t* __restrict to) {
  const AddArgs g = args;
  if constexpr (R == Rounding::real) {
    const Codes ca(g.a_type, g.a_zero_point), cb(g.b_type, g.b_zero_point);
    for (int32_t i = 0; i < n; ++i) {
      const float v = qmath::dequantize(ca(pa[i]), g.a_scale) + qmath::dequantize(cb(pb[i]), g.b_scale);
      to[i] = static_cast<uint8_t>(qmath::quantize<R>(v, g.output));
    }
  } else if constexpr (R == Rounding::int_bias) {
    const Codes ca(g.a_type, 0), cb(g.b_type, 0);  // the codes themselves
    const float lo = static_cast<float>(g.output.clamp_min), hi = static_cast<float>(g.output.clamp_max);
    for (int32_t i = 0; i < n; ++i) {
      const float inner = qmath::fma_exact(static_cast<float>(cb(pb[i])), g.b_scale, g.offset);
      const float v = qmath::fma_exact(static_cast<float>(ca(pa[i])), g.a_scale, inner);
      to[i] = static_cast<uint8_t>(qmath::round_within(v, lo, hi));
    }
  } else {
    constexpr int32_t kUnit = 1 << 20;
    const Codes ca(g.a_type, g.a_zero_point), cb(g.b_type, g.b_zero_point);
    for (int32_t i = 0; i < n; ++i) {
      const int32_t va = qmath::multiply_fixed<R>(ca(pa[i]) * kUnit, g.a_multiplier, g.a_shift);
      const int32_t vb = qmath::multiply_fixed<R>(cb(pb[i]) * kUnit, g.b_multiplier, g.b_shift);
      const int32_t v = qmath::multiply_fixed<R>(qmath::wrapping_add(va, vb), g.output_multiplier, g.output_shift);
      to[i] = static_cast<uint8_t>(qmath::limit(qmath::saturate(static_cast<int64_t>(v) + g.output.zero_point), g.output));
    }
  }
}

}  // namespace

template <Rounding R>
void add(const AddArgs& args, const void* a, const void* b, void* output, int32_t begin, int32_t end) {
  uint8_t* to = bytes(output);
  uint8_t block[kAtOnce];  // the output may be an input
  for (int32_t i = begin, n; i < end; i += n) {
    n = smaller(kAtOnce, end - i);
    add_block<R>(args, bytes(a) + i, bytes(b) + i, n, block);
    for (int32_t j = 0; j < n; ++j) to[i + j] = block[j];
  }
}

template void add<static_cast<Rounding>(OCTET_ROUNDING)>(const AddArgs&, const void*, const void*, void*, int32_t, int32_t);

}  // namespace octet::kernels
