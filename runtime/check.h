// SPDX-License-Identifier: Apache-2.0
// What every operator demands of a step before it may run: arguments in ranges in which no kernel overflows an integer or leaves a
// buffer. Integer arithmetic only, so that an image in a fixed mode needs no float helper. An operator of one's own may call these.
#pragma once

#include "runtime/walk.h"

namespace octet::checks {

octet_status conv2d(const octet_step&, Rounding);
octet_status linear(const octet_step&, Rounding);
octet_status matmul(const octet_step&, Rounding);
octet_status add(const octet_step&, Rounding);
octet_status binary(const octet_step&, Rounding);
octet_status reduce(const octet_step&, Rounding);
octet_status requantize(const octet_step&, Rounding);
octet_status softmax(const octet_step&, Rounding);
octet_status resize(const octet_step&, Rounding);
octet_status max_pool2d(const octet_step&);
octet_status average_pool2d(const octet_step&, Rounding);
octet_status clamp(const octet_step&);
octet_status quantize(const octet_step&, Rounding);
octet_status dequantize(const octet_step&);
octet_status transpose(const octet_step&);
octet_status lookup(const octet_step&);
octet_status gather(const octet_step&);
octet_status constant(const octet_step&);
// Of 16-bit codes (runtime/check_16.cpp).
octet_status conv2d_16(const octet_step&);
octet_status linear_16(const octet_step&);
octet_status matmul_16(const octet_step&);
octet_status add_16(const octet_step&, Rounding);
octet_status binary_16(const octet_step&, Rounding);
octet_status reduce_16(const octet_step&, Rounding);
octet_status requantize_16(const octet_step&, Rounding);
octet_status softmax_16(const octet_step&, Rounding);
octet_status activation(const octet_step&, Rounding);
octet_status max_pool2d_16(const octet_step&);
octet_status average_pool2d_16(const octet_step&);
octet_status clamp_16(const octet_step&);
octet_status quantize_16(const octet_step&);
octet_status dequantize_16(const octet_step&);
octet_status lookup_16(const octet_step&);
octet_status resize_16(const octet_step&);

// Parts of checks that both widths have.
/// Sizes and geometry of a convolution of codes of so many bytes; `row`: weights of an output channel.
bool conv2d_shape(const octet_step&, const kernels::Conv2dArgs&, int32_t size, uint32_t* row);
/// Windows of a pool, of at most so many cells.
octet_status pool_shape(const octet_step&, const kernels::Pool2dArgs&, int32_t size, int32_t most_cells);
/// Matrices of codes of so many bytes inside their buffers.
bool matmul_shape(const octet_step&, const kernels::MatMulArgs&, uint32_t size);
/// Neighbours and weights of a resize in integers (`one` 1024) or floats.
octet_status resize_shape(const octet_step&, const kernels::ResizeArgs&, int32_t size, bool real);
/// Whether a table of these bytes is all the constants there are.
bool table(const octet_tables&, uint32_t channels, uint32_t bytes);
constexpr uint32_t kMaxRow = image::kMaxRow;

/// The buffers of a packed layer against what its kernel needs.
octet_status packed(const octet_step&, int32_t packed_bytes, int32_t scratch_bytes);

using image::kMaxSide;

inline bool within(int32_t v, int32_t lo, int32_t hi) { return v >= lo && v <= hi; }
inline bool sides(const int32_t* first, int count) {
  for (int i = 0; i < count; ++i)
    if (!within(first[i], 1, kMaxSide)) return false;
  return true;
}

/// Product of positive factors if it fits 31 bits.
inline bool product(uint32_t* result, const int32_t* factors, int count) {
  uint32_t p = 1;
  for (int i = 0; i < count; ++i)
    if (factors[i] <= 0 || __builtin_mul_overflow(p, static_cast<uint32_t>(factors[i]), &p) || p > INT32_MAX) return false;
  *result = p;
  return true;
}
template <class... Factors>
inline bool equals_product(uint32_t bytes, Factors... factors) {
  const int32_t list[] = {factors...};
  uint32_t p = 0;
  return product(&p, list, sizeof...(factors)) && p == bytes;
}

/// Whether the element read farthest in, along positive lengths and steps of at least 0, is one of them.
inline bool inside(int32_t rank, const int32_t* shape, const int32_t* stride, uint32_t elements) {
  uint64_t last = 0;
  for (int32_t i = 0; i < rank; ++i) {
    if (stride[i] < 0) return false;
    last += static_cast<uint64_t>(shape[i] - 1) * static_cast<uint32_t>(stride[i]);
  }
  return last < elements;
}

/// The arguments, if their size and the numbers of outputs and tables are those of the family.
template <class Args>
inline bool take(const octet_step& step, Args* args) {
  if (step.args_bytes != sizeof(Args) || step.output_count != 1 ||
      step.table_count != (kernels::Info<Args>::constants == kernels::Constants::none ? 0u : 1u))
    return false;
  __builtin_memcpy(args, step.args, sizeof(Args));
  return true;
}

inline bool valid(kernels::CodeType t) { return static_cast<uint8_t>(t) <= 1; }
inline int32_t lowest(kernels::CodeType t) { return t == kernels::CodeType::i8 ? -128 : 0; }
inline bool is_code(int32_t q, kernels::CodeType t) { return within(q, lowest(t), lowest(t) + 255); }
/// Finite, positive, normal.
inline bool is_scale(const float& value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits >= 0x00800000 && bits < 0x7f800000;
}
inline bool is_multiplier(int32_t multiplier, int32_t shift) { return multiplier >= 0 && within(shift, -31, 30); }

inline bool valid(const kernels::OutputArgs& o, kernels::CodeType t) {
  return valid(t) && is_scale(o.inv_scale) && is_code(o.zero_point, t) && is_code(o.clamp_min, t) && is_code(o.clamp_max, t) &&
         o.clamp_min <= o.clamp_max;
}

/// Exactly one input, of this size.
inline bool one_input(const octet_step& step, uint32_t bytes) { return step.input_count == 1 && step.input_bytes[0] == bytes; }

}  // namespace octet::checks
