// SPDX-License-Identifier: Apache-2.0
// Operators on 16-bit codes: all of them have the zero point 0, and the sums of layers stay within 48 bits.
#include "kernels/ref/ref16.h"
#include "runtime/check.h"

namespace octet::checks {
namespace {

using namespace kernels;

constexpr octet_status kArguments = OCTET_ERROR_ARGUMENTS;

octet_status ok(bool sound) { return sound ? OCTET_OK : kArguments; }
bool code_16(int32_t q) { return within(q, INT16_MIN, INT16_MAX); }
bool limits_16(int32_t lo, int32_t hi) { return code_16(lo) && code_16(hi) && lo <= hi; }
bool output_16(const OutputArgs& o, CodeType type) {
  return kernels::is_wide(type) && is_scale(o.inv_scale) && o.zero_point == 0 && limits_16(o.clamp_min, o.clamp_max);
}
bool any_codes(CodeType type, int32_t zero_point) {
  return kernels::is_wide(type) ? zero_point == 0 : valid(type) && is_code(zero_point, type);
}
/// What multiply_fixed_16 shifts.
bool is_multiplier_16(int32_t multiplier, int32_t shift) { return multiplier >= 0 && within(shift, -31, 14); }
bool of_codes(uint32_t bytes, int32_t count) { return equals_product(bytes, count, 2); }

/// Tables of a layer, and what a channel's sum can reach.
octet_status tables_16(const octet_step& step, uint32_t channels, uint32_t row) {
  const octet_tables& s = step.tables[0];
  uint32_t weights = 0;
  if (s.channels != channels || __builtin_mul_overflow(channels, row, &weights) || s.weight == nullptr || s.weight_bytes != weights)
    return kArguments;
  if (s.scale != nullptr || s.bias != nullptr || s.weight_zero_point != nullptr || s.bias_codes == nullptr ||
      s.multiplier == nullptr || s.shift == nullptr)
    return kArguments;
  for (uint32_t c = 0; c < channels; ++c) {
    if (!is_multiplier_16(s.multiplier[c], s.shift[c])) return kArguments;
    const int8_t* w = s.weight + c * row;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < row; ++i) sum += static_cast<uint32_t>(w[i] < 0 ? -w[i] : w[i]);
    const int64_t bias = wide_bias(s.bias_codes, static_cast<int32_t>(c));
    const int64_t bound = static_cast<int64_t>(uint64_t{sum} << 15);  // at most 2^45
    if (bias <= bound - kSum16Limit || bias >= kSum16Limit - bound) return OCTET_ERROR_BOUND;
  }
  return OCTET_OK;
}

}  // namespace

octet_status conv2d_16(const octet_step& s) {
  Conv2dArgs a;
  uint32_t row = 0, residual = 0;
  if (!take(s, &a) || s.input_count != 1 || !is_fixed(a.rounding) || !conv2d_shape(s, a, 2, &row)) return kArguments;
  __builtin_memcpy(&residual, &a.residual_scale, sizeof residual);
  if (residual != 0 || a.residual_zero_point != 0 || a.residual_multiplier != 0 || a.residual_shift != 0 ||
      a.residual_type != CodeType::u8)
    return kArguments;
  if (!kernels::is_wide(a.input_type) || a.input_zero_point != 0 || !output_16(a.output, a.output_type)) return kArguments;
  return tables_16(s, static_cast<uint32_t>(a.out_c), row);
}

octet_status linear_16(const octet_step& s) {
  LinearArgs a;
  if (!take(s, &a) || s.input_count != 1 || !is_fixed(a.rounding) || a.reserved != 0) return kArguments;
  if (!kernels::is_wide(a.input_type) || a.input_zero_point != 0 || !output_16(a.output, a.output_type)) return kArguments;
  if (!equals_product(s.input_bytes[0], a.rows, a.in, 2) || !equals_product(s.output_bytes[0], a.rows, a.out, 2)) return kArguments;
  const uint32_t row = static_cast<uint32_t>(a.in);
  return row > kMaxRow ? kArguments : tables_16(s, static_cast<uint32_t>(a.out), row);
}

octet_status matmul_16(const octet_step& s) {
  MatMulArgs a;
  if (!take(s, &a) || !is_fixed(a.rounding) || !within(a.k, 1, kMostMatMul16Terms) || !matmul_shape(s, a, 2)) return kArguments;
  return ok(kernels::is_wide(a.a_type) && kernels::is_wide(a.b_type) && a.a_zero_point == 0 && a.b_zero_point == 0 &&
            output_16(a.output, a.output_type) && is_multiplier_16(a.multiplier, a.shift));
}

