// SPDX-License-Identifier: Apache-2.0
// Fully connected layer on Cortex-M55: four outputs at a time over 16 inputs a step; weights are packed as those of a convolution.
#include "kernels/cortex_m/cortex_m.h"
#include "kernels/cortex_m/m55_linear_block.h"

namespace octet::cortex_m::m55 {

template <Rounding R>
void linear(const LinearArgs& args, const PackedData& d, int32_t begin, int32_t end) {
  const LinearArgs a = args;
  const int32_t steps = (a.in + 15) / 16, whole = a.out / 4, rest = a.out % 4;
  const auto* packed = static_cast<const int8_t*>(d.packed);
  int8_t spare[4];
  for (int32_t row = begin; row < end; ++row) {
    const int8_t* x = static_cast<const int8_t*>(d.input) + row * a.in;
    auto* out = static_cast<int8_t*>(d.output) + row * a.out;
    if (a.in % 16 != 0) {
      __builtin_memcpy(d.scratch, x, static_cast<size_t>(a.in));
      x = static_cast<const int8_t*>(d.scratch);
    }
    LinearBlock block{x, steps, whole, packed, out, output_of(a.output, R)};
    if (whole > 0) linear_block<R>(block);
    if (rest > 0) {
      block.groups = 1;
      block.stream = packed + whole * (64 * steps + static_cast<int32_t>(sizeof(Rescale4)));
      block.out = spare;
      linear_block<R>(block);
      for (int32_t i = 0; i < rest; ++i) out[4 * whole + i] = spare[i];
    }
  }
}

template void linear<static_cast<Rounding>(OCTET_ROUNDING)>(const LinearArgs&, const PackedData&, int32_t, int32_t);

}  // namespace octet::cortex_m::m55
