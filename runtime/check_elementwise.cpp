// SPDX-License-Identifier: Apache-2.0
// Operators that work element by element, or move elements.
#include "runtime/check.h"

namespace octet::checks {

using namespace kernels;

namespace {

/// Up to six axes, and how many elements they have.
bool shape(int32_t rank, const int32_t* shape, uint32_t* elements) { return within(rank, 1, 6) && product(elements, shape, rank); }

}  // namespace

bool table(const octet_tables& t, uint32_t channels, uint32_t bytes) {
  return t.weight != nullptr && t.weight_bytes == bytes && t.channels == channels && t.weight_zero_point == nullptr &&
         t.scale == nullptr && t.bias == nullptr && t.bias_codes == nullptr && t.multiplier == nullptr && t.shift == nullptr;
}

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
  if (!take(s, &a) || (a.element_size != 1 && a.element_size != 2 && a.element_size != 4)) return OCTET_ERROR_ARGUMENTS;
  uint32_t elements = 0;
  const uint32_t size = static_cast<uint32_t>(a.element_size);
  if (!shape(a.rank, a.output_shape, &elements) || s.input_count != 1 || s.input_bytes[0] % size != 0 ||
      !inside(a.rank, a.output_shape, a.input_stride, s.input_bytes[0] / size))
    return OCTET_ERROR_ARGUMENTS;
  return s.output_bytes[0] == uint64_t{elements} * size ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
}

octet_status binary(const octet_step& s, Rounding rounding) {
  BinaryArgs a;
  if (!take(s, &a) || a.rounding != rounding || (a.reserved[0] | a.reserved[1] | a.reserved[2]) != 0 || s.input_count != 2)
    return OCTET_ERROR_ARGUMENTS;
  uint32_t elements = 0;
  if (!shape(a.rank, a.output_shape, &elements) || s.output_bytes[0] != elements ||
      !inside(a.rank, a.output_shape, a.a_stride, s.input_bytes[0]) ||
      !inside(a.rank, a.output_shape, a.b_stride, s.input_bytes[1]))
    return OCTET_ERROR_ARGUMENTS;
  if (!valid(a.a_type) || !valid(a.b_type) || !is_code(a.a_zero_point, a.a_type) || !is_code(a.b_zero_point, a.b_type) ||
      !valid(a.output, a.output_type))
    return OCTET_ERROR_ARGUMENTS;
  switch (a.kind) {
    case BinaryKind::minimum:
    case BinaryKind::maximum:
      return a.a_type == a.b_type && a.a_type == a.output_type && a.a_zero_point == a.b_zero_point ? OCTET_OK
                                                                                                   : OCTET_ERROR_ARGUMENTS;
    case BinaryKind::add:
    case BinaryKind::sub:
    case BinaryKind::mul: break;
    default: return OCTET_ERROR_ARGUMENTS;
  }
  if (rounding == Rounding::real) return is_scale(a.a_scale) && is_scale(a.b_scale) ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
  return is_multiplier(a.a_multiplier, a.a_shift) && is_multiplier(a.b_multiplier, a.b_shift) &&
                 is_multiplier(a.output_multiplier, a.output_shift)
             ? OCTET_OK
             : OCTET_ERROR_ARGUMENTS;
}

octet_status reduce(const octet_step& s, Rounding rounding) {
  ReduceArgs a;
  if (!take(s, &a) || a.rounding != rounding || !within(a.kept, 1, 5) || !within(a.reduced, 1, 6 - a.kept))
    return OCTET_ERROR_ARGUMENTS;
  uint32_t outputs = 0, cells = 0, all = 0;
  if (!product(&outputs, a.shape, a.kept) || !product(&cells, a.shape + a.kept, a.reduced) ||
      !product(&all, a.shape, a.kept + a.reduced))
    return OCTET_ERROR_ARGUMENTS;
  if (s.input_count != 1 || !inside(a.kept + a.reduced, a.shape, a.stride, s.input_bytes[0]) || s.output_bytes[0] != outputs)
    return OCTET_ERROR_ARGUMENTS;
  if (!valid(a.input_type) || !is_code(a.input_zero_point, a.input_type) || !valid(a.output, a.output_type))
    return OCTET_ERROR_ARGUMENTS;
  switch (a.kind) {
    case ReduceKind::max:
    case ReduceKind::min:
      return a.input_type == a.output_type && a.input_zero_point == a.output.zero_point ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
    case ReduceKind::mean:
    case ReduceKind::sum:
      if (cells > INT32_MAX / 256) return OCTET_ERROR_ARGUMENTS;
      break;
    default: return OCTET_ERROR_ARGUMENTS;
  }
  const bool scales = rounding == Rounding::real ? is_scale(a.scale) : is_multiplier(a.multiplier, a.shift);
  return scales ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
}

octet_status lookup(const octet_step& s) {
  LookupArgs a;
  if (!take(s, &a) || a.count <= 0 || !within(a.channels, 1, kMaxSide) || a.count % a.channels != 0 || !valid(a.input_type) ||
      !valid(a.output_type) || (a.reserved[0] | a.reserved[1]) != 0)
    return OCTET_ERROR_ARGUMENTS;
  const uint32_t count = static_cast<uint32_t>(a.count), channels = static_cast<uint32_t>(a.channels);
  return table(s.tables[0], channels, channels * 256) && one_input(s, count) && s.output_bytes[0] == count ? OCTET_OK
                                                                                                           : OCTET_ERROR_ARGUMENTS;
}

