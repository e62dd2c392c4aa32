// SPDX-License-Identifier: Apache-2.0
// PyTorch's eager numerics tests as they were intended (upstream, three of the four compare the float model with itself). Every
// test first proves that the model changed, then compares codes and parameters with PyTorch's, then the signal-to-noise ratio.
#include <cmath>
#include <cstring>
#include <iomanip>
#include <iostream>

#include "compile/program.h"
#include "numeric_suite/compare.h"
#include "tests/catch.h"
#include "tests/numerics/reference_models.h"
#include "tests/skip.h"

using namespace octet;
using namespace octet::reference;

namespace {

constexpr double kSqnrTolerance = 0.05;   // dB: float sums may be ordered differently
constexpr int kScaleUlps = 4;             // of activation scales behind float sums
constexpr int kPrintedUlps = 8;           // where the expected scale is known to seven digits only
constexpr double kValueTolerance = 2e-6;  // of printed outputs, absolute

int64_t ulps(float a, float b) {
  int32_t x, y;
  std::memcpy(&x, &a, sizeof x);
  std::memcpy(&y, &b, sizeof y);
  return std::abs(int64_t{x} - y);
}

void check_output(const Model& m, std::string_view path, float scale, int32_t zero_point, int64_t max_ulps = kScaleUlps) {
  INFO(path);
  const auto& q = m[path].out_q;
  REQUIRE(q.size() == 1);
  REQUIRE(q[0].has_value());
  INFO("scale " << std::setprecision(17) << q[0]->scale[0] << ", expected " << scale);
  CHECK(ulps(q[0]->scale[0], scale) <= max_ulps);
  CHECK(q[0]->zero_point[0] == zero_point);
  CHECK(q[0]->qmin == 0);
  CHECK(q[0]->qmax == 127);
}

void check_weight(const Model& m, std::string_view path, const std::vector<int>& first_codes, const std::vector<float>& scales) {
  INFO(path);
  const Tensor& w = m[path].params.at("weight");
  REQUIRE(w.dtype() == DType::i8);
  const auto codes = w.data<int8_t>();
  REQUIRE(codes.size() >= first_codes.size());
  CHECK(std::vector<int>(codes.begin(), codes.begin() + static_cast<ptrdiff_t>(first_codes.size())) == first_codes);
  CHECK(w.qparams()->scale == scales);
  CHECK(w.qparams()->zero_point == std::vector<int32_t>(scales.size(), 0));
}

void check_row(const Tensor& output, const std::vector<float>& row) {
  const Tensor values = dequantize(output);
  for (size_t i = 0; i < row.size(); ++i) CHECK(std::abs(values.data<float>()[i] - row[i]) <= kValueTolerance);
}

void check_is_int8(const Model& m, int weighted) {
  const QuantizationSummary s = summarize(m);
  REQUIRE(s.weighted == weighted);
  REQUIRE(s.int8_weights == weighted);
  REQUIRE(s.int8_kernels == weighted);
  REQUIRE(s.weight_hooks == 0);
  REQUIRE(s.output_hooks == 0);
  REQUIRE(s.quantized_outputs == static_cast<int>(m.modules.size()));
}

double finite_sqnr(const Tensor& reference, const Tensor& test) {
  const double db = sqnr(reference, test);
  REQUIRE(std::isfinite(db));
  return db;
}

/// The same bytes on every engine of this build.
void check_engines(const Model& m, const Tensor& x) {
  const Tensor expected = one(m, x);
  for (const QEngineInfo& info : qengines()) {
    if (!info.available) {
      testing::skip_part("an engine", info.why_not);
      continue;
    }
    INFO(to_string(info.engine));
    const Tensor y = Session(Program::bind(m, info.engine), {x.shape()}).run({&x, 1})[0];
    REQUIRE(y.dtype() == expected.dtype());
    REQUIRE(y.shape() == expected.shape());
    CHECK(std::memcmp(y.raw(), expected.raw(), y.bytes()) == 0);
  }
}

void report(const std::string& test, const std::string& ties, double db, double expected) {
  std::cout << std::left << std::setw(24) << test << std::setw(8) << ties << std::right << std::fixed << std::setprecision(3)
            << std::setw(9) << db << " dB, expected " << expected << '\n';
}

struct Setup {
  Model model;
  Tensor calibration, evaluation;
};

Setup model_then_data(Model model, uint64_t seed, int64_t calibration, int64_t evaluation) {
  Generator g(seed);
  initialize(model, g);
  Tensor c = pictures(g, calibration);
  return {std::move(model), std::move(c), pictures(g, evaluation)};
}

Model post_training(const Setup& s, const QConfig& qconfig) {
  Model prepared = prepare(fuse(s.model, kFusion, Aim::inference), {{"", qconfig}});
  REQUIRE(summarize(prepared).output_hooks == 6);  // input, conv1, skip_add, conv2, cat, fc
  REQUIRE(summarize(prepared).weight_hooks == 3);
  calibrate(prepared, {&s.calibration, 1});
  return convert(prepared);
}

}  // namespace

