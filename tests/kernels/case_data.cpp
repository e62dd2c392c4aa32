// SPDX-License-Identifier: Apache-2.0
// From a case line to bytes: the data and tables a seed stands for, and the comparison with the reference kernel.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/multiplier.h"
#include "kernels/parallel.h"
#include "tests/kernels/case_line.h"
#include "tests/kernels/case_sizes.h"
#include "tests/kernels/guarded.h"

namespace octet::testing {
namespace {

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
    if (has_residual(a)) add(codes_of(rng, Fill::random, output_bytes(a), a.residual_type, 0));
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
  /// Weights of a quarter, of anything else that adds up, and of nothing.
  void operator()(const ResizeArgs& a) {
    add(codes_of(rng, line.fill, product({a.batch, a.in_h, a.in_w, a.channels}), a.type, a.zero_point));
    const bool fixed = a.rounding == Rounding::fixed_double || a.rounding == Rounding::fixed_single;
    std::vector<int32_t> table;
    for (int32_t i = 0; i < a.out_h + a.out_w; ++i) {
      const int32_t side = i < a.out_h ? a.in_h : a.in_w, high = i % 3 == 0 ? 256 : i % 3 == 1 ? uniform(rng, 0, 1024) : 0;
      const auto weight = [&](int32_t of_1024) {
        const float share = static_cast<float>(of_1024) / 1024;
        int32_t bits = of_1024;
        if (!fixed) std::memcpy(&bits, &share, sizeof bits);
        return bits;
      };
      table.insert(table.end(), {uniform(rng, 0, side - 1), uniform(rng, 0, side - 1), weight(1024 - high), weight(high)});
    }
    table_of(table);
  }
  void operator()(const ActivationArgs& a) {
    add(codes(rng, line.fill, 2 * static_cast<size_t>(a.count), 0, 255, 128));  // the bytes of 16-bit codes
  }
  void operator()(const ConstantArgs& a) {
    auto blobs = std::make_shared<Blobs>();
    const auto table = codes(rng, Fill::random, static_cast<size_t>(a.count), -128, 127, 0);
    blobs->weight = std::vector<int8_t>(table.begin(), table.end());
    data.blobs = std::move(blobs);
  }
  void operator()(const MatMulArgs& a) {
    add(codes_of(rng, line.fill, read_of_a(a), a.a_type, a.a_zero_point));
    add(codes_of(rng, line.fill, read_of_b(a), a.b_type, a.b_zero_point));
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
