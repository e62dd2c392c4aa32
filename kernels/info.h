// SPDX-License-Identifier: Apache-2.0
// What is to be known of each family of kernel arguments beside its arithmetic, said once. Names, image records, the runtime's
// operators, the largest arguments, work, fields for files and tests are all read from here. Freestanding C++17.
#pragma once

#include "kernels/args.h"

namespace octet::kernels {

/// A family as an operator of the runtime: the record kind in an image, what octet_op_<name> is called, whether there is one of it
/// for each rounding, which inputs the output may lie on, by bit, whether a target may pack constants for it, where its operands
/// may begin, and how many words an integer bias of a channel has.
struct DeviceOp {
  uint16_t kind;
  const char* name;
  bool rounds;
  uint8_t overwrites;
  bool packs;
  uint8_t alignment = 1;
  uint8_t bias_words = 1;
};

/// Constants that a family's kernel reads: none; weights with what rescales each output channel; a table of its own.
enum class Constants : uint8_t { none, channels, table };

/// What is known of a family of arguments. `device`: its operators in the runtime, and which of them these arguments are of.
/// `wide`: whether these are of i16 codes, for which the family has kernels of their own (kernels/ref/ref16.h).
/// `inputs`: how many it reads. `channels`: of its constants. `macs`: multiply-accumulates of a run, padding taps included.
/// `cells`: the most codes that one average of windows is of. `elements`: the most it reads or writes of anything. `units`:
/// independent parts that a run may be cut into (see kernels/ref/ref.h). `fields`: calls f(name, field) for all of them in their
/// order.
template <class Args>
struct Info;

/// What holds of most families.
template <class A>
struct Family {
  using Args = A;
  static constexpr Constants constants = Constants::none;
  static constexpr int device_of(const Args&) { return 0; }
  static constexpr int inputs(const Args&) { return 1; }
  static constexpr int32_t channels(const Args&) { return 0; }
  static constexpr int64_t macs(const Args&) { return 0; }
  static constexpr int64_t cells(const Args&) { return 0; }
  static constexpr bool wide(const Args&) { return false; }
};
constexpr bool is_wide(CodeType type) { return type == CodeType::i16; }

/// Of a family that works element by element.
template <class A>
struct ElementWise : Family<A> {
  static constexpr int64_t output_bytes(const A& a) { return a.count; }
  static constexpr int64_t elements(const A& a) { return a.count; }
  static constexpr int32_t units(const A& a) { return a.count; }
};

/// n times the lengths of these axes.
constexpr int64_t times(int64_t n, const int32_t* shape, int rank) {
  for (int i = 0; i < rank; ++i) n *= shape[i];
  return n;
}

template <class O, class F>
constexpr void output_fields(O& o, F&& f) {
  f("inv_scale", o.inv_scale), f("zero_point", o.zero_point), f("clamp_min", o.clamp_min), f("clamp_max", o.clamp_max);
}

template <>
struct Info<Conv2dArgs> : Family<Conv2dArgs> {
  static constexpr const char* name = "conv2d";
  static constexpr DeviceOp device[] = {{16, "conv2d", true, 2, true},  // the second input is the residual
                                        {34, "conv2d_16", false, 0, false, 2, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.input_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr Constants constants = Constants::channels;
  static constexpr int inputs(const Args& a) { return a.residual_scale != 0 || a.residual_shift != 0 ? 2 : 1; }
  static constexpr int32_t channels(const Args& a) { return a.out_c; }
  static constexpr int64_t macs(const Args& a) {
    const int64_t window = int64_t{a.kernel_h} * a.kernel_w * a.in_c;
    return elements(a) * window / (a.groups > 1 ? a.groups : 1);
  }
  static constexpr int64_t output_bytes(const Args& a) { return elements(a) * code_bytes(a.output_type); }
  static constexpr int64_t elements(const Args& a) { return int64_t{a.batch} * a.out_h * a.out_w * a.out_c; }
  static constexpr int32_t units(const Args& a) { return a.batch * a.out_h; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("batch", a.batch), f("in_h", a.in_h), f("in_w", a.in_w), f("in_c", a.in_c);
    f("out_h", a.out_h), f("out_w", a.out_w), f("out_c", a.out_c), f("kernel_h", a.kernel_h), f("kernel_w", a.kernel_w);
    f("stride_h", a.stride_h), f("stride_w", a.stride_w), f("dilation_h", a.dilation_h), f("dilation_w", a.dilation_w);
    f("pad_top", a.pad_top), f("pad_left", a.pad_left), f("groups", a.groups), f("input_zero_point", a.input_zero_point);
    f("residual_zero_point", a.residual_zero_point), f("residual_scale", a.residual_scale);
    f("residual_multiplier", a.residual_multiplier), f("residual_shift", a.residual_shift), f("input_type", a.input_type);
    f("output_type", a.output_type), f("residual_type", a.residual_type), f("rounding", a.rounding), output_fields(a.output, f);
  }
};

template <>
struct Info<LinearArgs> : Family<LinearArgs> {
  static constexpr const char* name = "linear";
  static constexpr DeviceOp device[] = {{17, "linear", true, 0, true}, {35, "linear_16", false, 0, false, 2, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.input_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr Constants constants = Constants::channels;
  static constexpr int32_t channels(const Args& a) { return a.out; }
  static constexpr int64_t macs(const Args& a) { return int64_t{a.rows} * a.in * a.out; }
  static constexpr int64_t output_bytes(const Args& a) { return elements(a) * code_bytes(a.output_type); }
  static constexpr int64_t elements(const Args& a) { return int64_t{a.rows} * a.out; }
  static constexpr int32_t units(const Args& a) { return a.rows; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("rows", a.rows), f("in", a.in), f("out", a.out), f("input_zero_point", a.input_zero_point);
    f("input_type", a.input_type), f("output_type", a.output_type), f("rounding", a.rounding), f("reserved", a.reserved);
    output_fields(a.output, f);
  }
};

template <>
struct Info<AddArgs> : ElementWise<AddArgs> {
  static constexpr const char* name = "add";
  static constexpr DeviceOp device[] = {{18, "add", true, 3, true}, {36, "add_16", true, 3, false, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.output_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr int64_t output_bytes(const Args& a) { return int64_t{a.count} * code_bytes(a.output_type); }
  static constexpr int inputs(const Args&) { return 2; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("count", a.count), f("a_zero_point", a.a_zero_point), f("b_zero_point", a.b_zero_point), f("a_scale", a.a_scale);
    f("b_scale", a.b_scale), f("offset", a.offset), f("a_multiplier", a.a_multiplier), f("a_shift", a.a_shift);
    f("b_multiplier", a.b_multiplier), f("b_shift", a.b_shift), f("output_multiplier", a.output_multiplier);
    f("output_shift", a.output_shift), f("a_type", a.a_type), f("b_type", a.b_type), f("output_type", a.output_type);
    f("rounding", a.rounding), output_fields(a.output, f);
  }
};

template <>
struct Info<RequantizeArgs> : Family<RequantizeArgs> {
  static constexpr const char* name = "requantize";
  static constexpr DeviceOp device[] = {{19, "requantize", true, 0, false}, {37, "requantize_16", true, 0, false, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.input_type) || is_wide(a.output_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr int64_t output_bytes(const Args& a) {
    return a.rows == 0 ? 0 : (int64_t{a.rows - 1} * a.output_stride + a.row) * code_bytes(a.output_type);
  }
  static constexpr int64_t elements(const Args& a) { return int64_t{a.rows} * a.row; }
  static constexpr int32_t units(const Args& a) { return a.rows; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("rows", a.rows), f("row", a.row), f("output_stride", a.output_stride), f("input_zero_point", a.input_zero_point);
    f("input_scale", a.input_scale), f("multiplier", a.multiplier), f("shift", a.shift), f("input_type", a.input_type);
    f("output_type", a.output_type), f("rounding", a.rounding), f("copy", a.copy), output_fields(a.output, f);
  }
};

/// One struct, two operators: the largest value is the same in every rounding, an average is not, but of i16 codes.
template <>
struct Info<Pool2dArgs> : Family<Pool2dArgs> {
  static constexpr const char* name = "pool2d";
  static constexpr DeviceOp device[] = {{20, "max_pool2d", false, 0, false},
                                        {21, "average_pool2d", true, 0, false},
                                        {38, "max_pool2d_16", false, 0, false, 2},
                                        {39, "average_pool2d_16", false, 0, false, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.type); }
  static constexpr int device_of(const Args& a) { return (a.kind == PoolKind::max ? 0 : 1) + (wide(a) ? 2 : 0); }
  static constexpr int64_t cells(const Args& a) {
    if (a.kind == PoolKind::max) return 0;
    if (a.kind == PoolKind::average) return int64_t{a.kernel_h} * a.kernel_w;
    return int64_t{most_adaptive(a.in_h, a.out_h)} * most_adaptive(a.in_w, a.out_w);
  }
  static constexpr int64_t output_bytes(const Args& a) {
    return int64_t{a.batch} * a.out_h * a.out_w * a.channels * code_bytes(a.type);
  }
  static constexpr int64_t elements(const Args& a) { return int64_t{a.batch} * a.in_h * a.in_w * a.channels; }
  static constexpr int32_t units(const Args& a) { return a.batch * a.out_h; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("batch", a.batch), f("in_h", a.in_h), f("in_w", a.in_w), f("channels", a.channels), f("out_h", a.out_h), f("out_w", a.out_w);
    f("kernel_h", a.kernel_h), f("kernel_w", a.kernel_w), f("stride_h", a.stride_h), f("stride_w", a.stride_w);
    f("pad_top", a.pad_top), f("pad_left", a.pad_left), f("pad_bottom", a.pad_bottom), f("pad_right", a.pad_right);
    f("zero_point", a.zero_point), f("clamp_min", a.clamp_min), f("clamp_max", a.clamp_max), f("input_scale", a.input_scale);
    f("output_scale", a.output_scale), f("kind", a.kind), f("type", a.type), f("rounding", a.rounding);
    f("count_include_pad", a.count_include_pad);
  }
};

template <>
struct Info<ClampArgs> : ElementWise<ClampArgs> {
  static constexpr const char* name = "clamp";
  static constexpr DeviceOp device[] = {{22, "clamp", false, 1, false}, {40, "clamp_16", false, 1, false, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr int64_t output_bytes(const Args& a) { return int64_t{a.count} * code_bytes(a.type); }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("count", a.count), f("clamp_min", a.clamp_min), f("clamp_max", a.clamp_max), f("type", a.type), f("reserved", a.reserved);
  }
};

template <>
struct Info<QuantizeArgs> : ElementWise<QuantizeArgs> {
  static constexpr const char* name = "quantize";
  static constexpr DeviceOp device[] = {{23, "quantize", true, 0, false}, {41, "quantize_16", false, 0, false, 4}};
  static constexpr bool wide(const Args& a) { return is_wide(a.output_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr int64_t output_bytes(const Args& a) { return int64_t{a.count} * code_bytes(a.output_type); }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("count", a.count), f("output_type", a.output_type), f("rounding", a.rounding), f("reserved", a.reserved);
    output_fields(a.output, f);
  }
};

template <>
struct Info<DequantizeArgs> : ElementWise<DequantizeArgs> {
  static constexpr const char* name = "dequantize";
  static constexpr DeviceOp device[] = {{24, "dequantize", false, 0, false}, {42, "dequantize_16", false, 0, false, 4}};
  static constexpr bool wide(const Args& a) { return is_wide(a.input_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr int64_t output_bytes(const Args& a) { return int64_t{a.count} * 4; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("count", a.count), f("zero_point", a.zero_point), f("scale", a.scale), f("input_type", a.input_type);
    f("reserved", a.reserved);
  }
};

template <>
struct Info<TransposeArgs> : Family<TransposeArgs> {
  static constexpr const char* name = "transpose";
  static constexpr DeviceOp device[] = {{25, "transpose", false, 0, false}};
  static constexpr int64_t output_bytes(const Args& a) { return times(a.element_size, a.output_shape, a.rank); }
  static constexpr int64_t elements(const Args& a) { return output_bytes(a); }
  static constexpr int32_t units(const Args& a) { return a.output_shape[0]; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("rank", a.rank), f("element_size", a.element_size), f("output_shape", a.output_shape), f("input_stride", a.input_stride);
  }
};

/// A code for every input code: functions of one element. One table for all elements, or one for each channel (the last axis).
template <>
struct Info<LookupArgs> : ElementWise<LookupArgs> {
  static constexpr const char* name = "lookup";
  static constexpr DeviceOp device[] = {{26, "lookup", false, 1, false}, {43, "lookup_16", false, 1, false, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.input_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr int64_t output_bytes(const Args& a) { return int64_t{a.count} * code_bytes(a.output_type); }
  static constexpr Constants constants = Constants::table;
  static constexpr int32_t channels(const Args& a) { return a.channels; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("count", a.count), f("channels", a.channels), f("input_type", a.input_type), f("output_type", a.output_type);
    f("reserved", a.reserved);
  }
};

template <>
struct Info<BinaryArgs> : Family<BinaryArgs> {
  static constexpr const char* name = "binary";
  static constexpr DeviceOp device[] = {{27, "binary", true, 3, false}, {44, "binary_16", true, 3, false, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.output_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr int inputs(const Args&) { return 2; }
  static constexpr int64_t output_bytes(const Args& a) { return times(code_bytes(a.output_type), a.output_shape, a.rank); }
  static constexpr int64_t elements(const Args& a) { return times(1, a.output_shape, a.rank); }
  static constexpr int32_t units(const Args& a) { return a.output_shape[0]; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("rank", a.rank), f("output_shape", a.output_shape), f("a_stride", a.a_stride), f("b_stride", a.b_stride);
    f("a_zero_point", a.a_zero_point), f("b_zero_point", a.b_zero_point), f("a_scale", a.a_scale), f("b_scale", a.b_scale);
    f("offset", a.offset), f("a_multiplier", a.a_multiplier), f("a_shift", a.a_shift), f("b_multiplier", a.b_multiplier);
    f("b_shift", a.b_shift), f("output_multiplier", a.output_multiplier), f("output_shift", a.output_shift), f("kind", a.kind);
    f("a_type", a.a_type), f("b_type", a.b_type), f("output_type", a.output_type), f("rounding", a.rounding);
    f("reserved", a.reserved), output_fields(a.output, f);
  }
};

template <>
struct Info<MatMulArgs> : Family<MatMulArgs> {
  static constexpr const char* name = "matmul";
  static constexpr DeviceOp device[] = {{31, "matmul", true, 0, false}, {47, "matmul_16", false, 0, false, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.output_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr int inputs(const Args&) { return 2; }
  static constexpr int64_t rows(const Args& a) { return times(a.m, a.batch, a.rank); }
  static constexpr int64_t macs(const Args& a) { return elements(a) * a.k; }
  static constexpr int64_t output_bytes(const Args& a) { return elements(a) * code_bytes(a.output_type); }
  static constexpr int64_t elements(const Args& a) { return rows(a) * a.n; }
  static constexpr int32_t units(const Args& a) { return static_cast<int32_t>(rows(a)); }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("rank", a.rank), f("batch", a.batch), f("a_batch", a.a_batch), f("b_batch", a.b_batch), f("m", a.m), f("n", a.n), f("k", a.k);
    f("a_row", a.a_row), f("a_step", a.a_step), f("b_column", a.b_column), f("b_step", a.b_step);
    f("a_zero_point", a.a_zero_point), f("b_zero_point", a.b_zero_point), f("scale", a.scale), f("multiplier", a.multiplier);
    f("shift", a.shift), f("a_type", a.a_type), f("b_type", a.b_type), f("output_type", a.output_type), f("rounding", a.rounding);
    output_fields(a.output, f);
  }
};

template <>
struct Info<ReduceArgs> : Family<ReduceArgs> {
  static constexpr const char* name = "reduce";
  static constexpr DeviceOp device[] = {{28, "reduce", true, 0, false}, {45, "reduce_16", true, 0, false, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.input_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr int64_t output_bytes(const Args& a) { return times(code_bytes(a.output_type), a.shape, a.kept); }
  static constexpr int64_t elements(const Args& a) { return times(1, a.shape, a.kept + a.reduced); }
  static constexpr int32_t units(const Args& a) { return a.shape[0]; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("kept", a.kept), f("reduced", a.reduced), f("shape", a.shape), f("stride", a.stride);
    f("input_zero_point", a.input_zero_point), f("scale", a.scale), f("multiplier", a.multiplier), f("shift", a.shift);
    f("kind", a.kind), f("input_type", a.input_type), f("output_type", a.output_type), f("rounding", a.rounding);
    output_fields(a.output, f);
  }
};

template <>
struct Info<GatherArgs> : Family<GatherArgs> {
  static constexpr const char* name = "gather";
  static constexpr DeviceOp device[] = {{29, "gather", false, 0, false}};
  static constexpr Constants constants = Constants::table;
  static constexpr int32_t channels(const Args& a) { return a.table; }
  static constexpr int64_t output_bytes(const Args& a) { return times(int64_t{a.element_size} * a.run, a.output_shape, a.rank); }
  static constexpr int64_t elements(const Args& a) { return output_bytes(a); }
  static constexpr int32_t units(const Args& a) { return a.output_shape[0]; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("rank", a.rank), f("element_size", a.element_size), f("run", a.run), f("output_shape", a.output_shape), f("table", a.table);
    f("constant", a.constant);
  }
};

template <>
struct Info<SoftmaxArgs> : Family<SoftmaxArgs> {
  static constexpr const char* name = "softmax";
  static constexpr DeviceOp device[] = {{30, "softmax", true, 1, false}, {46, "softmax_16", true, 1, false, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.input_type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr Constants constants = Constants::table;
  static constexpr int32_t channels(const Args& a) { return wide(a) ? 2 * kLookup16Entries : 256; }
  static constexpr int64_t output_bytes(const Args& a) { return elements(a) * code_bytes(a.output_type); }
  static constexpr int64_t elements(const Args& a) { return int64_t{a.rows} * a.n; }
  static constexpr int32_t units(const Args& a) { return a.rows; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("rows", a.rows), f("n", a.n), f("input_type", a.input_type), f("output_type", a.output_type), f("rounding", a.rounding);
    f("reserved", a.reserved), output_fields(a.output, f);
  }
};

template <>
struct Info<ResizeArgs> : Family<ResizeArgs> {
  static constexpr const char* name = "resize";
  static constexpr DeviceOp device[] = {{33, "resize", true, 0, false}, {48, "resize_16", false, 0, false, 2}};
  static constexpr bool wide(const Args& a) { return is_wide(a.type); }
  static constexpr int device_of(const Args& a) { return wide(a) ? 1 : 0; }
  static constexpr Constants constants = Constants::table;
  static constexpr int32_t channels(const Args& a) { return 4 * (a.out_h + a.out_w); }
  static constexpr int64_t output_bytes(const Args& a) {
    return int64_t{a.batch} * a.out_h * a.out_w * a.channels * code_bytes(a.type);
  }
  static constexpr int64_t elements(const Args& a) { return int64_t{a.batch} * a.out_h * a.out_w * a.channels * 4; }
  static constexpr int32_t units(const Args& a) { return a.batch * a.out_h; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("batch", a.batch), f("in_h", a.in_h), f("in_w", a.in_w), f("channels", a.channels), f("out_h", a.out_h), f("out_w", a.out_w);
    f("zero_point", a.zero_point), f("type", a.type), f("rounding", a.rounding), f("reserved", a.reserved);
  }
};

template <>
struct Info<ConstantArgs> : ElementWise<ConstantArgs> {
  static constexpr const char* name = "constant";
  static constexpr DeviceOp device[] = {{32, "constant", false, 0, false}};
  static constexpr Constants constants = Constants::table;
  static constexpr int inputs(const Args&) { return 0; }
  static constexpr int32_t channels(const Args& a) { return a.count; }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("count", a.count);
  }
};

/// Functions of i16 codes only.
template <>
struct Info<ActivationArgs> : ElementWise<ActivationArgs> {
  static constexpr const char* name = "activation";
  static constexpr DeviceOp device[] = {{49, "activation", true, 1, false, 2}};
  static constexpr bool wide(const Args&) { return true; }
  static constexpr int64_t output_bytes(const Args& a) { return int64_t{a.count} * code_bytes(a.type); }
  template <class A, class F>
  static constexpr void fields(A& a, F&& f) {
    f("count", a.count), f("multiplier", a.multiplier), f("shift", a.shift), f("negative_multiplier", a.negative_multiplier);
    f("negative_shift", a.negative_shift), f("clamp_min", a.clamp_min), f("clamp_max", a.clamp_max), f("kind", a.kind);
    f("type", a.type), f("rounding", a.rounding), f("inverts", a.inverts);
  }
};

}  // namespace octet::kernels
