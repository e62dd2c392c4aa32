// SPDX-License-Identifier: Apache-2.0
// Softmax along rows of 16-bit codes as TensorFlow Lite computes it: exponentials from a table over -10..0, the reciprocal of their
// sum from another, both in units of 2^-15.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {
namespace {

int32_t to_16_bits(int32_t x) { return larger(INT16_MIN, smaller(x, INT16_MAX)); }

template <Rounding R>
void softmax_row(const SoftmaxArgs& a, const int16_t* x, const int16_t* table, int16_t* y) {
  const int16_t* reciprocals = table + kLookup16Entries;
  int32_t rescale[2];  // multiplier and shift, behind both tables
  __builtin_memcpy(rescale, table + 2 * kLookup16Entries, sizeof rescale);
  int32_t most = INT16_MIN;
  for (int32_t i = 0; i < a.n; ++i) most = larger(most, x[i]);
  int32_t sum = 0;
  for (int32_t i = 0; i < a.n; ++i) {
    const int32_t d = qmath::multiply_fixed<R>(x[i] - most, rescale[0], rescale[1]);  // in units of 10/65535
    const int32_t e = interpolate(to_16_bits(qmath::saturate(int64_t{d} + INT16_MAX)), table);
    y[i] = static_cast<int16_t>(e), sum += e;
  }
  int32_t zeros = 0;  // in front of the sum, which is at least 2^14
  while ((static_cast<uint32_t>(sum) << zeros) >> 31 == 0) ++zeros;
  // The sum as 1 + x in units of 2^-16, of which the table wants x moved to the middle.
  const int32_t normal = static_cast<int32_t>(((static_cast<int64_t>(sum) << (zeros - 1)) + (1 << 13)) >> 14);
  const int32_t reciprocal = interpolate(to_16_bits(normal - (1 << 16) - (1 << 15)), reciprocals), bits = 31 - zeros;
  for (int32_t i = 0; i < a.n; ++i) {
    const int32_t share = (y[i] * reciprocal + (1 << (bits - 1))) >> bits;
    y[i] = static_cast<int16_t>(larger(a.output.clamp_min, smaller(larger(0, share), a.output.clamp_max)));
  }
}

}  // namespace

template <Rounding R>
void softmax_16(const SoftmaxArgs& a, const void* input, const int16_t* table, void* output, int32_t begin, int32_t end) {
  for (int32_t r = begin; r < end; ++r) {
    const size_t at = static_cast<size_t>(r) * static_cast<size_t>(a.n);
    softmax_row<R>(a, wide(input) + at, table, wide(output) + at);
  }
}

template void softmax_16<static_cast<Rounding>(OCTET_ROUNDING)>(const SoftmaxArgs&, const void*, const int16_t*, void*, int32_t,
                                                                int32_t);

}  // namespace octet::kernels
