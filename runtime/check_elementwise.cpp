// SPDX-License-Identifier: Apache-2.0
// Operators that work element by element, or move elements.
#include "runtime/check.h"

namespace octet::checks {

using namespace kernels;

octet_status add(const octet_step& s, Rounding rounding) {
  AddArgs a;
  if (!take(s, &a) || a.rounding != rounding || a.count <= 0) return OCTET_ERROR_ARGUMENTS;
  const uint32_t count = static_cast<uint32_t>(a.count);
  if (s.input_count != 2 || s.input_bytes[0] != count || s.input_bytes[1] != count || s.output_bytes[0] != count)
    return OCTET_ERROR_ARGUMENTS;
  if (!valid(a.a_type) || !valid(a.b_type) || !is_code(a.a_zero_point, a.a_type) || !is_code(a.b_zero_point, a.b_type) ||
      !valid(a.output, a.output_type))
    return OCTET_ERROR_ARGUMENTS;
  if (rounding == Rounding::real) return is_scale(a.a_scale) && is_scale(a.b_scale) ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
  return is_multiplier(a.a_multiplier, a.a_shift) && is_multiplier(a.b_multiplier, a.b_shift) &&
                 is_multiplier(a.output_multiplier, a.output_shift)
             ? OCTET_OK
             : OCTET_ERROR_ARGUMENTS;
}

octet_status requantize(const octet_step& s, Rounding rounding) {
  RequantizeArgs a;
  if (!take(s, &a) || a.rounding != rounding || a.copy > 1) return OCTET_ERROR_ARGUMENTS;
  if (!valid(a.input_type) || !is_code(a.input_zero_point, a.input_type) || !valid(a.output, a.output_type))
    return OCTET_ERROR_ARGUMENTS;
  if (s.input_count != 1 || !equals_product(s.input_bytes[0], a.rows, a.row) || a.output_stride < a.row)
    return OCTET_ERROR_ARGUMENTS;
  const int32_t skipped[] = {a.rows, a.output_stride};
  uint32_t whole = 0;
  if (!product(&whole, skipped, 2)) return OCTET_ERROR_ARGUMENTS;
  const uint32_t extent = whole - static_cast<uint32_t>(a.output_stride) + static_cast<uint32_t>(a.row);
  if (extent > s.output_bytes[0]) return OCTET_ERROR_ARGUMENTS;
  const bool scales = rounding == Rounding::real ? is_scale(a.input_scale) : is_multiplier(a.multiplier, a.shift);
  return scales ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
}

octet_status clamp(const octet_step& s) {
  ClampArgs a;
  if (!take(s, &a) || a.count <= 0 || !valid(a.type) || (a.reserved[0] | a.reserved[1] | a.reserved[2]) != 0)
    return OCTET_ERROR_ARGUMENTS;
  const uint32_t count = static_cast<uint32_t>(a.count);
  return one_input(s, count) && s.output_bytes[0] == count && is_code(a.clamp_min, a.type) && is_code(a.clamp_max, a.type) &&
                 a.clamp_min <= a.clamp_max
             ? OCTET_OK
             : OCTET_ERROR_ARGUMENTS;
}

octet_status quantize(const octet_step& s, Rounding rounding) {
  QuantizeArgs a;
  if (!take(s, &a) || a.rounding != rounding || (a.reserved[0] | a.reserved[1]) != 0) return OCTET_ERROR_ARGUMENTS;
  return s.input_count == 1 && equals_product(s.input_bytes[0], a.count, 4) && equals_product(s.output_bytes[0], a.count) &&
                 valid(a.output, a.output_type)
             ? OCTET_OK
             : OCTET_ERROR_ARGUMENTS;
}

octet_status dequantize(const octet_step& s) {
  DequantizeArgs a;
  if (!take(s, &a) || (a.reserved[0] | a.reserved[1] | a.reserved[2]) != 0) return OCTET_ERROR_ARGUMENTS;
  return s.input_count == 1 && equals_product(s.input_bytes[0], a.count) && equals_product(s.output_bytes[0], a.count, 4) &&
                 valid(a.input_type) && is_code(a.zero_point, a.input_type) && is_scale(a.scale)
             ? OCTET_OK
             : OCTET_ERROR_ARGUMENTS;
}

octet_status transpose(const octet_step& s) {
  TransposeArgs a;
  if (!take(s, &a) || !within(a.rank, 1, 6) || (a.element_size != 1 && a.element_size != 4)) return OCTET_ERROR_ARGUMENTS;
  uint32_t elements = 0;
  if (!product(&elements, a.output_shape, a.rank)) return OCTET_ERROR_ARGUMENTS;
  uint64_t last = 0;  // element read farthest in
  for (int32_t i = 0; i < a.rank; ++i) {
    if (a.input_stride[i] < 0) return OCTET_ERROR_ARGUMENTS;
    last += static_cast<uint64_t>(a.output_shape[i] - 1) * static_cast<uint32_t>(a.input_stride[i]);
  }
  const uint32_t size = static_cast<uint32_t>(a.element_size);
  const uint64_t bytes = uint64_t{elements} * size;
  const bool inside = s.input_count == 1 && s.input_bytes[0] % size == 0 && last < s.input_bytes[0] / size;
  return inside && s.output_bytes[0] == bytes ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
}

}  // namespace octet::checks