TEST_CASE("T1: per-tensor post-training quantization of ModelMultipleOps gives PyTorch's numbers") {
  const Setup s = model_then_data(multiple_ops(), 42, 1024, 1);
  const Model int8 = post_training(s, default_qconfig());
  check_is_int8(int8, 3);

  check_output(int8, "quant", 0.00787399522960186F, 0, 0);
  check_output(int8, "conv1", 0.007162518799304962F, 0);
  check_output(int8, "skip_add", 0.014997964724898338F, 0);
  check_output(int8, "conv2", 0.007391493301838636F, 8);
  check_output(int8, "cat", 0.006931337062269449F, 0);
  check_output(int8, "fc", 0.005258882883936167F, 77);
  check_weight(int8, "conv1", {106, 115, -33, 127, -30, 28, -68, 82, 122}, {0.004159668926149607F});
  check_weight(int8, "conv2", {-108, 127, 27, 108, 20, 71, -21, 113, 22}, {0.003935926593840122F});
  check_weight(int8, "fc", {-60, 33, -59, -15, -52, 85, -101, -59, -36, -77, 12, -127}, {0.002245725132524967F});
  for (const float bias : int8["conv1"].params.at("bias").data<float>()) CHECK(bias == 0);

  Tensor codes;
  infer(int8, {&s.evaluation, 1}, [&](int index, std::span<const Tensor> out) {
    if (index == 0) codes = nchw_from_nhwc(out[0]);
  });
  const auto first = codes.data<uint8_t>().first(8);
  CHECK(std::vector<int>(first.begin(), first.end()) == std::vector<int>{98, 48, 10, 37, 116, 72, 39, 71});

  const Tensor expected = one(s.model, s.evaluation), output = one(int8, s.evaluation);
  check_row(expected, {-0.3221322298049927F, 0.18370430171489716F, 0.2265305072069168F, 0.14764703810214996F, -0.18273602426052094F,
                       -0.0942116379737854F});
  check_row(output, {-0.3207918703556061F, 0.18406090140342712F, 0.22613196074962616F, 0.14724871516227722F, -0.1788020133972168F,
                     -0.09465989470481873F});
  check_engines(int8, s.evaluation);
  const double db = finite_sqnr(expected, output);
  report("T1 per tensor", "", db, 41.496);
  CHECK(db > 30);
  CHECK(db == Approx(41.496).margin(kSqnrTolerance));
}

TEST_CASE("T2: per-channel post-training quantization of ModelMultipleOps gives PyTorch's numbers") {
  const Setup s = model_then_data(multiple_ops(), 67, 2048, 10);
  const Model int8 = post_training(s, default_per_channel_qconfig());
  check_is_int8(int8, 3);

  check_output(int8, "quant", 0.007874013856053352F, 0, 0);
  check_output(int8, "conv1", 0.007905212230980396F, 0);
  check_output(int8, "skip_add", 0.014497233554720879F, 0);
  check_output(int8, "conv2", 0.017880085855722427F, 67);
  check_output(int8, "cat", 0.016824614256620407F, 63);
  check_output(int8, "fc", 0.011482580564916134F, 32);
  check_weight(int8, "conv1", {83, -47, 127, 12, 24, 127, 101, 127, -37},
               {0.00332634593360126F, 0.004333069082349539F, 0.004440236371010542F});
  check_weight(int8, "conv2", {-45, 99, 127, 38, 41, 127, -79, -128, -58},
               {0.004519831854850054F, 0.002007830888032913F, 0.004152546636760235F});
  check_weight(int8, "fc", {},
               {0.00224057724699378F, 0.002009062794968486F, 0.002251134719699621F, 0.002157253911718726F, 0.002236916683614254F,
                0.002256398554891348F});

  const Tensor expected = one(s.model, s.evaluation), output = one(int8, s.evaluation);
  check_row(expected, {-0.2920845150947571F, 1.0397493839263916F, 0.5986552834510803F, -0.2477601170539856F, 0.45539161562919617F,
                       -0.2544265389442444F});
  check_row(output, {-0.2870645225048065F, 1.0334322452545166F, 0.5970941781997681F, -0.24113419651985168F, 0.44782063364982605F,
                     -0.2526167631149292F});
  check_engines(int8, s.evaluation);
  const double db = finite_sqnr(expected, output);
  report("T2 per channel", "", db, 39.976);
  CHECK(db > 35);
  CHECK(db == Approx(39.976).margin(kSqnrTolerance));
}