octet_status resize(const octet_step& s, Rounding rounding) {
  ResizeArgs a;
  if (!take(s, &a) || a.rounding != rounding || !valid(a.type) || !is_code(a.zero_point, a.type)) return OCTET_ERROR_ARGUMENTS;
  return resize_shape(s, a, 1, rounding == Rounding::real);
}

octet_status resize_shape(const octet_step& s, const ResizeArgs& a, int32_t size, bool real) {
  const int32_t all[] = {a.batch, a.in_h, a.in_w, a.channels, a.out_h, a.out_w};
  if ((a.reserved[0] | a.reserved[1]) != 0 || s.input_count != 1 || !sides(all, sizeof all / sizeof *all) ||
      !equals_product(s.input_bytes[0], a.batch, a.in_h, a.in_w, a.channels, size) ||
      !equals_product(s.output_bytes[0], a.batch, a.out_h, a.out_w, a.channels, size))
    return OCTET_ERROR_ARGUMENTS;
  const uint32_t entries = 4 * static_cast<uint32_t>(a.out_h + a.out_w);
  if (!table(s.tables[0], entries, entries * 4)) return OCTET_ERROR_ARGUMENTS;
  constexpr int32_t kFloatOne = 0x3f800000;  // floats of 0..1 are ordered as their bits
  const int32_t* tap = reinterpret_cast<const int32_t*>(s.tables[0].weight);
  for (int32_t i = 0; i < a.out_h + a.out_w; ++i, tap += 4) {
    const int32_t side = i < a.out_h ? a.in_h : a.in_w, one = real ? kFloatOne : 1 << 10;
    if (!within(tap[0], 0, side - 1) || !within(tap[1], 0, side - 1) || !within(tap[2], 0, one) || !within(tap[3], 0, one) ||
        (!real && tap[2] + tap[3] != one))
      return OCTET_ERROR_ARGUMENTS;
  }
  return OCTET_OK;
}

octet_status constant(const octet_step& s) {
  ConstantArgs a;
  if (!take(s, &a) || a.count <= 0 || s.input_count != 0) return OCTET_ERROR_ARGUMENTS;
  const uint32_t count = static_cast<uint32_t>(a.count);
  return s.output_bytes[0] == count && table(s.tables[0], count, count) ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
}

octet_status softmax(const octet_step& s, Rounding rounding) {
  SoftmaxArgs a;
  if (!take(s, &a) || a.rounding != rounding || a.reserved != 0 || s.input_count != 1 || !valid(a.input_type) ||
      !valid(a.output, a.output_type) || !equals_product(s.input_bytes[0], a.rows, a.n) || s.output_bytes[0] != s.input_bytes[0] ||
      !table(s.tables[0], 256, 256 * 4))
    return OCTET_ERROR_ARGUMENTS;
  // The largest element has e^0 = 1, so that no sum is zero; what a sum can reach stays in its type.
  const int32_t* e = reinterpret_cast<const int32_t*>(s.tables[0].weight);
  const bool real = rounding == Rounding::real;
  if (e[0] != (real ? 1 << 23 : INT32_MAX) || (!real && a.n >= 1 << 12)) return OCTET_ERROR_ARGUMENTS;
  for (int i = 1; i < 256; ++i)
    if (e[i] < (real ? 0 : -1) || e[i] > e[0]) return OCTET_ERROR_ARGUMENTS;
  return OCTET_OK;
}

octet_status gather(const octet_step& s) {
  GatherArgs a;
  if (!take(s, &a) || !within(a.rank, 1, 6) || (a.element_size != 1 && a.element_size != 2 && a.element_size != 4) || a.run <= 0)
    return OCTET_ERROR_ARGUMENTS;
  uint32_t places = 0, elements = 0, entries = 0;
  if (!product(&places, a.output_shape, a.rank) || s.input_count != 1) return OCTET_ERROR_ARGUMENTS;
  const int32_t factors[] = {static_cast<int32_t>(places), a.run, a.element_size};
  if (!product(&elements, factors, 3) || s.output_bytes[0] != elements) return OCTET_ERROR_ARGUMENTS;
  for (int32_t i = 0; i < a.rank; ++i) entries += static_cast<uint32_t>(a.output_shape[i]);
  if (a.table != static_cast<int32_t>(entries) || !table(s.tables[0], entries, entries * 4)) return OCTET_ERROR_ARGUMENTS;
  // The farthest place that any combination of indices reaches.
  const int32_t* step = reinterpret_cast<const int32_t*>(s.tables[0].weight);
  uint64_t farthest = static_cast<uint64_t>(a.run);
  for (int32_t axis = 0; axis < a.rank; ++axis) {
    int32_t most = 0;
    for (int32_t i = 0; i < a.output_shape[axis]; ++i, ++step) {
      if (*step < -1) return OCTET_ERROR_ARGUMENTS;
      most = *step > most ? *step : most;
    }
    farthest += static_cast<uint64_t>(most);
  }
  return farthest * static_cast<uint64_t>(a.element_size) <= s.input_bytes[0] ? OCTET_OK : OCTET_ERROR_ARGUMENTS;
}

}  // namespace octet::checks