octet_status add_16(const octet_step& s, Rounding rounding) {
  AddArgs a;
  if (!take(s, &a) || a.rounding != rounding || a.count <= 0 || s.input_count != 2) return kArguments;
  if (!of_codes(s.input_bytes[0], a.count) || !of_codes(s.input_bytes[1], a.count) || !of_codes(s.output_bytes[0], a.count))
    return kArguments;
  return ok(kernels::is_wide(a.a_type) && kernels::is_wide(a.b_type) && a.a_zero_point == 0 && a.b_zero_point == 0 &&
            output_16(a.output, a.output_type) && is_multiplier(a.a_multiplier, a.a_shift) &&
            is_multiplier(a.b_multiplier, a.b_shift) && is_multiplier(a.output_multiplier, a.output_shift));
}

octet_status binary_16(const octet_step& s, Rounding rounding) {
  BinaryArgs a;
  uint32_t elements = 0;
  if (!take(s, &a) || a.rounding != rounding || (a.reserved[0] | a.reserved[1] | a.reserved[2]) != 0 || s.input_count != 2 ||
      !within(a.rank, 1, 6) || !product(&elements, a.output_shape, a.rank) || s.output_bytes[0] != uint64_t{elements} * 2 ||
      s.input_bytes[0] % 2 != 0 || s.input_bytes[1] % 2 != 0 || !inside(a.rank, a.output_shape, a.a_stride, s.input_bytes[0] / 2) ||
      !inside(a.rank, a.output_shape, a.b_stride, s.input_bytes[1] / 2))
    return kArguments;
  if (!kernels::is_wide(a.a_type) || !kernels::is_wide(a.b_type) || a.a_zero_point != 0 || a.b_zero_point != 0 ||
      !output_16(a.output, a.output_type))
    return kArguments;
  switch (a.kind) {
    case BinaryKind::minimum:
    case BinaryKind::maximum: return OCTET_OK;
    case BinaryKind::add:
    case BinaryKind::sub:
      if (!is_multiplier(a.a_multiplier, a.a_shift) || !is_multiplier(a.b_multiplier, a.b_shift)) return kArguments;
      break;
    case BinaryKind::mul: break;
    default: return kArguments;
  }
  return ok(is_multiplier(a.output_multiplier, a.output_shift));
}

octet_status reduce_16(const octet_step& s, Rounding rounding) {
  ReduceArgs a;
  uint32_t outputs = 0, cells = 0, all = 0;
  if (!take(s, &a) || a.rounding != rounding || !within(a.kept, 1, 5) || !within(a.reduced, 1, 6 - a.kept) ||
      !product(&outputs, a.shape, a.kept) || !product(&cells, a.shape + a.kept, a.reduced) ||
      !product(&all, a.shape, a.kept + a.reduced))
    return kArguments;
  const bool sums = a.kind == ReduceKind::mean || a.kind == ReduceKind::sum;
  if (sums && cells > static_cast<uint32_t>(kMostSummed16)) return OCTET_ERROR_BOUND;
  if (s.input_count != 1 || s.input_bytes[0] % 2 != 0 || !inside(a.kept + a.reduced, a.shape, a.stride, s.input_bytes[0] / 2) ||
      s.output_bytes[0] != uint64_t{outputs} * 2)
    return kArguments;
  if (!kernels::is_wide(a.input_type) || a.input_zero_point != 0 || !output_16(a.output, a.output_type)) return kArguments;
  return ok(static_cast<uint8_t>(a.kind) <= 3 && (!sums || is_multiplier(a.multiplier, a.shift)));
}

octet_status requantize_16(const octet_step& s, Rounding rounding) {
  RequantizeArgs a;
  if (!take(s, &a) || a.rounding != rounding || a.copy != 0 || s.input_count != 1) return kArguments;
  if (!any_codes(a.input_type, a.input_zero_point) || (!kernels::is_wide(a.input_type) && !kernels::is_wide(a.output_type)))
    return kArguments;
  if (kernels::is_wide(a.output_type) ? !output_16(a.output, a.output_type) : !valid(a.output, a.output_type)) return kArguments;
  if (!equals_product(s.input_bytes[0], a.rows, a.row, code_bytes(a.input_type)) || a.output_stride < a.row) return kArguments;
  const int32_t skipped[] = {a.rows, a.output_stride, code_bytes(a.output_type)};
  uint32_t whole = 0;
  if (!product(&whole, skipped, 3)) return kArguments;
  const uint32_t gap = static_cast<uint32_t>((a.output_stride - a.row) * code_bytes(a.output_type));
  return ok(whole - gap <= s.output_bytes[0] && is_multiplier(a.multiplier, a.shift));
}

