// SPDX-License-Identifier: Apache-2.0
// Which arguments of a case line are sound.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/kernels/case_line.h"
#include "tests/kernels/case_sizes.h"

namespace octet::testing {
namespace {

/// Collects the first thing that is wrong.
struct Complaint {
  std::string why;

  void in(const char* key, int64_t value, int64_t lo, int64_t hi) {
    if (why.empty() && (value < lo || value > hi))
      why = std::string(key) + ": expected " + std::to_string(lo) + " to " + std::to_string(hi) + ", got " + std::to_string(value);
  }
  void size(const char* key, int64_t value, int64_t lo = 1) { in(key, value, lo, 1 << 24); }
  void code(const char* key, int64_t value, CodeType type) { in(key, value, testing::lowest(type), testing::highest(type)); }
  void scale(const char* key, float value) {
    if (why.empty() && !(value > 0 && std::isfinite(value)))
      why = std::string(key) + ": expected a positive number, got " + std::to_string(value);
  }
  void buffer(const char* which, int64_t bytes) { in(which, bytes, 0, kLargestBuffer); }
  void that(bool good, const char* what) {
    if (why.empty() && !good) why = what;
  }
  void output(const OutputArgs& o, CodeType type, Rounding r) {
    if (r == Rounding::real || r == Rounding::int_bias) scale("inv_scale", o.inv_scale);
    code("zero_point", o.zero_point, type), code("clamp_min", o.clamp_min, type), code("clamp_max", o.clamp_max, type);
    that(o.clamp_min <= o.clamp_max, "clamp_min: must not be above clamp_max");
  }
  void sum(int64_t products, int32_t zero_point, CodeType type) {
    const int64_t largest = std::max(zero_point - testing::lowest(type), testing::highest(type) - zero_point);
    that(products * largest * 255 <= std::numeric_limits<int32_t>::max(), "the sum of products may exceed 32 bits");
  }
};

void look(const Conv2dArgs& a, Complaint& c) {
  c.size("batch", a.batch, 0), c.size("in_h", a.in_h), c.size("in_w", a.in_w), c.size("in_c", a.in_c), c.size("out_h", a.out_h);
  c.size("out_w", a.out_w), c.size("out_c", a.out_c), c.size("kernel_h", a.kernel_h), c.size("kernel_w", a.kernel_w);
  c.size("stride_h", a.stride_h), c.size("stride_w", a.stride_w), c.size("dilation_h", a.dilation_h);
  c.size("dilation_w", a.dilation_w), c.size("pad_top", a.pad_top, 0), c.size("pad_left", a.pad_left, 0);
  c.size("groups", a.groups);
  c.that(!c.why.empty() || (a.in_c % a.groups == 0 && a.out_c % a.groups == 0), "groups: must divide in_c and out_c");
  c.code("input_zero_point", a.input_zero_point, a.input_type), c.output(a.output, a.output_type, a.rounding);
  c.buffer("bytes of input", product({a.batch, a.in_h, a.in_w, a.in_c}));
  c.buffer("bytes of output", product({a.batch, a.out_h, a.out_w, a.out_c}));
  c.buffer("bytes of weights", product({a.out_c, a.kernel_h, a.kernel_w, a.in_c}));
  if (c.why.empty()) c.sum(product({a.kernel_h, a.kernel_w, a.in_c / a.groups}), a.input_zero_point, a.input_type);
  if (!has_residual(a)) return;
  c.code("residual_zero_point", a.residual_zero_point, a.residual_type);
  const bool fixed = a.rounding == Rounding::fixed_double || a.rounding == Rounding::fixed_single;
  if (!fixed) c.scale("residual_scale", a.residual_scale);
  c.in("residual_shift", a.residual_shift, fixed ? 1 : 0, fixed ? 62 : 0);
  c.in("residual_multiplier", a.residual_multiplier, 0, fixed ? std::numeric_limits<int32_t>::max() : 0);
  c.that(!fixed || a.residual_scale == 0, "residual_scale: the fixed roundings have a multiplier");
}

void look(const LinearArgs& a, Complaint& c) {
  c.size("rows", a.rows, 0), c.size("in", a.in), c.size("out", a.out);
  c.code("input_zero_point", a.input_zero_point, a.input_type), c.output(a.output, a.output_type, a.rounding);
  c.buffer("bytes of input", product({a.rows, a.in})), c.buffer("bytes of output", product({a.rows, a.out}));
  c.buffer("bytes of weights", product({a.in, a.out}));
  if (c.why.empty()) c.sum(a.in, a.input_zero_point, a.input_type);
}

void look(const AddArgs& a, Complaint& c) {
  c.size("count", a.count, 0), c.code("a_zero_point", a.a_zero_point, a.a_type), c.code("b_zero_point", a.b_zero_point, a.b_type);
  c.output(a.output, a.output_type, a.rounding);
  if (a.rounding == Rounding::real || a.rounding == Rounding::int_bias)
    c.scale("a_scale", a.a_scale), c.scale("b_scale", a.b_scale);
}

void look(const RequantizeArgs& a, Complaint& c) {
  c.size("rows", a.rows, 0), c.size("row", a.row), c.in("output_stride", a.output_stride, a.row, 1 << 24);
  c.code("input_zero_point", a.input_zero_point, a.input_type), c.in("copy", a.copy, 0, 1);
  c.buffer("bytes of output", product({a.rows, a.output_stride}));
  if (a.copy != 0) return;
  c.output(a.output, a.output_type, a.rounding);
  if (a.rounding == Rounding::real || a.rounding == Rounding::int_bias) c.scale("input_scale", a.input_scale);
}

void look(const Pool2dArgs& a, Complaint& c) {
  c.size("batch", a.batch, 0), c.size("in_h", a.in_h), c.size("in_w", a.in_w), c.size("channels", a.channels);
  c.size("out_h", a.out_h), c.size("out_w", a.out_w), c.in("count_include_pad", a.count_include_pad, 0, 1);
  c.code("zero_point", a.zero_point, a.type), c.code("clamp_min", a.clamp_min, a.type), c.code("clamp_max", a.clamp_max, a.type);
  c.that(a.clamp_min <= a.clamp_max, "clamp_min: must not be above clamp_max");
  c.buffer("bytes of input", product({a.batch, a.in_h, a.in_w, a.channels}));
  c.buffer("bytes of output", product({a.batch, a.out_h, a.out_w, a.channels}));
  if (a.rounding == Rounding::int_bias && a.kind != PoolKind::max)
    c.scale("input_scale", a.input_scale), c.scale("output_scale", a.output_scale);
  if (a.kind == PoolKind::adaptive_average) return;
  c.size("kernel_h", a.kernel_h), c.size("kernel_w", a.kernel_w), c.size("stride_h", a.stride_h), c.size("stride_w", a.stride_w);
  c.in("pad_top", a.pad_top, 0, a.kernel_h - 1), c.in("pad_left", a.pad_left, 0, a.kernel_w - 1);
  c.in("pad_bottom", a.pad_bottom, 0, 1 << 24), c.in("pad_right", a.pad_right, 0, 1 << 24);
  c.that(!c.why.empty() || int64_t{a.out_h - 1} * a.stride_h - a.pad_top < a.in_h, "out_h: the last window holds no input");
  c.that(!c.why.empty() || int64_t{a.out_w - 1} * a.stride_w - a.pad_left < a.in_w, "out_w: the last window holds no input");
}

void look(const ClampArgs& a, Complaint& c) {
  c.size("count", a.count, 0), c.code("clamp_min", a.clamp_min, a.type), c.code("clamp_max", a.clamp_max, a.type);
  c.that(a.clamp_min <= a.clamp_max, "clamp_min: must not be above clamp_max");
}

void look(const QuantizeArgs& a, Complaint& c) {
  c.size("count", a.count, 0), c.output(a.output, a.output_type, a.rounding), c.scale("inv_scale", a.output.inv_scale);
}

void look(const DequantizeArgs& a, Complaint& c) {
  c.size("count", a.count, 0), c.code("zero_point", a.zero_point, a.input_type), c.scale("scale", a.scale);
}

void look(const TransposeArgs& a, Complaint& c) {
  c.in("rank", a.rank, 0, 6);
  c.that(a.element_size == 1 || a.element_size == 2 || a.element_size == 4 || a.element_size == 8,
         "element_size: expected 1, 2, 4 or 8");
  int64_t n = 1;
  for (int i = 0; i < 6; ++i) {
    c.size("output_shape", a.output_shape[i], 0), c.size("input_stride", a.input_stride[i], 0);
    if (i < a.rank && c.why.empty()) n = product({n, a.output_shape[i]});
    c.buffer("elements of output", n);
  }
  if (c.why.empty()) c.buffer("elements of input", input_elements(a));
}

void look(const MatMulArgs& a, Complaint& c) {
  c.in("rank", a.rank, 1, 4), c.in("k", a.k, 1, kMostMatMulTerms), c.size("m", a.m), c.size("n", a.n);
  for (int i = 0; i < 4; ++i)
    c.size("batch", a.batch[i], 0), c.size("a_batch", a.a_batch[i], 0), c.size("b_batch", a.b_batch[i], 0);
  c.size("a_row", a.a_row, 0), c.size("a_step", a.a_step, 0), c.size("b_column", a.b_column, 0), c.size("b_step", a.b_step, 0);
  if (!c.why.empty()) return;
  c.buffer("bytes of output", output_bytes(a)), c.buffer("bytes of a", read_of_a(a)), c.buffer("bytes of b", read_of_b(a));
  c.code("a_zero_point", a.a_zero_point, a.a_type), c.code("b_zero_point", a.b_zero_point, a.b_type);
  c.output(a.output, a.output_type, a.rounding);
  if (a.rounding == Rounding::real || a.rounding == Rounding::int_bias) c.scale("scale", a.scale);
}

void look(const ResizeArgs& a, Complaint& c) {
  c.size("batch", a.batch, 0), c.size("in_h", a.in_h), c.size("in_w", a.in_w), c.size("channels", a.channels);
  c.size("out_h", a.out_h), c.size("out_w", a.out_w), c.code("zero_point", a.zero_point, a.type);
  c.buffer("bytes of input", product({a.batch, a.in_h, a.in_w, a.channels})), c.buffer("bytes of output", output_bytes(a));
}

void look(const ConstantArgs& a, Complaint& c) { c.size("count", a.count, 0); }

void look(const SoftmaxArgs& a, Complaint& c) {
  c.size("rows", a.rows, 0), c.in("n", a.n, 1, 4095), c.buffer("bytes", product({a.rows, a.n}));
  c.output(a.output, a.output_type, a.rounding);
}

void look(const GatherArgs& a, Complaint& c) {
  c.in("rank", a.rank, 1, 6), c.size("run", a.run), c.in("element_size", a.element_size, 1, 8);
  int64_t entries = 0;
  for (int i = 0; i < 6; ++i) {
    c.size("output_shape", a.output_shape[i], 0);
    if (i < a.rank) entries += a.output_shape[i];
  }
  if (!c.why.empty()) return;
  c.in("table", a.table, entries, entries), c.buffer("bytes of output", output_bytes(a));
}

void look(const ReduceArgs& a, Complaint& c) {
  c.in("kept", a.kept, 1, 5), c.in("reduced", a.reduced, 1, 6 - a.kept), c.in("kind", static_cast<int>(a.kind), 0, 3);
  for (int i = 0; i < 6; ++i)
    c.size("shape", a.shape[i], i < a.kept || i >= a.kept + a.reduced ? 0 : 1), c.size("stride", a.stride[i], 0);
  if (!c.why.empty()) return;
  c.buffer("elements", elements(a)), c.buffer("bytes of input", read_along(a.kept + a.reduced, a.shape, a.stride));
  c.code("input_zero_point", a.input_zero_point, a.input_type), c.output(a.output, a.output_type, a.rounding);
  if (a.rounding == Rounding::real || a.rounding == Rounding::int_bias) c.scale("scale", a.scale);
}

void look(const BinaryArgs& a, Complaint& c) {
  c.in("rank", a.rank, 1, 6), c.in("kind", static_cast<int>(a.kind), 0, 4);
  for (int i = 0; i < 6; ++i) {
    c.size("output_shape", a.output_shape[i], 0), c.size("a_stride", a.a_stride[i], 0), c.size("b_stride", a.b_stride[i], 0);
    if (i < a.rank && c.why.empty()) c.buffer("bytes of output", product({output_bytes(a), 1}));
  }
  if (!c.why.empty()) return;
  c.buffer("bytes of a", read_by(a.a_stride, a)), c.buffer("bytes of b", read_by(a.b_stride, a));
  c.code("a_zero_point", a.a_zero_point, a.a_type), c.code("b_zero_point", a.b_zero_point, a.b_type);
  c.output(a.output, a.output_type, a.rounding);
  if (a.kind == BinaryKind::minimum || a.kind == BinaryKind::maximum)
    c.that(a.a_type == a.b_type && a.a_type == a.output_type && a.a_zero_point == a.b_zero_point, "kind: codes must mean the same");
  if (a.rounding == Rounding::real || a.rounding == Rounding::int_bias)
    c.scale("a_scale", a.a_scale), c.scale("b_scale", a.b_scale);
}

void look(const LookupArgs& a, Complaint& c) {
  c.size("count", a.count, 0), c.size("channels", a.channels);
  c.that(!c.why.empty() || a.count % a.channels == 0, "channels: must divide count");
}

void look(const ActivationArgs& a, Complaint& c) {
  c.size("count", a.count, 0), c.in("kind", static_cast<int>(a.kind), 0, 2), c.in("type", static_cast<int>(a.type), 2, 2);
  c.in("multiplier", a.multiplier, 0, INT32_MAX), c.in("shift", a.shift, a.kind == ActivationKind::leaky_relu ? -31 : 0, 30);
  c.in("negative_multiplier", a.negative_multiplier, 0, INT32_MAX), c.in("negative_shift", a.negative_shift, -31, 30);
  c.in("inverts", a.inverts, 0, 1), c.in("clamp_min", a.clamp_min, -32768, a.clamp_max),
      c.in("clamp_max", a.clamp_max, -32768, 32767);
  c.that(a.rounding == Rounding::fixed_double || a.rounding == Rounding::fixed_single, "rounding: 16-bit codes need a fixed one");
}

}  // namespace

std::string invalid(const KernelArgs& args) {
  Complaint complaint;
  complaint.that(!is_wide(args) || std::holds_alternative<ActivationArgs>(args),
                 "type: only activations have lines of 16-bit codes");
  if (!complaint.why.empty()) return complaint.why;
  std::visit([&](const auto& a) { look(a, complaint); }, args);
  return complaint.why;
}

}  // namespace octet::testing
