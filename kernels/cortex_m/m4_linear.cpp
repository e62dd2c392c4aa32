// SPDX-License-Identifier: Apache-2.0
// Fully connected layer on Cortex-M4: an input row is expanded to 16 bits once and meets eight outputs at a time.
#include "kernels/cortex_m/cortex_m.h"
#include "kernels/cortex_m/m4_linear_block.h"

namespace octet::cortex_m::m4 {
namespace {

void expand(const int8_t* from, int32_t n, uint32_t* to) {
#pragma GCC unroll 4
  for (; n >= 4; n -= 4, from += 4, to += 2) {
    const uint32_t x = load4(from);
    to[0] = sxtb16(x);
    to[1] = sxtb16_odd(x);
  }
  if (n > 0) {
    uint32_t x = 0;
    __builtin_memcpy(&x, from, static_cast<size_t>(n));
    to[0] = sxtb16(x);
    to[1] = sxtb16_odd(x);
  }
}

}  // namespace

template <Rounding R>
void linear(const LinearArgs& args, const PackedData& d, int32_t begin, int32_t end) {
  const LinearArgs a = args;
  auto* x = static_cast<uint32_t*>(d.scratch);
  const int32_t steps = (a.in + 3) / 4, whole = a.out / 8, rest = a.out % 8;
  auto* spare = reinterpret_cast<int8_t*>(x + 2 * steps);
  const auto* stream = static_cast<const uint32_t*>(d.packed);
  const int32_t group = packed_bytes(a) / 4 / ((a.out + 7) / 8);  // words of eight outputs
  LinearBlock block{x, steps, whole, stream, nullptr, real_output<R>(a.output)};
  for (int32_t row = begin; row < end; ++row) {
    auto* out = static_cast<int8_t*>(d.output) + row * a.out;
    expand(static_cast<const int8_t*>(d.input) + row * a.in, a.in, x);
    if (whole > 0) {
      block.groups = whole, block.stream = stream, block.out = out;
      linear_block<R>(block);
    }
    if (rest > 0) {
      block.groups = 1, block.stream = stream + whole * group, block.out = spare;
      linear_block<R>(block);
      __builtin_memcpy(out + 8 * whole, spare, static_cast<size_t>(rest));
    }
  }
  clamp_codes(static_cast<int8_t*>(d.output) + begin * a.out, (end - begin) * a.out, a.output);
}

template void linear<static_cast<Rounding>(OCTET_ROUNDING)>(const LinearArgs&, const PackedData&, int32_t, int32_t);

}  // namespace octet::cortex_m::m4
