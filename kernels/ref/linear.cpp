// SPDX-License-Identifier: Apache-2.0
// Quantized fully connected layer, [rows, in] x [out, in]^T: one input row a unit.
#include "kernels/ref/weighted.h"

namespace octet::kernels {

template <Rounding R>
void linear(const LinearArgs& a, const Buffers& d, int32_t begin, int32_t end) {
  int16_t patch[kPatch];
  int32_t acc[kBlock];
  const Codes codes(a.input_type, a.input_zero_point);
  const size_t in = static_cast<size_t>(a.in), out = static_cast<size_t>(a.out);
  for (int32_t r = begin; r < end; ++r) {
    const uint8_t* x = bytes(d.input) + static_cast<size_t>(r) * in;
    uint8_t* y = bytes(d.output) + static_cast<size_t>(r) * out;
    for (int32_t o = 0; o < a.out; o += kBlock) {
      const int32_t n = smaller(kBlock, a.out - o);
      const int32_t* zero = d.channels.weight_zero_point == nullptr ? nullptr : d.channels.weight_zero_point + o;
      for (int32_t i = 0; i < n; ++i) acc[i] = 0;
      for (int32_t k = 0; k < a.in; k += kPatch) {
        const int32_t length = smaller(kPatch, a.in - k);
        read(x + k, length, codes, patch);
        accumulate(patch, length, d.weight + static_cast<size_t>(o) * in + k, a.in, zero, n, acc);
      }
      finish<R>(acc, n, d.channels, o, a.output, a.output_type, y + o);
    }
  }
}

template void linear<static_cast<Rounding>(OCTET_ROUNDING)>(const LinearArgs&, const Buffers&, int32_t, int32_t);

}  // namespace octet::kernels
