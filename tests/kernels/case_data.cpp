// SPDX-License-Identifier: Apache-2.0
// From a case line to bytes: which arguments are sound, the data and tables a seed stands for, and the comparison with the
// reference kernel.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/multiplier.h"
#include "kernels/parallel.h"
#include "tests/kernels/case_line.h"
#include "tests/kernels/guarded.h"

namespace octet::testing {
namespace {

using namespace kernels;

constexpr int64_t kLargestBuffer = int64_t{1} << 30;

int64_t product(std::initializer_list<int64_t> factors) {
  double estimate = 1;
  int64_t p = 1;
  for (const int64_t f : factors) {
    estimate *= static_cast<double>(f);
    if (estimate > static_cast<double>(kLargestBuffer) * 2) return kLargestBuffer * 2;
    p *= f;
  }
  return p;
}

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
  if (a.residual_scale == 0) return;
  c.scale("residual_scale", a.residual_scale), c.code("residual_zero_point", a.residual_zero_point, a.residual_type);
  c.that(a.rounding == Rounding::real, "residual_scale: only rounding=real adds a residual");
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

/// Elements that are read along these axes, up to the one farthest in.
int64_t read_along(int rank, const int32_t* shape, const int32_t* stride) {
  int64_t last = 0;
  for (int i = 0; i < rank; ++i) {
    if (shape[i] == 0) return 0;
    last += int64_t{shape[i] - 1} * stride[i];
  }
  return last + 1;
}

int64_t input_elements(const TransposeArgs& a) { return read_along(a.rank, a.output_shape, a.input_stride); }

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

int64_t read_by(const int32_t (&stride)[6], const BinaryArgs& a) { return read_along(a.rank, a.output_shape, stride); }

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

std::vector<uint8_t> codes_of(Rng& rng, Fill fill, int64_t n, CodeType type, int32_t centre) {
  return codes(rng, fill, static_cast<size_t>(n), testing::lowest(type), testing::highest(type), centre);
}

/// Root mean square of the products' factors, for sums of random codes.
double spread(int32_t zero_point, CodeType type) {
  const double off = (testing::lowest(type) + testing::highest(type)) / 2.0 - zero_point;
  return std::sqrt(off * off + 256.0 * 256.0 / 12);
}

struct Maker {
  const CaseLine& line;
  Rng rng{line.seed};
  CaseData data{};

  /// Weights, and rescaling that spreads the sums over the code range or, for ties, puts every odd sum (or every quarter) exactly
  /// between two codes.
  void weighted(int64_t weights, int32_t channels, int64_t products, int32_t zero_point, CodeType type, float inv_scale,
                Rounding r) {
    auto blobs = std::make_shared<Blobs>();
    const auto raw = codes(rng, line.fill, static_cast<size_t>(weights), -128, 127, 0);
    blobs->weight = std::vector<int8_t>(raw.begin(), raw.end());
    const bool ties = line.fill == Fill::ties, random = line.fill == Fill::random;
    const double n = static_cast<double>(products);
    const double largest = random ? 4 * std::sqrt(n) * spread(zero_point, type) * 74 : n * 128 * 255;
    for (int32_t c = 0; c < channels; ++c) {
      float total = uniform_real(rng, 50, 300) / static_cast<float>(largest);  // codes per step of the sum
      if (ties) total = c % 2 == 0 ? 0.5F : 0.25F;
      const int32_t bias = uniform(rng, -20, 20) * static_cast<int32_t>(1 + largest / 200), code = ties ? bias % 4 : bias;
      blobs->scale.push_back(r == Rounding::real ? total / inv_scale : total);
      blobs->bias.push_back(static_cast<float>(code) * total / inv_scale);
      blobs->bias_codes.push_back(code);
      const FixedMultiplier m = quantize_multiplier(total);
      blobs->multiplier.push_back(m.multiplier), blobs->shift.push_back(m.shift);
      if (line.weight_zero_points) blobs->weight_zero_point.push_back(ties ? c % 2 : c % 3 == 0 ? -128 : c % 3 == 1 ? 127 : 5);
    }
    data.blobs = std::move(blobs);
  }
  void add(std::vector<uint8_t> bytes) { data.inputs.push_back(std::move(bytes)); }

