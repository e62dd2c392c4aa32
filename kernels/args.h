// SPDX-License-Identifier: Apache-2.0
// Arguments of every quantized kernel, as plain bytes: the same structs reach the reference kernels, an engine's
// factory and (behind a record header) the firmware image. Freestanding C++17: fixed-width integers and floats, no bool,
// no pointer, no implicit padding; tests/kernels/args.cpp pins every size and offset. A change here is a new image version.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace octet {

/// How an integer accumulator becomes a code; a stored property of a model (docs/architecture.md, section 4).
enum class Rounding : uint8_t {
  real = 0,          ///< bias and rescale in binary32, one rounding to nearest even: oneDNN
  int_bias = 1,      ///< bias as an integer, one binary32 multiplier: ONNX Runtime, QNNPACK
  fixed_double = 2,  ///< integer multiplier and shift, two roundings: TensorFlow Lite Micro, CMSIS-NN
  fixed_single = 3,  ///< integer multiplier and shift, one rounding: TFLITE_SINGLE_ROUNDING
};

namespace kernels {

/// Storage of an activation. i8 codes are u8 codes minus 128; i16 codes have the zero point 0 and the fixed roundings only, and
/// every input and output of a kernel but requantize has them where one has.
enum class CodeType : uint8_t { u8 = 0, i8 = 1, i16 = 2 };
/// Bytes of a code.
constexpr int32_t code_bytes(CodeType type) { return type == CodeType::i16 ? 2 : 1; }

/// What every rescaling kernel needs to know of its output.
struct OutputArgs {
  float inv_scale;     ///< real: f32(1 / output scale); the others: the output scale itself, where a rule divides by it
  int32_t zero_point;  ///< in the output's own code range
  int32_t clamp_min;   ///< the spec's qmin, raised by a fused activation (real 0 -> zero point)
  int32_t clamp_max;   ///< the spec's qmax, lowered by a fused activation
};

/// Convolution, NHWC input, O,kH,kW,I/groups weights; out_h and out_w imply the bottom and right padding.
struct Conv2dArgs {
  int32_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
  int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, groups;
  int32_t input_zero_point;
  int32_t residual_zero_point;  ///< of the second input, added before the activation
  float residual_scale;         ///< 0: none. real: the second input's scale sr; int_bias: f32(sr/so)
  int32_t residual_multiplier;  ///< fixed modes: sr/so in units of 2^(20 - residual_shift)
  int32_t residual_shift;       ///< fixed modes: 0: none; the channels' multipliers are in units of 2^-residual_shift
  CodeType input_type, output_type, residual_type;
  Rounding rounding;
  OutputArgs output;
};

/// Looks at the bits: what computes in a fixed mode executes no float instruction.
inline bool has_residual(const Conv2dArgs& a) {
  uint32_t bits;
  __builtin_memcpy(&bits, &a.residual_scale, sizeof bits);
  return bits << 1 != 0 || a.residual_shift != 0;
}
/// By so many bits a fixed mode shifts a residual's codes, to give its multiplier as many as the channels' have.
constexpr int32_t kResidualBits = 20;

/// Fully connected: [rows, in] x [out, in]^T.
struct LinearArgs {
  int32_t rows, in, out;
  int32_t input_zero_point;
  CodeType input_type, output_type;
  Rounding rounding;
  uint8_t reserved;
  OutputArgs output;
};

/// Element-wise sum of two equally shaped tensors of codes.
struct AddArgs {
  int32_t count;
  int32_t a_zero_point, b_zero_point;
  float a_scale, b_scale;  ///< real: input scales; int_bias: f32(sa/so), f32(sb/so)
  float offset;            ///< int_bias: f32(zo - fma(a_scale, za, f32(b_scale*zb)))
  int32_t a_multiplier, a_shift, b_multiplier, b_shift, output_multiplier, output_shift;  ///< fixed modes
  CodeType a_type, b_type, output_type;
  Rounding rounding;
  OutputArgs output;
};

enum class BinaryKind : uint8_t { add = 0, sub = 1, mul = 2, minimum = 3, maximum = 4 };

/// Element-wise function of two tensors of codes with broadcasting: up to six axes of the output, steps of both inputs along each.
/// add and sub as in AddArgs. mul: one rescaling of the product of differences from the zero points. minimum, maximum: of codes
/// that mean the same as the output's.
struct BinaryArgs {
  int32_t rank;
  int32_t output_shape[6];
  int32_t a_stride[6], b_stride[6];  ///< in elements, by output axis; 0: repeated
  int32_t a_zero_point, b_zero_point;
  float a_scale, b_scale;  ///< add, sub: as in AddArgs; mul: f32(sa*sb), in int_bias f32(f32(sa*sb)/so), and 1
  float offset;            ///< int_bias, add and sub: as in AddArgs
  int32_t a_multiplier, a_shift, b_multiplier, b_shift;  ///< fixed modes, add and sub
  int32_t output_multiplier, output_shift;               ///< fixed modes; mul: sa*sb/so
  BinaryKind kind;
  CodeType a_type, b_type, output_type;
  Rounding rounding;
  uint8_t reserved[3];
  OutputArgs output;
};

/// Products of matrices: output row m of every matrix is the sum over k of a[m, k] times b[k, n], of differences to the zero
/// points. Rows of all matrices, one after the other, are the output; both inputs are read by steps.
struct MatMulArgs {
  int32_t rank;                              ///< axes of matrices, 1..4
  int32_t batch[4], a_batch[4], b_batch[4];  ///< how many; steps in elements from one to the next, 0: the same for all
  int32_t m, n, k;                           ///< k at most kMostMatMulTerms
  int32_t a_row, a_step, b_column, b_step;   ///< in elements: from row to row, from column to column, along the sum
  int32_t a_zero_point, b_zero_point;
  float scale;                ///< real: f32(sa*sb); int_bias: f32(f32(sa*sb)/so)
  int32_t multiplier, shift;  ///< fixed modes: f32(sa*sb)/so
  CodeType a_type, b_type, output_type;
  Rounding rounding;
  OutputArgs output;
};
/// So many products of two differences stay within 32 bits, whatever the zero points.
constexpr int32_t kMostMatMulTerms = INT32_MAX / (255 * 255);

enum class ReduceKind : uint8_t { mean = 0, sum = 1, max = 2, min = 3 };

/// Many codes become one: along `reduced` axes, for every place along `kept` ones, which the packed output has in their order; six
/// axes together at most. max and min are of codes that mean the same as the output's.
struct ReduceArgs {
  int32_t kept, reduced;
  int32_t shape[6], stride[6];  ///< those that stay, then those that go; steps in elements
  int32_t input_zero_point;
  float scale;                ///< real: f32(sx/n), n elements (sum: 1); int_bias: f32(sx / f32(so*n))
  int32_t multiplier, shift;  ///< fixed modes: sx/so/n
  ReduceKind kind;
  CodeType input_type, output_type;
  Rounding rounding;
  OutputArgs output;
};

/// Codes of one scale written as codes of another: requantize, and each input of a concatenation.
/// `rows` blocks of `row` codes are read back to back and written `output_stride` codes apart.
struct RequantizeArgs {
  int32_t rows, row, output_stride;
  int32_t input_zero_point;
  float input_scale;
  int32_t multiplier, shift;  ///< fixed modes: input scale / output scale
  CodeType input_type, output_type;
  Rounding rounding;
  uint8_t copy;  ///< 1: equal parameters, codes are copied
  OutputArgs output;
};

enum class PoolKind : uint8_t { max = 0, average = 1, adaptive_average = 2 };

/// Pooling over NHWC; input and output share scale and zero point. Padded cells never enter max; they count in an
/// average's divisor only with count_include_pad. Adaptive windows: floor(i*I/O) .. ceil((i+1)*I/O).
struct Pool2dArgs {
  int32_t batch, in_h, in_w, channels, out_h, out_w;
  int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
  int32_t zero_point, clamp_min, clamp_max;
  float input_scale, output_scale;  ///< int_bias only: f32(sx / f32(so*n))
  PoolKind kind;
  CodeType type;
  Rounding rounding;
  uint8_t count_include_pad;
};

/// Most cells of an adaptive window along an axis.
constexpr int32_t most_adaptive(int32_t in, int32_t out) {
  const int32_t cells = in / out + (in % out == 0 ? 0 : 2);
  return cells < in ? cells : in;
}

/// Codes limited to [clamp_min, clamp_max]: relu, relu6, hardtanh on codes.
struct ClampArgs {
  int32_t count, clamp_min, clamp_max;
  CodeType type;
  uint8_t reserved[3];
};

/// float32 -> codes: clamp(rne(x * inv_scale) + zero_point); the others divide by the scale, and fixed modes round halves away from
/// zero. NaN -> zero point.
struct QuantizeArgs {
  int32_t count;
  CodeType output_type;
  Rounding rounding;
  uint8_t reserved[2];
  OutputArgs output;
};

/// codes -> float32: scale * f32(q - zero_point).
struct DequantizeArgs {
  int32_t count;
  int32_t zero_point;
  float scale;
  CodeType input_type;
  uint8_t reserved[3];
};

/// Axis permutation of up to six axes of `element_size`-byte elements; also the plain copy (rank 1).
struct TransposeArgs {
  int32_t rank, element_size;
  int32_t output_shape[6];
  int32_t input_stride[6];  ///< in elements, by output axis
};

/// Softmax along rows of n codes. The table has e^(beta * scale * (x - max)) for every difference max - x = 0..255: in units of
/// 2^-23, in the fixed modes of 2^-31 (-1: too small to count), whose output has codes of 1/256 from the lowest on. Of i16 codes
/// the table has two of kLookup16Entries entries, of e^x over -10..0 and of 1 / (1 + x) over 0..1, in units of 2^-15, as the
/// output's codes are; output.inv_scale is not read, and the multiplier and shift that bring a difference to units of 10/65535 are
/// the table's last two words.
struct SoftmaxArgs {
  int32_t rows, n;
  CodeType input_type, output_type;
  Rounding rounding;
  uint8_t reserved;
  OutputArgs output;
};

/// Elements found by an index for each axis: the table has, for every index of each axis in turn, what it adds to the element's
/// place in the input, or -1: then the output is `constant` there. `run` elements are copied from every place.
struct GatherArgs {
  int32_t rank, element_size, run;
  int32_t output_shape[6];
  int32_t table;        ///< entries, the sum of output_shape
  uint8_t constant[8];  ///< an element
};

/// N,H,W,C pictures of another size. The table has, for every output row and then for every output column, the two input rows or
/// columns between which it lies and what they weigh: float32, in the fixed modes in units of 1/1024, together 1.
struct ResizeArgs {
  int32_t batch, in_h, in_w, channels, out_h, out_w;
  int32_t zero_point;
  CodeType type;
  Rounding rounding;
  uint8_t reserved[2];
};

/// Bytes of a table, copied: what reads nothing.
struct ConstantArgs {
  int32_t count;
};

/// A code for every code: output = table[c][input], of element i c = i modulo channels, the input's bits as an index 0..255. Of i16
/// codes a table has 513 entries of 16 bits, for every 128th code from -32768 on, and what lies between is interpolated.
struct LookupArgs {
  int32_t count;
  int32_t channels;  ///< 1: one table for all elements
  CodeType input_type, output_type;
  uint8_t reserved[2];
};
constexpr int32_t kLookup16Entries = 513;

enum class ActivationKind : uint8_t { logistic = 0, tanh = 1, leaky_relu = 2 };

/// A function of i16 codes by a formula of its own (docs/architecture.md, section 4). logistic and tanh give codes of 2^-15;
/// `multiplier` * 2^-`shift` makes of a code units of 1/12288. leaky_relu: `multiplier` and `shift` rescale codes of 0 and above,
/// the negative_ ones the others, whose sign `inverts` turns.
struct ActivationArgs {
  int32_t count;
  int32_t multiplier, shift;
  int32_t negative_multiplier, negative_shift;
  int32_t clamp_min, clamp_max;
  ActivationKind kind;
  CodeType type;
  Rounding rounding;
  uint8_t inverts;
};

}  // namespace kernels
}  // namespace octet
