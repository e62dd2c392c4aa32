// SPDX-License-Identifier: Apache-2.0
// Element-wise sum on Cortex-M55, fixed modes. The operand with the larger scale has the multiplier 1/2, so that its rescaling is
// an exact shift; the other one is rescaled four elements at a time.
#include "kernels/cortex_m/cortex_m.h"
#include "kernels/cortex_m/mve.h"

namespace octet::cortex_m::m55 {
namespace {

/// (other - zero) * 2^20 rescaled; equal scales: an exact shift too. `Equal` is known outside the loop.
template <Rounding R, bool Equal>
void run(const AddConstants& c, const Output4& output, const int8_t* exact, const int8_t* other, int8_t* out, int32_t count) {
#if defined(OCTET_MVE)
  const int32x4_t other_shift = vdupq_n_s32(c.other_shift), multiplier = vdupq_n_s32(c.multiplier), shift = vdupq_n_s32(c.shift);
  const auto four = [&](int32x4_t x, int32x4_t y) __attribute__((always_inline)) {
    y = vsubq_n_s32(y, c.other_zero);
    if constexpr (Equal) {
      y = vshlq_n_s32(y, 19);
    } else if constexpr (R == Rounding::fixed_double) {
      y = vqrdmulhq_n_s32(vshlq_n_s32(y, 20), c.other_multiplier);
      y = vrshlq_s32(vaddq_s32(y, vshrq_n_s32(y, 31)), other_shift);
    } else {
      y = vrshlq_s32(vmulhq_s32(vshlq_n_s32(y, 22), vdupq_n_s32(c.other_multiplier)), other_shift);
    }
    return codes4<R>(vaddq_s32(vshlq_n_s32(vsubq_n_s32(x, c.exact_zero), 19), y), multiplier, shift, output);
  };
  for (; count >= 4; count -= 4, exact += 4, other += 4, out += 4) vstrbq_s32(out, four(vldrbq_s32(exact), vldrbq_s32(other)));
  if (count > 0) {
    const mve_pred16_t lanes = vctp32q(static_cast<uint32_t>(count));
    vstrbq_p_s32(out, four(vldrbq_z_s32(exact, lanes), vldrbq_z_s32(other, lanes)), lanes);
  }
#else
  // Like the vector unit this wraps around, so that constants of a hostile image stay defined.
  const auto left = [](int32_t x, int32_t zero, int32_t bits) {
    return static_cast<int32_t>((static_cast<uint32_t>(x) - static_cast<uint32_t>(zero)) << bits);
  };
  for (int32_t i = 0; i < count; ++i) {
    int32_t y;
    if constexpr (Equal)
      y = left(other[i], c.other_zero, 19);
    else if constexpr (R == Rounding::fixed_double)
      y = rounding_shift(doubled_high(left(other[i], c.other_zero, 20), c.other_multiplier), c.other_shift);
    else
      y = rounding_shift(static_cast<int32_t>(int64_t{left(other[i], c.other_zero, 22)} * c.other_multiplier >> 32), c.other_shift);
    const auto sum = static_cast<int32_t>(static_cast<uint32_t>(left(exact[i], c.exact_zero, 19)) + static_cast<uint32_t>(y));
    out[i] = static_cast<int8_t>(code<R>(sum, c.multiplier, c.shift, output));
  }
#endif
}

}  // namespace

template <Rounding R>
void add(const kernels::AddArgs& args, const void* a, const void* b, const void* packed, void* output, int32_t begin, int32_t end) {
  AddConstants c;
  __builtin_memcpy(&c, packed, sizeof c);
  const auto* exact = static_cast<const int8_t*>(c.swapped != 0 ? b : a) + begin;
  const auto* other = static_cast<const int8_t*>(c.swapped != 0 ? a : b) + begin;
  auto* out = static_cast<int8_t*>(output) + begin;
  const Output4 o = output_of(args.output, R);
  if (c.other_multiplier == 0)
    run<R, true>(c, o, exact, other, out, end - begin);
  else
    run<R, false>(c, o, exact, other, out, end - begin);
}

#if OCTET_ROUNDING != 0
template void add<static_cast<Rounding>(OCTET_ROUNDING)>(const kernels::AddArgs&, const void*, const void*, const void*, void*,
                                                         int32_t, int32_t);
#endif

}  // namespace octet::cortex_m::m55