  void operator()(const Conv2dArgs& a) {
    const int64_t window = product({a.kernel_h, a.kernel_w, a.in_c / a.groups});
    add(codes_of(rng, line.fill, product({a.batch, a.in_h, a.in_w, a.in_c}), a.input_type, a.input_zero_point));
    weighted(window * a.out_c, a.out_c, window, a.input_zero_point, a.input_type, a.output.inv_scale, a.rounding);
    if (a.residual_scale != 0) add(codes_of(rng, Fill::random, output_bytes(a), a.residual_type, 0));
  }
  void operator()(const LinearArgs& a) {
    add(codes_of(rng, line.fill, product({a.rows, a.in}), a.input_type, a.input_zero_point));
    weighted(product({a.in, a.out}), a.out, a.in, a.input_zero_point, a.input_type, a.output.inv_scale, a.rounding);
  }
  void operator()(const AddArgs& a) {
    add(codes_of(rng, line.fill, a.count, a.a_type, a.a_zero_point));
    add(codes_of(rng, line.fill, a.count, a.b_type, a.b_zero_point));
  }
  void operator()(const RequantizeArgs& a) {
    add(codes_of(rng, line.fill, product({a.rows, a.row}), a.input_type, a.input_zero_point));
  }
  void operator()(const Pool2dArgs& a) {
    add(codes_of(rng, line.fill, product({a.batch, a.in_h, a.in_w, a.channels}), a.type, a.zero_point));
  }
  void operator()(const ClampArgs& a) { add(codes_of(rng, line.fill, a.count, a.type, a.clamp_min)); }
  void operator()(const QuantizeArgs& a) {
    const float step = a.rounding == Rounding::int_bias ? a.output.inv_scale : 1 / a.output.inv_scale;
    constexpr float kInf = std::numeric_limits<float>::infinity();
    const float special[] = {std::numeric_limits<float>::quiet_NaN(), kInf, -kInf, -0.0F, 1e30F, -1e30F, 1e-40F};
    std::vector<uint8_t> bytes(static_cast<size_t>(a.count) * sizeof(float));
    for (int32_t i = 0; i < a.count; ++i) {
      float codes = uniform_real(rng, -300, 300);
      if (line.fill == Fill::all_min) codes = -400;
      if (line.fill == Fill::all_max) codes = 400;
      if (line.fill == Fill::alternating) codes = i % 2 != 0 ? 400.0F : -400.0F;
      if (line.fill == Fill::ties) codes = static_cast<float>(uniform(rng, -300, 300)) + 0.5F;
      float value = codes * step;
      if (line.fill == Fill::random && rng() % 64 == 0) value = special[rng() % std::size(special)];
      std::memcpy(bytes.data() + static_cast<size_t>(i) * sizeof(float), &value, sizeof(float));
    }
    add(std::move(bytes));
  }
  void operator()(const DequantizeArgs& a) { add(codes_of(rng, line.fill, a.count, a.input_type, a.zero_point)); }
  void operator()(const TransposeArgs& a) { add(codes_of(rng, line.fill, input_elements(a) * a.element_size, CodeType::u8, 128)); }
  void operator()(const SoftmaxArgs& a) {
    add(codes_of(rng, line.fill, product({a.rows, a.n}), a.input_type, 0));
    const bool fixed = a.rounding == Rounding::fixed_double || a.rounding == Rounding::fixed_single;
    std::vector<int32_t> table;
    for (int i = 0; i < 256; ++i) table.push_back(static_cast<int32_t>(std::exp(-0.03 * i) * (fixed ? 2147483647.0 : 8388608.0)));
    table_of(table);
  }
  void table_of(const std::vector<int32_t>& table) {
    auto blobs = std::make_shared<Blobs>();
    std::vector<int8_t> bytes(table.size() * 4);
    std::memcpy(bytes.data(), table.data(), bytes.size());
    blobs->weight = std::move(bytes);
    data.blobs = std::move(blobs);
  }
  /// Steps of a quarter of each axis, and every fifth index filled.
  void operator()(const GatherArgs& a) {
    std::vector<int32_t> table;
    int64_t farthest = a.run;
    for (int32_t axis = 0; axis < a.rank; ++axis) {
      for (int32_t i = 0; i < a.output_shape[axis]; ++i) table.push_back(i % 5 == 4 ? -1 : uniform(rng, 0, i / 4) * a.run);
      farthest += a.output_shape[axis] / 4 * a.run;
    }
    add(codes_of(rng, line.fill, farthest * a.element_size, CodeType::u8, 128));
    table_of(table);
  }
  void operator()(const ReduceArgs& a) {
    add(codes_of(rng, line.fill, read_along(a.kept + a.reduced, a.shape, a.stride), a.input_type, a.input_zero_point));
  }
  void operator()(const BinaryArgs& a) {
    add(codes_of(rng, line.fill, read_by(a.a_stride, a), a.a_type, a.a_zero_point));
    add(codes_of(rng, line.fill, read_by(a.b_stride, a), a.b_type, a.b_zero_point));
  }
  void operator()(const LookupArgs& a) {
    add(codes_of(rng, line.fill, a.count, a.input_type, 0));
    auto blobs = std::make_shared<Blobs>();
    const auto table = codes(rng, Fill::random, static_cast<size_t>(a.channels) * 256, -128, 127, 0);
    blobs->weight = std::vector<int8_t>(table.begin(), table.end());
    data.blobs = std::move(blobs);
  }
};

}  // namespace

std::string invalid(const KernelArgs& args) {
  Complaint complaint;
  std::visit([&](const auto& a) { look(a, complaint); }, args);
  return complaint.why;
}

std::vector<const void*> CaseData::pointers() const {
  std::vector<const void*> result;
  for (const auto& input : inputs) result.push_back(input.data());
  return result;
}

CaseData case_data(const CaseLine& line) {
  Maker maker{line};
  std::visit(maker, line.args);
  if (maker.data.blobs == nullptr) maker.data.blobs = std::make_shared<Blobs>();
  return std::move(maker.data);
}

CaseResult run_case(const CaseLine& line) {
  const ThreadsScope scope(line.threads);
  const CaseData data = case_data(line);
  const Made made = make(line.args, data.blobs, line.engine);
  if (made.kernel == nullptr) return {.why_not = made.why_not};
  CaseResult result{.accepted = true, .implementation = std::string(made.kernel->implementation())};
  const std::vector<const void*> inputs = data.pointers();
  const auto n = static_cast<size_t>(output_bytes(line.args));
  Guarded expected(n);
  make(line.args, data.blobs, QEngine::reference).kernel->run(inputs, expected.data());
  const std::vector<uint8_t> want = expected.inner();
  for (int run = 0; run < 2; ++run) {
    Guarded y(n);
    made.kernel->run(inputs, y.data());
    const std::vector<uint8_t> got = y.inner();
    const auto differs = std::ranges::mismatch(got, want);
    result.outputs += static_cast<int64_t>(n);
    if (differs.in1 == got.end() && y.intact()) continue;
    for (size_t i = 0; i < n; ++i) result.mismatches += got[i] != want[i] ? 1 : 0;
    if (!y.intact()) ++result.mismatches;
    result.report = result.implementation + ", run " + std::to_string(run) + ": ";
    if (differs.in1 == got.end())
      result.report += "wrote outside its output";
    else
      result.report += std::to_string(result.mismatches) + " of " + std::to_string(result.outputs) + " bytes differ, first at " +
                       std::to_string(differs.in1 - got.begin()) + ": " + std::to_string(*differs.in1) + " instead of " +
                       std::to_string(*differs.in2);
    result.report += "\n  bench_kernels --case '" + to_string(line) + "'";
    break;
  }
  return result;
}

}  // namespace octet::testing
