// SPDX-License-Identifier: Apache-2.0
// Element-wise sum on Cortex-M4, fixed modes. The operand with the larger scale has the multiplier 1/2, so that its rescaling is an
// exact shift; the other one has only 256 values, which the host rescaled (AddTable). One addition and one rescaling are left.
#include "kernels/cortex_m/cortex_m.h"
#include "kernels/cortex_m/m4_requantize.h"

namespace octet::cortex_m::m4 {

template <Rounding R>
void add(const kernels::AddArgs& args, const void* a, const void* b, const void* packed, void* output, int32_t begin, int32_t end) {
  const auto* table = static_cast<const AddTable*>(packed);
  const auto* exact = static_cast<const int8_t*>(table->swapped != 0 ? b : a);
  const auto* other = static_cast<const int8_t*>(table->swapped != 0 ? a : b);
  auto* out = static_cast<int8_t*>(output);
  const Rescale s = table->rescale;
  const int32_t* rescaled = table->rescaled;
  const auto sum = [&](uint32_t x, uint32_t y) {
    return code<R>(wrap(static_cast<int8_t>(x & 0xff) * (1 << 19), rescaled[y & 0xff]), s, {});  // a hostile table may wrap
  };
  int32_t i = begin;
  for (; i + 4 <= end; i += 4) {
    const uint32_t x = load4(exact + i), y = load4(other + i);
    out[i] = static_cast<int8_t>(sum(x, y));
    out[i + 1] = static_cast<int8_t>(sum(x >> 8, y >> 8));
    out[i + 2] = static_cast<int8_t>(sum(x >> 16, y >> 16));
    out[i + 3] = static_cast<int8_t>(sum(x >> 24, y >> 24));
  }
  for (; i < end; ++i) out[i] = static_cast<int8_t>(sum(static_cast<uint8_t>(exact[i]), static_cast<uint8_t>(other[i])));
  clamp_codes(out + begin, end - begin, args.output);
}

#if OCTET_ROUNDING != 0
template void add<static_cast<Rounding>(OCTET_ROUNDING)>(const kernels::AddArgs&, const void*, const void*, const void*, void*,
                                                         int32_t, int32_t);
#endif

}  // namespace octet::cortex_m::m4