TEST_CASE("T3: a fake-quantized ModelMultipleOpsNoAvgPool is close to float and equal to its int8 conversion") {
  const Setup s = model_then_data(multiple_ops_no_avg_pool(), 67, 2048, 10);
  const auto [ties, name, expected_db] =
      GENERATE(table<Ties, std::string, double>({{Ties::shared, "shared", 36.365}, {Ties::own, "own", 38.635}}));
  INFO("ties " << name);
  const Model simulated = fake_quantized(s.model, default_qat_qconfig(), ties, s.calibration);
  REQUIRE(std::holds_alternative<ConvBn2d>(simulated["conv1"].op));
  REQUIRE(summarize(simulated).weight_hooks == 3);
  REQUIRE(summarize(simulated).output_hooks == (ties == Ties::shared ? 6 : 7));

  const Tensor reference = one(s.model, s.evaluation), fake = one(simulated, s.evaluation);
  const double db = finite_sqnr(reference, fake);
  report("T3 float vs fake quant", name, db, expected_db);
  CHECK(db > 35);
  CHECK(db == Approx(expected_db).margin(kSqnrTolerance));

  const Model int8 = convert(simulated);
  check_is_int8(int8, 4);
  check_output(int8, "quant", 0.007874013856053352F, 0, 0);
  check_output(int8, "conv1", 0.007905212230980396F, 0);
  if (ties == Ties::shared) {
    check_output(int8, "conv2", 0.01656598038971424F, 66);
    check_output(int8, "conv2_again", 0.01656598038971424F, 66);
    check_output(int8, "fc", 0.007421278394758701F, 42);
    check_output(int8, "skip_add", 0.013786226511001587F, 28);
    check_output(int8, "cat", 0.009983162395656109F, 97);
    check_row(one(int8, s.evaluation), {-0.26716601848602295F, 0.11874045431613922F, -0.02226383611559868F, -0.14842556416988373F,
                                        0.5862810015678406F, 0.43785542249679565F});
  } else {
    check_output(int8, "conv2_again", 0.01076492F, 99, kPrintedUlps);
  }
  check_weight(int8, "conv1", {62, -35, 96, 12, 23, 124, 101, 127, -37}, {0.004440236371010542F});
  check_weight(int8, "conv2", {-45, 99, 127, 17, 18, 57, -73, -117, -54}, {0.004519831854850054F});
  check_weight(int8, "fc", {-127, 80, -63, 39, 5, 34, 8, -56, 41, 38, -106, -29}, {0.002256398554891348F});
  check_row(reference, {-0.2752259373664856F, 0.11983290314674377F, -0.025733783841133118F, -0.14385244250297546F,
                        0.5854417681694031F, 0.43813666701316833F});

  check_engines(int8, s.evaluation);
  const Tensor output = dequantize(one(int8, s.evaluation));
  REQUIRE(output.shape() == fake.shape());
  CHECK(std::ranges::equal(output.data<float>(), fake.data<float>()));  // to the bit: more than the 60 dB asked for
}

TEST_CASE("T4: weight-only and activation-only fake quantization of ModelMultipleOpsNoAvgPool") {
  Generator g(67);
  const Tensor calibration = pictures(g, 2048), evaluation = pictures(g, 10);
  Model first = multiple_ops_no_avg_pool(), second = first;
  initialize(first, g);
  g.skip(kPrepareQatDraws);
  initialize(second, g);

  const auto ties = GENERATE(Ties::shared, Ties::own);
  const std::string name = ties == Ties::shared ? "shared" : "own";
  {
    const Model weights = fake_quantized(first, default_weight_only_qconfig(), ties, calibration);
    REQUIRE(summarize(weights).weight_hooks == 3);
    REQUIRE(summarize(weights).output_hooks == 0);
    const double db = finite_sqnr(one(first, evaluation), one(weights, evaluation));
    report("T4 weight only", name, db, 48.796);
    CHECK(db > 45);
    CHECK(db == Approx(48.796).margin(kSqnrTolerance));

    const Model stored = convert(weights);  // int8 weights, float arithmetic
    REQUIRE(summarize(stored).int8_weights == 4);
    REQUIRE(summarize(stored).int8_kernels == 0);
    REQUIRE(summarize(stored).quantized_outputs == 0);
    CHECK(finite_sqnr(one(first, evaluation), one(stored, evaluation)) == Approx(48.796).margin(kSqnrTolerance));
    check_engines(stored, evaluation);
  }
  const double expected = ties == Ties::shared ? 41.422 : 41.331;
  const Model activations = fake_quantized(second, default_activation_only_qconfig(), ties, calibration);
  REQUIRE(summarize(activations).weight_hooks == 0);
  REQUIRE(summarize(activations).output_hooks == (ties == Ties::shared ? 6 : 7));
  const double db = finite_sqnr(one(second, evaluation), one(activations, evaluation));
  report("T4 activation only", name, db, expected);
  CHECK(db > 35);
  CHECK(db == Approx(expected).margin(kSqnrTolerance));
}