octet_status softmax_16(const octet_step& s, Rounding rounding) {
  SoftmaxArgs a;
  constexpr uint32_t kEntries = 2 * static_cast<uint32_t>(kLookup16Entries), kBytes = kEntries * 2 + 8;
  if (!take(s, &a) || a.rounding != rounding || a.reserved != 0 || s.input_count != 1 || !kernels::is_wide(a.input_type) ||
      !output_16(a.output, a.output_type) || !equals_product(s.input_bytes[0], a.rows, a.n, 2) ||
      s.output_bytes[0] != s.input_bytes[0] || !table(s.tables[0], kEntries, kBytes) || a.n >= 1 << 16)
    return kArguments;
  int32_t rescale[2];
  __builtin_memcpy(rescale, s.tables[0].weight + kEntries * 2, sizeof rescale);
  if (!is_multiplier(rescale[0], rescale[1])) return kArguments;
  // No entry is negative, and that of the largest element is half of one at the least: sums are neither zero nor beyond 32 bits.
  const int16_t* e = reinterpret_cast<const int16_t*>(s.tables[0].weight);
  for (uint32_t i = 0; i < kEntries; ++i)
    if (e[i] < 0) return kArguments;
  return ok(e[kLookup16Entries - 2] >= 1 << 14 && e[kLookup16Entries - 1] >= 1 << 14);
}

octet_status activation(const octet_step& s, Rounding rounding) {
  ActivationArgs a;
  if (!take(s, &a) || a.rounding != rounding || a.count <= 0 || !kernels::is_wide(a.type) || a.inverts > 1 || s.input_count != 1 ||
      !of_codes(s.input_bytes[0], a.count) || s.output_bytes[0] != s.input_bytes[0] || !limits_16(a.clamp_min, a.clamp_max))
    return kArguments;
  switch (a.kind) {
    case ActivationKind::logistic:
    case ActivationKind::tanh:
      return ok(a.multiplier >= 0 && within(a.shift, 0, 31) && a.negative_multiplier == 0 && a.negative_shift == 0 &&
                a.inverts == 0);
    case ActivationKind::leaky_relu:
      return ok(is_multiplier(a.multiplier, a.shift) && is_multiplier(a.negative_multiplier, a.negative_shift));
    default: return kArguments;
  }
}

octet_status max_pool2d_16(const octet_step& s) {
  Pool2dArgs a;
  if (!take(s, &a) || a.kind != PoolKind::max || !is_fixed(a.rounding) || !kernels::is_wide(a.type) || a.zero_point != 0 ||
      !limits_16(a.clamp_min, a.clamp_max))
    return kArguments;
  return pool_shape(s, a, 2, 1 << 22);
}

octet_status average_pool2d_16(const octet_step& s) {
  Pool2dArgs a;
  if (!take(s, &a) || a.kind == PoolKind::max || !is_fixed(a.rounding) || !kernels::is_wide(a.type) || a.zero_point != 0 ||
      !limits_16(a.clamp_min, a.clamp_max))
    return kArguments;
  return pool_shape(s, a, 2, kMostSummed16);
}

octet_status clamp_16(const octet_step& s) {
  ClampArgs a;
  if (!take(s, &a) || a.count <= 0 || !kernels::is_wide(a.type) || (a.reserved[0] | a.reserved[1] | a.reserved[2]) != 0)
    return kArguments;
  return ok(s.input_count == 1 && of_codes(s.input_bytes[0], a.count) && of_codes(s.output_bytes[0], a.count) &&
            limits_16(a.clamp_min, a.clamp_max));
}

octet_status quantize_16(const octet_step& s) {
  QuantizeArgs a;
  if (!take(s, &a) || !is_fixed(a.rounding) || (a.reserved[0] | a.reserved[1]) != 0) return kArguments;
  return ok(s.input_count == 1 && equals_product(s.input_bytes[0], a.count, 4) && of_codes(s.output_bytes[0], a.count) &&
            output_16(a.output, a.output_type));
}

octet_status dequantize_16(const octet_step& s) {
  DequantizeArgs a;
  if (!take(s, &a) || (a.reserved[0] | a.reserved[1] | a.reserved[2]) != 0) return kArguments;
  return ok(s.input_count == 1 && of_codes(s.input_bytes[0], a.count) && equals_product(s.output_bytes[0], a.count, 4) &&
            kernels::is_wide(a.input_type) && a.zero_point == 0 && is_scale(a.scale));
}

octet_status lookup_16(const octet_step& s) {
  LookupArgs a;
  if (!take(s, &a) || a.count <= 0 || !within(a.channels, 1, kMaxSide) || a.count % a.channels != 0 ||
      !kernels::is_wide(a.input_type) || !kernels::is_wide(a.output_type) || (a.reserved[0] | a.reserved[1]) != 0)
    return kArguments;
  const uint32_t channels = static_cast<uint32_t>(a.channels);
  return ok(table(s.tables[0], channels, channels * static_cast<uint32_t>(kLookup16Entries) * 2) && s.input_count == 1 &&
            of_codes(s.input_bytes[0], a.count) && of_codes(s.output_bytes[0], a.count));
}

octet_status resize_16(const octet_step& s) {
  ResizeArgs a;
  if (!take(s, &a) || !is_fixed(a.rounding) || !kernels::is_wide(a.type) || a.zero_point != 0) return kArguments;
  return resize_shape(s, a, 2, false);
}

}  // namespace octet::checks
