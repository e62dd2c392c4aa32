// SPDX-License-Identifier: Apache-2.0
// Packs the constants of element-wise sums in the fixed modes: which operand is shifted exactly, and for M4 the other operand's 256
// rescaled values with the exact one's zero point taken off.
#include "kernels/cortex_m/mve.h"
#include "kernels/cortex_m/pack_channel.h"
#include "kernels/qmath.h"
#include "kernels/with_rounding.h"

namespace octet::cortex_m {
namespace {

constexpr int32_t kHalf = 1 << 30;  ///< the multiplier 1/2, with shift 0

int32_t rescaled(Rounding r, int32_t x, int32_t multiplier, int32_t shift) {
  return r == Rounding::fixed_double ? qmath::multiply_fixed<Rounding::fixed_double>(x, multiplier, shift)
                                     : qmath::multiply_fixed<Rounding::fixed_single>(x, multiplier, shift);
}

}  // namespace

std::vector<uint8_t> add_constants(const kernels::AddArgs& a, Target target) {
  const bool swapped = a.a_multiplier != kHalf || a.a_shift != 0;
  if (swapped && (a.b_multiplier != kHalf || a.b_shift != 0)) refuse("add: neither operand has the multiplier 1/2");
  const int32_t exact_zero = (swapped ? a.b_zero_point : a.a_zero_point) * (1 << 19);
  const int32_t multiplier = swapped ? a.a_multiplier : a.b_multiplier, shift = swapped ? a.a_shift : a.b_shift;
  const int32_t zero = swapped ? a.a_zero_point : a.b_zero_point;
  const int64_t most = int64_t{2 * 255} << 19;  // of either sign: both operands' differences, at most halved
  const bool equal = multiplier == kHalf && shift == 0;
  if (!equal && shift > -1) refuse("add: the other operand's multiplier is above 1/2");
  const m4::Rescale out =
      make_rescale(target, a.rounding, a.output_multiplier, a.output_shift, a.output.zero_point, -most, most, "add: ");
  Words words;
  words.add(swapped ? 1 : 0);
  if (target == Target::m55) {
    // fixed_single: two more bits to the left, so that VRSHL always has two to round away.
    words.add(swapped ? a.b_zero_point : a.a_zero_point), words.add(zero), words.add(equal ? 0 : multiplier);
    words.add(a.rounding == Rounding::fixed_single ? shift - 1 : shift);
    words.add(out.multiplier), words.add(out.shift);
  } else {
    words.add(out);
    for (int32_t byte = 0; byte < 256; ++byte) {
      const int32_t difference = static_cast<int8_t>(byte) - zero;
      words.add(rescaled(a.rounding, difference * (1 << 20), multiplier, shift) - exact_zero);
    }
  }
  return words.take();
}

}  // namespace octet::cortex_m
