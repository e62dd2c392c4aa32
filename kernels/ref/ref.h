// SPDX-License-Identifier: Apache-2.0
// The reference kernels: octet's arithmetic, written down once in plain loops and run by host tests, by hosts without a
// better engine and by firmware. Freestanding C++17; they cannot fail, their arguments were checked when they were made.
//
// Every kernel works on a range [begin, end) of independent units (Info::units) so that a host can spread it over threads and a
// device can call it once with [0, units(args)). A kernel template is instantiated for each Rounding in an object file
// of its own (kernels/ref/meson.build), so that an image with fixed-point rounding never links float helpers.
#pragma once

#include "kernels/list.h"

namespace octet::kernels {

/// Per-output-channel tables of a convolution or linear layer. A rounding mode reads only its own; the others may be null.
struct Channels {
  const float* scale;                ///< real: f32(sx*sw[c]); int_bias: f32(f32(sx*sw[c])/so)
  const float* bias;                 ///< real: float bias (never null; zeros if the layer has none)
  const int32_t* bias_codes;         ///< the other modes: rne(bias/(sx*sw[c])); of 16-bit codes two words, the low one first
  const int32_t* multiplier;         ///< fixed modes: Q31 mantissa
  const int32_t* shift;              ///< fixed modes: positive = left
  const int32_t* weight_zero_point;  ///< null: all zero
};

/// What one run works on.
struct Buffers {
  const void* input;
  const int8_t* weight;  ///< or a table, aligned to its elements; null: neither
  const void* second;    ///< of an addition, or a fused residual; null without one
  void* output;          ///< may be an input that the family's operator overwrites (kernels/info.h)
  Channels channels;
};

// units: batch * out_h: one output row each
template <Rounding>
void conv2d(const Conv2dArgs&, const Buffers&, int32_t begin, int32_t end);

// units: rows
template <Rounding>
void linear(const LinearArgs&, const Buffers&, int32_t begin, int32_t end);

// units: elements; the output may be an input
template <Rounding>
void add(const AddArgs&, const void* a, const void* b, void* output, int32_t begin, int32_t end);

// units: rows
template <Rounding>
void requantize(const RequantizeArgs&, const void* input, void* output, int32_t begin, int32_t end);

// units: batch * out_h
void max_pool2d(const Pool2dArgs&, const void* input, void* output, int32_t begin, int32_t end);
template <Rounding>
void average_pool2d(const Pool2dArgs&, const void* input, void* output, int32_t begin, int32_t end);

// units: elements; the output may be the input
void clamp(const ClampArgs&, const void* input, void* output, int32_t begin, int32_t end);

// units: elements
template <Rounding>
void quantize(const QuantizeArgs&, const float* input, void* output, int32_t begin, int32_t end);

// units: elements
void dequantize(const DequantizeArgs&, const void* input, float* output, int32_t begin, int32_t end);

// units: steps of the first output axis
void transpose(const TransposeArgs&, const void* input, void* output, int32_t begin, int32_t end);

// units: elements; the output may be the input
void lookup(const LookupArgs&, const void* input, const int8_t* table, void* output, int32_t begin, int32_t end);

// units: elements
void constant(const ConstantArgs&, const int8_t* table, void* output, int32_t begin, int32_t end);

// units: steps of the first output axis; the output may be an input
template <Rounding>
void binary(const BinaryArgs&, const void* a, const void* b, void* output, int32_t begin, int32_t end);

// units: batch * out_h
template <Rounding>
void resize(const ResizeArgs&, const void* input, const int32_t* table, void* output, int32_t begin, int32_t end);

// units: output rows of all matrices
template <Rounding>
void matmul(const MatMulArgs&, const void* a, const void* b, void* output, int32_t begin, int32_t end);

// units: steps of the first axis that stays
template <Rounding>
void reduce(const ReduceArgs&, const void* input, void* output, int32_t begin, int32_t end);

// units: steps of the first output axis
void gather(const GatherArgs&, const void* input, const int32_t* table, void* output, int32_t begin, int32_t end);

// units: rows; the output may be the input
template <Rounding>
void softmax(const SoftmaxArgs&, const void* input, const int32_t* table, void* output, int32_t begin, int32_t end);

// Every family's kernel under one name.
template <Rounding R>
inline void run(const Conv2dArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  conv2d<R>(a, b, begin, end);
}
template <Rounding R>
inline void run(const LinearArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  linear<R>(a, b, begin, end);
}
template <Rounding R>
inline void run(const AddArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  add<R>(a, b.input, b.second, b.output, begin, end);
}
template <Rounding R>
inline void run(const BinaryArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  binary<R>(a, b.input, b.second, b.output, begin, end);
}
template <Rounding R>
inline void run(const MatMulArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  matmul<R>(a, b.input, b.second, b.output, begin, end);
}
template <Rounding R>
inline void run(const ReduceArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  reduce<R>(a, b.input, b.output, begin, end);
}
template <Rounding R>
inline void run(const RequantizeArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  requantize<R>(a, b.input, b.output, begin, end);
}
template <Rounding R>
inline void run(const Pool2dArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  if (a.kind == PoolKind::max) return max_pool2d(a, b.input, b.output, begin, end);
  average_pool2d<R>(a, b.input, b.output, begin, end);
}
template <Rounding>
inline void run(const ClampArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  clamp(a, b.input, b.output, begin, end);
}
template <Rounding R>
inline void run(const QuantizeArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  quantize<R>(a, static_cast<const float*>(b.input), b.output, begin, end);
}
template <Rounding>
inline void run(const DequantizeArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  dequantize(a, b.input, static_cast<float*>(b.output), begin, end);
}
template <Rounding>
inline void run(const TransposeArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  transpose(a, b.input, b.output, begin, end);
}
template <Rounding>
inline void run(const GatherArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  gather(a, b.input, reinterpret_cast<const int32_t*>(b.weight), b.output, begin, end);
}
template <Rounding R>
inline void run(const SoftmaxArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  softmax<R>(a, b.input, reinterpret_cast<const int32_t*>(b.weight), b.output, begin, end);
}
template <Rounding>
inline void run(const LookupArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  lookup(a, b.input, b.weight, b.output, begin, end);
}
template <Rounding R>
inline void run(const ResizeArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  resize<R>(a, b.input, reinterpret_cast<const int32_t*>(b.weight), b.output, begin, end);
}
template <Rounding>
inline void run(const ConstantArgs& a, const Buffers& b, int32_t begin, int32_t end) {
  constant(a, b.weight, b.output, begin, end);
}

}  // namespace octet::kernels
