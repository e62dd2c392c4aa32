// SPDX-License-Identifier: Apache-2.0
// The reference kernels of 16-bit codes (CodeType::i16), whose zero point is 0: TensorFlow Lite's 16x8 arithmetic. Functions and
// object files of their own, so that firmware without a 16-bit layer links none of them. They compute in the fixed roundings
// only; what is no template is the same in both.
#pragma once

#include "kernels/ref/ref.h"

namespace octet::kernels {

constexpr bool is_fixed(Rounding r) { return r == Rounding::fixed_double || r == Rounding::fixed_single; }
/// |sum| of a layer of 16-bit codes stays below this, bias included: what multiply_fixed_16 takes.
constexpr int64_t kSum16Limit = int64_t{1} << 47;
/// So many codes can be added in 32 bits, and half their number besides.
constexpr int32_t kMostSummed16 = 65535;
/// So many products of two codes stay below kSum16Limit.
constexpr int32_t kMostMatMul16Terms = (1 << 17) - 1;

inline const int16_t* wide(const void* p) { return static_cast<const int16_t*>(p); }
inline int16_t* wide(void* p) { return static_cast<int16_t*>(p); }

/// A channel's bias: two words, the low one first.
inline int64_t wide_bias(const int32_t* codes, int32_t channel) {
  const uint64_t high = static_cast<uint32_t>(codes[2 * channel + 1]);
  return static_cast<int64_t>(high << 32 | static_cast<uint32_t>(codes[2 * channel]));
}

/// Between two entries of a table of kLookup16Entries, halves up.
inline int32_t interpolate(int32_t code, const int16_t* table) {
  const int32_t at = 256 + (code >> 7);
  return table[at] + (((table[at + 1] - table[at]) * (code & 127) + 64) >> 7);
}

// Units as in kernels/ref/ref.h.
void conv2d_16(const Conv2dArgs&, const Buffers&, int32_t begin, int32_t end);
void linear_16(const LinearArgs&, const Buffers&, int32_t begin, int32_t end);
template <Rounding>
void add_16(const AddArgs&, const void* a, const void* b, void* output, int32_t begin, int32_t end);
template <Rounding>
void binary_16(const BinaryArgs&, const void* a, const void* b, void* output, int32_t begin, int32_t end);
void matmul_16(const MatMulArgs&, const void* a, const void* b, void* output, int32_t begin, int32_t end);
template <Rounding>
void reduce_16(const ReduceArgs&, const void* input, void* output, int32_t begin, int32_t end);
/// Codes of 8 bits and of 16 in any combination.
template <Rounding>
void requantize_16(const RequantizeArgs&, const void* input, void* output, int32_t begin, int32_t end);
void max_pool2d_16(const Pool2dArgs&, const void* input, void* output, int32_t begin, int32_t end);
void average_pool2d_16(const Pool2dArgs&, const void* input, void* output, int32_t begin, int32_t end);
void clamp_16(const ClampArgs&, const void* input, void* output, int32_t begin, int32_t end);
void quantize_16(const QuantizeArgs&, const float* input, void* output, int32_t begin, int32_t end);
void dequantize_16(const DequantizeArgs&, const void* input, float* output, int32_t begin, int32_t end);
void lookup_16(const LookupArgs&, const void* input, const int16_t* table, void* output, int32_t begin, int32_t end);
template <Rounding>
void softmax_16(const SoftmaxArgs&, const void* input, const int16_t* table, void* output, int32_t begin, int32_t end);
void resize_16(const ResizeArgs&, const void* input, const int32_t* table, void* output, int32_t begin, int32_t end);
template <Rounding>
void activation(const ActivationArgs&, const void* input, void* output, int32_t begin, int32_t end);

// Every family's kernel under one name.
template <Rounding>
inline void run_16(const Conv2dArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  conv2d_16(a, b, begin, end);
}
template <Rounding>
inline void run_16(const LinearArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  linear_16(a, b, begin, end);
}
template <Rounding R>
inline void run_16(const AddArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  add_16<R>(a, b.input, b.second, b.output, begin, end);
}
template <Rounding R>
inline void run_16(const BinaryArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  binary_16<R>(a, b.input, b.second, b.output, begin, end);
}
template <Rounding>
inline void run_16(const MatMulArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  matmul_16(a, b.input, b.second, b.output, begin, end);
}
template <Rounding R>
inline void run_16(const ReduceArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  reduce_16<R>(a, b.input, b.output, begin, end);
}
template <Rounding R>
inline void run_16(const RequantizeArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  requantize_16<R>(a, b.input, b.output, begin, end);
}
template <Rounding>
inline void run_16(const Pool2dArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  if (a.kind == PoolKind::max) return max_pool2d_16(a, b.input, b.output, begin, end);
  average_pool2d_16(a, b.input, b.output, begin, end);
}
template <Rounding>
inline void run_16(const ClampArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  clamp_16(a, b.input, b.output, begin, end);
}
template <Rounding>
inline void run_16(const QuantizeArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  quantize_16(a, static_cast<const float*>(b.input), b.output, begin, end);
}
template <Rounding>
inline void run_16(const DequantizeArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  dequantize_16(a, b.input, static_cast<float*>(b.output), begin, end);
}
template <Rounding>
inline void run_16(const LookupArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  lookup_16(a, b.input, reinterpret_cast<const int16_t*>(b.weight), b.output, begin, end);
}
template <Rounding R>
inline void run_16(const SoftmaxArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  softmax_16<R>(a, b.input, reinterpret_cast<const int16_t*>(b.weight), b.output, begin, end);
}
template <Rounding>
inline void run_16(const ResizeArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  resize_16(a, b.input, reinterpret_cast<const int32_t*>(b.weight), b.output, begin, end);
}
template <Rounding R>
inline void run_16(const ActivationArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  activation<R>(a, b.input, b.output, begin, end);
}

/// The kernel of these codes, for hosts: firmware names the one it needs. Of 16-bit codes in another rounding there is none, and
/// make() (kernels/kernel.h) has declined.
template <Rounding R, class Args>
inline void run_any(const Args& a, const Buffers& b, int32_t begin, int32_t end) {
  if constexpr (Same<Args, ActivationArgs>::value) {
    if constexpr (is_fixed(R)) run_16<R>(a, b, begin, end);
  } else if constexpr (Same<Args, TransposeArgs>::value || Same<Args, GatherArgs>::value || Same<Args, ConstantArgs>::value) {
    run<R>(a, b, begin, end);  // copies of bytes
  } else {
    if (!Info<Args>::wide(a)) return run<R>(a, b, begin, end);
    if constexpr (is_fixed(R)) run_16<R>(a, b, begin, end);
  }
}

}  // namespace octet::kernels
