// SPDX-License-Identifier: Apache-2.0
// Case lines: every kind of arguments survives printing and parsing to the byte, the data depends on the line alone, and wrong
// lines get one clear error.
#include "tests/kernels/case_line.h"

#include <algorithm>
#include <cstring>

#include "tests/kernels/cases.h"

namespace octet::testing {
namespace {

using namespace kernels;

/// One sound case of every kind, with every field different from zero that may be.
std::vector<CaseLine> samples() {
  const OutputArgs out{0.1F, 130, 3, 254};
  Conv2dArgs conv{
      2, 9, 8, 6, 5, 4, 4, 3, 2, 2, 2, 1, 2, 1, 1, 2, 7, -3, 0.3F, 0, 0, {}, CodeType::i8, CodeType::i8, Rounding::real, out};
  conv.output = {1 / 3.0F, -128, -128, 120};
  LinearArgs linear{3, 40, 7, -5, CodeType::i8, CodeType::u8, Rounding::fixed_double, 0, out};
  AddArgs add{100, 5, -6, 0.25F, 1e-7F, -1.5F, 1 << 30, -2, 1 << 29, 1, 1 << 28, -3, {}, CodeType::i8, {}, Rounding::int_bias, out};
  RequantizeArgs requantize{4, 10, 13, 9, 0.07F, 1 << 30, -1, {}, CodeType::i8, Rounding::fixed_single, 0, {2.0F, 1, -128, 127}};
  Pool2dArgs pool{2, 7, 6, 5, 4, 3, 3, 3, 2, 2, 1, 1, 1, 1, 9, 1, 250, 0.5F, 0.125F, PoolKind::average, {}, Rounding::int_bias, 1};
  TransposeArgs transpose{3, 4, {2, 3, 4}, {4, 8, 1}};
  BinaryArgs binary{};
  binary.rank = 2, binary.output_shape[0] = 3, binary.output_shape[1] = 40, binary.a_stride[0] = 40, binary.a_stride[1] = 1;
  binary.b_stride[1] = 1, binary.a_scale = 0.02F, binary.b_scale = 1, binary.kind = BinaryKind::mul, binary.output = out;
  ReduceArgs reduce{1, 2, {5, 3, 4}, {1, 20, 5}, 7, 0.02F, 1 << 30, -3, ReduceKind::mean, CodeType::i8, {}, {}, out};
  MatMulArgs matmul{2, {2, 3}, {0, 60}, {24, 0}, 5, 6, 4, 4, 1, 4, 1, 9, -5, 0.001F, 1 << 30, -6, {}, CodeType::i8, {}, {}, out};
  std::vector<CaseLine> lines{
      {conv, Fill::ties, 1, true, QEngine::onednn, 3},
      {linear, Fill::random, 4000000000U, true, QEngine::automatic, 2},
      {add, Fill::all_max, 7},
      {requantize, Fill::alternating, 8},
      {pool, Fill::all_min, 9},
      {ClampArgs{70, -5, 100, CodeType::i8, {}}},
      {QuantizeArgs{300, CodeType::i8, {}, {}, {4.0F, 3, -128, 127}}, Fill::random, 5},
      {DequantizeArgs{300, -7, 3e-39F, CodeType::i8, {}}},
      {transpose, Fill::random, 6},
      {LookupArgs{300, 4, CodeType::i8, {}, {}}, Fill::random, 11},
      {binary, Fill::random, 12},
      {reduce, Fill::random, 13},
      {GatherArgs{2, 1, 3, {6, 7}, 13, {9}}, Fill::random, 14},
      {SoftmaxArgs{3, 50, {}, CodeType::u8, {}, 0, {256, 0, 0, 255}}, Fill::random, 15},
      {matmul, Fill::random, 16},
      {ConstantArgs{90}, Fill::random, 17},
      {ResizeArgs{2, 5, 4, 3, 7, 6, 9, {}, {}, {}}, Fill::random, 18},
      {ActivationArgs{300, 17000, 13, 0, 0, -32768, 32767, ActivationKind::tanh, CodeType::i16, Rounding::fixed_double, 0},
       Fill::random, 19}};
  return lines;
}

template <class Args>
bool same_bytes(const Args& a, const KernelArgs& b) {
  return std::holds_alternative<Args>(b) && std::memcmp(&a, &std::get<Args>(b), sizeof(Args)) == 0;
}

std::string error_of(const std::string& line) {
  try {
    parse_case_line(line);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return {};
}

TEST_CASE("a printed case line reads back to the same bytes, data and tables") {
  size_t kinds = 0;
  for (const CaseLine& line : samples()) {
    const std::string printed = to_string(line);
    INFO(printed);
    REQUIRE(invalid(line.args).empty());
    const CaseLine again = parse_case_line(printed);
    CHECK(std::visit([&](const auto& a) { return same_bytes(a, again.args); }, line.args));
    CHECK(again.fill == line.fill);
    CHECK(again.seed == line.seed);
    CHECK(again.weight_zero_points == line.weight_zero_points);
    CHECK(again.engine == line.engine);
    CHECK(again.threads == line.threads);
    CHECK(to_string(again) == printed);
    const CaseData first = case_data(line), second = case_data(again);
    CHECK(first.inputs == second.inputs);
    CHECK(std::ranges::equal(first.blobs->weight, second.blobs->weight));
    CHECK(first.blobs->bias == second.blobs->bias);
    CHECK(first.blobs->weight_zero_point.empty() != line.weight_zero_points);
    CHECK(line.args.index() == kinds++);
  }
  CHECK(kinds == std::variant_size_v<KernelArgs>);
}

TEST_CASE("a case line runs on the reference engine for every kind and fill") {
  for (CaseLine line : samples())
    for (const Fill fill : kFills) {
      line.fill = fill, line.engine = QEngine::reference;
      const CaseResult result = run_case(line);
      INFO(result.report);
      CHECK(result.accepted);
      CHECK(result.outputs == 2 * output_bytes(line.args));
      CHECK(result.mismatches == 0);
    }
}

TEST_CASE("another seed of a case line is other data and random outputs are spread") {
  CaseLine line = samples()[0];
  line.fill = Fill::random;
  const CaseData data = case_data(line);
  std::vector<uint8_t> y(static_cast<size_t>(output_bytes(line.args)));
  make(line.args, data.blobs, QEngine::reference).kernel->run(data.pointers(), y.data());
  std::ranges::sort(y);
  CHECK(std::unique(y.begin(), y.end()) - y.begin() > 60);
  line.seed += 1;
  CHECK(case_data(line).inputs != data.inputs);
}

TEST_CASE("a wrong case line is refused with the key and what was expected") {
  const std::string good = "linear rows=1 in=2 out=3 inv_scale=1 clamp_max=255";
  REQUIRE(error_of(good).empty());
  const auto refuses = [&](const std::string& line, const char* part) {
    INFO(line << " gave: " << error_of(line));
    CHECK(error_of(line).find(part) != std::string::npos);
  };
  refuses("", "expected a kernel's name first");
  refuses("gemm rows=1", "\"gemm\"");
  refuses(good + " groups=2", "linear has no key \"groups\"");
  refuses(good + " rows=2", "rows is given twice");
  refuses(good + " fill", "expected key=value");
  refuses(good + " fill=ones", "fill: expected one of random, all_min");
  refuses(good + " engine=gpu", "engine: expected one of automatic");
  refuses(good + " threads=0", "threads: expected 1 to 1024, got 0");
  refuses(good + " seed=-1", "seed: expected an integer in range");
  refuses(good + " input_zero_point=1.5", "input_zero_point: expected an integer");
  refuses(good + " input_zero_point=256", "input_zero_point: expected 0 to 255, got 256");
  refuses(good + " weight_zero_points=2", "weight_zero_points: expected 0 or 1");
  refuses("linear rows=1 in=2 out=3 inv_scale=x clamp_max=255", "inv_scale: expected a number");
  refuses("linear rows=1 in=2 out=3 inv_scale=nan clamp_max=255", "inv_scale: expected a positive number");
  refuses("linear rows=1 in=70000 out=3 inv_scale=1 clamp_max=255", "may exceed 32 bits");
  refuses("linear rows=1000000 in=20000 out=3 inv_scale=1 clamp_max=255", "bytes of input");
  refuses("clamp count=4 clamp_min=9 clamp_max=8", "clamp_min: must not be above clamp_max");
  refuses("transpose rank=7 element_size=1", "rank: expected 0 to 6");
  refuses("transpose rank=1 element_size=1 output_shape=1,2,3,4,5,6,7", "at most 6");
  refuses(to_string(samples()[0]) + " stride_h=3", "given twice");
  refuses("clamp count=4 clamp_max=8 type=i16", "only activations have lines of 16-bit codes");
}

}  // namespace
}  // namespace octet::testing
