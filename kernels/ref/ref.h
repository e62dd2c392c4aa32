// SPDX-License-Identifier: Apache-2.0
// The reference kernels: octet's arithmetic, written down once in plain loops and run by host tests, by hosts without a
// better engine and by firmware. Freestanding C++17; they cannot fail, their arguments were checked when they were made.
//
// Every kernel works on a range [begin, end) of independent units so that a host can spread it over threads and a
// device can call it once with [0, units(args)). A kernel template is instantiated for each Rounding in an object file
// of its own (kernels/ref/meson.build), so that an image with fixed-point rounding never links float helpers.
#pragma once

#include "kernels/args.h"

namespace octet::kernels {

/// Per-output-channel tables of a convolution or linear layer. A rounding mode reads only its own; the others may be null.
struct Channels {
  const float* scale;                ///< real: f32(sx*sw[c]); int_bias: f32(f32(sx*sw[c])/so)
  const float* bias;                 ///< real: float bias (never null; zeros if the layer has none)
  const int32_t* bias_codes;         ///< the other modes: rne(bias/(sx*sw[c]))
  const int32_t* multiplier;         ///< fixed modes: Q31 mantissa
  const int32_t* shift;              ///< fixed modes: positive = left
  const int32_t* weight_zero_point;  ///< null: all zero
};

struct WeightedData {
  const void* input;
  const int8_t* weight;
  const void* residual;  ///< null without one
  void* output;          ///< may be the residual
  Channels channels;
};

int32_t units(const Conv2dArgs&);  ///< batch * out_h: one output row each
template <Rounding>
void conv2d(const Conv2dArgs&, const WeightedData&, int32_t begin, int32_t end);

int32_t units(const LinearArgs&);  ///< rows
template <Rounding>
void linear(const LinearArgs&, const WeightedData&, int32_t begin, int32_t end);

int32_t units(const AddArgs&);  ///< elements; the output may be an input
template <Rounding>
void add(const AddArgs&, const void* a, const void* b, void* output, int32_t begin, int32_t end);

int32_t units(const RequantizeArgs&);  ///< rows
template <Rounding>
void requantize(const RequantizeArgs&, const void* input, void* output, int32_t begin, int32_t end);

int32_t units(const Pool2dArgs&);  ///< batch * out_h
void max_pool2d(const Pool2dArgs&, const void* input, void* output, int32_t begin, int32_t end);
template <Rounding>
void average_pool2d(const Pool2dArgs&, const void* input, void* output, int32_t begin, int32_t end);

int32_t units(const ClampArgs&);  ///< elements; the output may be the input
void clamp(const ClampArgs&, const void* input, void* output, int32_t begin, int32_t end);

int32_t units(const QuantizeArgs&);  ///< elements
template <Rounding>
void quantize(const QuantizeArgs&, const float* input, void* output, int32_t begin, int32_t end);

int32_t units(const DequantizeArgs&);  ///< elements
void dequantize(const DequantizeArgs&, const void* input, float* output, int32_t begin, int32_t end);

int32_t units(const TransposeArgs&);  ///< steps of the first output axis
void transpose(const TransposeArgs&, const void* input, void* output, int32_t begin, int32_t end);

}  // namespace octet::kernels
