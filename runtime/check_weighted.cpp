// SPDX-License-Identifier: Apache-2.0
// Convolution and linear: geometry, tables, and the proof that no sum of products leaves 32 bits.
#include "runtime/check.h"

namespace octet::checks {
namespace {

using namespace kernels;

/// Farthest a code lies from the zero point.
uint32_t reach(CodeType type, int32_t zero_point) {
  const int32_t below = zero_point - lowest(type), above = lowest(type) + 255 - zero_point;
  return static_cast<uint32_t>(below > above ? below : above);
}

/// Tables of this rounding and no other; what an accumulator can reach, channel by channel.
octet_status tables(const octet_step& step, Rounding rounding, uint32_t channels, uint32_t row, uint32_t input_reach) {
  const octet_tables& s = step.tables[0];
  if (s.channels != channels) return OCTET_ERROR_ARGUMENTS;
  const bool real = rounding == Rounding::real;
  uint32_t weights = 0;
  if (__builtin_mul_overflow(channels, row, &weights)) return OCTET_ERROR_ARGUMENTS;
  if (s.weight ==
      nullptr) {  // packed weights hold everything; their sums wrap by definition and were bounded where they were packed
    const bool none = s.weight_zero_point == nullptr && s.scale == nullptr && s.bias == nullptr && s.bias_codes == nullptr &&
                      s.multiplier == nullptr && s.shift == nullptr;
    return step.packed == nullptr ? OCTET_ERROR_KERNEL : none ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
  }
  if (s.weight_bytes != weights) return OCTET_ERROR_ARGUMENTS;
  if ((s.scale != nullptr) != real || (s.bias != nullptr) != real || (s.bias_codes != nullptr) == real ||
      (s.multiplier != nullptr) == real || (s.shift != nullptr) == real)
    return OCTET_ERROR_ARGUMENTS;
  for (uint32_t c = 0; c < channels; ++c) {
    const int32_t zero = s.weight_zero_point == nullptr ? 0 : s.weight_zero_point[c];
    if (!within(zero, -128, 127)) return OCTET_ERROR_ARGUMENTS;
    if (real ? !is_scale(s.scale[c]) : !is_multiplier(s.multiplier[c], s.shift[c])) return OCTET_ERROR_ARGUMENTS;
    const int8_t* w = s.weight + c * row;
    uint32_t sum = 0;  // at most 2^31 / 255 weights of at most 255
    for (uint32_t i = 0; i < row; ++i) sum += static_cast<uint32_t>(w[i] < zero ? zero - w[i] : w[i] - zero);
    uint64_t bound = uint64_t{sum} * input_reach;
    if (!real) bound += static_cast<uint64_t>(s.bias_codes[c] < 0 ? -int64_t{s.bias_codes[c]} : int64_t{s.bias_codes[c]});
    if (bound > INT32_MAX) return OCTET_ERROR_BOUND;
  }
  return OCTET_OK;
}

/// None, or what its rounding reads and no more.
bool residual_ok(const Conv2dArgs& a, const octet_step& s) {
  uint32_t bits;
  __builtin_memcpy(&bits, &a.residual_scale, sizeof bits);
  if ((bits | static_cast<uint32_t>(a.residual_multiplier) | static_cast<uint32_t>(a.residual_shift)) == 0)
    return s.input_count == 1;
  const bool real = a.rounding == Rounding::real;
  if (real ? !is_scale(a.residual_scale) || a.residual_multiplier != 0 || a.residual_shift != 0
           : bits != 0 || a.residual_multiplier < 0 || !within(a.residual_shift, 1, 62))
    return false;
  return s.input_count == 2 && valid(a.residual_type) && is_code(a.residual_zero_point, a.residual_type) &&
         s.input_bytes[1] == s.output_bytes[0];
}

}  // namespace

bool conv2d_shape(const octet_step& s, const Conv2dArgs& a, int32_t size, uint32_t* row) {
  const int32_t all[] = {a.batch,    a.in_h,     a.in_w,     a.in_c,     a.out_h,      a.out_w,      a.out_c,
                         a.kernel_h, a.kernel_w, a.stride_h, a.stride_w, a.dilation_h, a.dilation_w, a.groups};
  if (!sides(all, sizeof all / sizeof *all)) return false;
  if (!within(a.pad_top, 0, kMaxSide) || !within(a.pad_left, 0, kMaxSide)) return false;
  if (a.in_c % a.groups != 0 || a.out_c % a.groups != 0) return false;
  if (!equals_product(s.input_bytes[0], a.batch, a.in_h, a.in_w, a.in_c, size)) return false;
  if (!equals_product(s.output_bytes[0], a.batch, a.out_h, a.out_w, a.out_c, size)) return false;
  const int32_t window[] = {a.kernel_h, a.kernel_w, a.in_c / a.groups};
  return product(row, window, 3) && *row <= kMaxRow;
}

octet_status conv2d(const octet_step& s, Rounding rounding) {
  Conv2dArgs a;
  uint32_t row = 0;
  if (!take(s, &a) || a.rounding != rounding || !conv2d_shape(s, a, 1, &row)) return OCTET_ERROR_ARGUMENTS;
  if (!valid(a.input_type) || !is_code(a.input_zero_point, a.input_type) || !valid(a.output, a.output_type))
    return OCTET_ERROR_ARGUMENTS;
  if (!residual_ok(a, s)) return OCTET_ERROR_ARGUMENTS;
  return tables(s, rounding, static_cast<uint32_t>(a.out_c), row, reach(a.input_type, a.input_zero_point));
}

octet_status linear(const octet_step& s, Rounding rounding) {
  LinearArgs a;
  if (!take(s, &a) || a.rounding != rounding || a.reserved != 0) return OCTET_ERROR_ARGUMENTS;
  if (!valid(a.input_type) || !is_code(a.input_zero_point, a.input_type) || !valid(a.output, a.output_type))
    return OCTET_ERROR_ARGUMENTS;
  if (s.input_count != 1 || !equals_product(s.input_bytes[0], a.rows, a.in) || !equals_product(s.output_bytes[0], a.rows, a.out))
    return OCTET_ERROR_ARGUMENTS;
  const uint32_t row = static_cast<uint32_t>(a.in);
  if (row > kMaxRow) return OCTET_ERROR_ARGUMENTS;
  return tables(s, rounding, static_cast<uint32_t>(a.out), row, reach(a.input_type, a.input_zero_point));
}

}  // namespace octet::checks
