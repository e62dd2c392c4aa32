// SPDX-License-Identifier: Apache-2.0
// Softmax along rows of codes: exponentials from a table, their sum exact. real and int_bias divide in binary32; the fixed modes as
// TensorFlow Lite does, by a fixed-point reciprocal of the sum.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {
namespace {

template <Rounding R>
void softmax_row(const SoftmaxArgs& a, const uint8_t* x, const int32_t* table, uint8_t* y) {
  const uint8_t flip = a.input_type == CodeType::i8 ? 0x80 : 0;  // unsigned codes, in their order
  uint8_t most = 0;
  for (int32_t i = 0; i < a.n; ++i) most = (x[i] ^ flip) > most ? static_cast<uint8_t>(x[i] ^ flip) : most;
  const auto exponential = [&](int32_t i) { return table[most - (x[i] ^ flip)]; };
  if constexpr (R == Rounding::real || R == Rounding::int_bias) {
    int64_t sum = 0;
    for (int32_t i = 0; i < a.n; ++i) sum += exponential(i);
    int32_t shift = 0;
    while (sum >> shift > INT32_MAX) ++shift;
    float total = static_cast<float>(static_cast<int32_t>(sum >> shift));
    for (int32_t i = 0; i < shift; ++i) total += total;
    for (int32_t i = 0; i < a.n; ++i)
      y[i] = static_cast<uint8_t>(qmath::quantize<R>(static_cast<float>(exponential(i)) / total, a.output));
  } else {
    int32_t sum = 0;
    for (int32_t i = 0; i < a.n; ++i) sum += exponential(i) < 0 ? 0 : qmath::shift_half_away(exponential(i), 12);
    int32_t zeros = 0;  // in front of the sum
    while ((static_cast<uint32_t>(sum) << zeros) >> 31 == 0) ++zeros;
    const int32_t above_one = static_cast<int32_t>((static_cast<uint32_t>(sum) << zeros) - (uint32_t{1} << 31));
    const int32_t scale = qmath::saturate(int64_t{2} * qmath::reciprocal_of_one_plus(above_one)), bits = 12 - zeros + 23;
    for (int32_t i = 0; i < a.n; ++i) {
      const int32_t e = exponential(i);
      const int32_t share = e < 0 || bits > 31 ? 0 : qmath::shift_half_away(qmath::multiply_high(scale, e), bits);
      y[i] = static_cast<uint8_t>(qmath::limit(share + a.output.zero_point, a.output));
    }
  }
}

}  // namespace

template <Rounding R>
void softmax(const SoftmaxArgs& a, const void* input, const int32_t* table, void* output, int32_t begin, int32_t end) {
  for (int32_t r = begin; r < end; ++r) {
    const size_t at = static_cast<size_t>(r) * static_cast<size_t>(a.n);
    softmax_row<R>(a, bytes(input) + at, table, bytes(output) + at);
  }
}

template void softmax<static_cast<Rounding>(OCTET_ROUNDING)>(const SoftmaxArgs&, const void*, const int32_t*, void*, int32_t,
                                                             int32_t);

}  // namespace octet::kernels
