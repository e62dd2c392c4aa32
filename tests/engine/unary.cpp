// SPDX-License-Identifier: Apache-2.0
// Every unary function: values against an independent computation, derivatives against finite differences, int8 tables against the
// formula for all 256 codes in every rounding, and TensorFlow Lite's integer formulas against its own outputs.
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "engine/model.h"
#include "io/npy.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/engine/gradient_check.h"
#include "tests/kernels/fills.h"
#include "tests/skip.h"

using namespace octet;
using octet::testing::kRoundings;

namespace {

constexpr size_t kUnaryFunctions = kEnumNames<UnaryFn>.size();

std::string_view name_of(UnaryFn fn) { return kEnumNames<UnaryFn>[static_cast<size_t>(fn)]; }

Model one_function(const Unary& op, const Shape& shape) {
  Model m;
  m.add("x", Input{shape});
  m.add("f", op);
  return m;
}

float value_of(const Unary& op, float x) {
  return infer(one_function(op, {1}), {{Tensor::of<float>({1}, std::vector<float>{x})}})[0].item();
}

constexpr float kPoints[] = {-6.5F, -3, -1.5F, -0.5F, 0.5F, 2.5F, 3, 7.25F};
// Python's math module on the formulas of PyTorch's documentation.
const std::map<UnaryFn, std::vector<double>> kValues = {
    {UnaryFn::relu, {0.0, 0.0, 0.0, 0.0, 0.5, 2.5, 3.0, 7.25}},
    {UnaryFn::relu6, {0.0, 0.0, 0.0, 0.0, 0.5, 2.5, 3.0, 6.0}},
    {UnaryFn::sigmoid, {0.00150118226, 0.0474258732, 0.182425524, 0.377540669, 0.622459331, 0.92414182, 0.952574127, 0.99929033}},
    {UnaryFn::tanh, {-0.999995479, -0.995054754, -0.905148254, -0.462117157, 0.462117157, 0.986614298, 0.995054754, 0.999998991}},
    {UnaryFn::hard_sigmoid, {0.0, 0.0, 0.25, 0.416666667, 0.583333333, 0.916666667, 1.0, 1.0}},
    {UnaryFn::hard_swish, {-0.0, 0.0, -0.375, -0.208333333, 0.291666667, 2.29166667, 3.0, 7.25}},
    {UnaryFn::silu, {-0.00975768467, -0.14227762, -0.273638286, -0.188770334, 0.311229666, 2.31035455, 2.85772238, 7.24485489}},
    {UnaryFn::gelu, {-2.61040038e-10, -0.00404969409, -0.100210802, -0.154268769, 0.345731231, 2.48447584, 2.99595031, 7.25}},
    {UnaryFn::gelu_tanh, {-6.2783112e-13, -0.00363739208, -0.100428423, -0.15428599, 0.34571401, 2.48491573, 2.99636261, 7.25}},
    {UnaryFn::elu, {-0.998496561, -0.950212932, -0.77686984, -0.39346934, 0.5, 2.5, 3.0, 7.25}},
    {UnaryFn::selu, {-1.75545615, -1.67056873, -1.36581435, -0.691758188, 0.525350494, 2.62675247, 3.15210296, 7.61758216}},
    {UnaryFn::celu, {-0.998496561, -0.950212932, -0.77686984, -0.39346934, 0.5, 2.5, 3.0, 7.25}},
    {UnaryFn::leaky_relu, {-0.065, -0.03, -0.015, -0.005, 0.5, 2.5, 3.0, 7.25}},
    {UnaryFn::softplus, {0.00150231016, 0.0485873516, 0.201413278, 0.474076984, 0.974076984, 2.57888973, 3.04858735, 7.25070992}},
    {UnaryFn::softsign, {-0.866666667, -0.75, -0.6, -0.333333333, 0.333333333, 0.714285714, 0.75, 0.878787879}},
    {UnaryFn::mish, {-0.00976500869, -0.145647461, -0.298099742, -0.220743775, 0.375245211, 2.4713923, 2.986535, 7.2499927}},
    {UnaryFn::exp, {0.00150343919, 0.0497870684, 0.22313016, 0.60653066, 1.64872127, 12.182494, 20.0855369, 1408.10485}},
    {UnaryFn::abs, {6.5, 3.0, 1.5, 0.5, 0.5, 2.5, 3.0, 7.25}},
    {UnaryFn::neg, {6.5, 3.0, 1.5, 0.5, -0.5, -2.5, -3.0, -7.25}},
    {UnaryFn::erf, {-1.0, -0.99997791, -0.966105146, -0.520499878, 0.520499878, 0.999593048, 0.99997791, 1.0}},
    {UnaryFn::sin, {-0.215119988, -0.141120008, -0.997494987, -0.479425539, 0.479425539, 0.598472144, 0.141120008, 0.823080879}},
    {UnaryFn::cos, {0.976587626, -0.989992497, 0.0707372017, 0.877582562, 0.877582562, -0.801143616, -0.989992497, 0.567924173}},
    {UnaryFn::round, {-6.0, -3.0, -2.0, 0.0, 0.0, 2.0, 3.0, 7.0}},
    {UnaryFn::floor, {-7.0, -3.0, -2.0, -1.0, 0.0, 2.0, 3.0, 7.0}},
    {UnaryFn::ceil, {-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 3.0, 8.0}},
    {UnaryFn::sign, {-1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0}},
    {UnaryFn::reciprocal, {-0.153846154, -0.333333333, -0.666666667, -2.0, 2.0, 0.4, 0.333333333, 0.137931034}},
};

/// All 256 codes of these parameters through the function.
Tensor through(const Unary& op, const QParams& x, const QParams& y, Rounding rounding) {
  Model m = one_function(op, {256});
  m.rounding = rounding;
  m.modules[0].out_q = {x}, m.modules[1].out_q = {y};
  REQUIRE(runs_quantized(m, 1));
  Tensor codes = Tensor({256}, code_dtype(x)).with(x);
  auto* to = static_cast<uint8_t*>(codes.mutable_raw());
  for (int i = 0; i < 256; ++i) to[i] = static_cast<uint8_t>(i);
  return infer(m, {{codes}})[0];
}

int code_at(const Tensor& codes, int64_t i) {
  return codes.dtype() == DType::i8 ? int{codes.data<int8_t>()[i]} : int{codes.data<uint8_t>()[i]};
}

QParams codes_from(float lo, float hi, bool i8) {
  QParams q{{(hi - lo) / 255}, {0}, -1, 0, i8 ? -128 : 0, i8 ? 127 : 255};
  q.zero_point[0] = std::clamp(q.qmin + static_cast<int32_t>(std::lround(-lo / q.scale[0])), q.qmin, q.qmax);
  return q;
}

}  // namespace

TEST_CASE("every unary function has the values that an independent computation gives") {
  for (const auto& [fn, values] : kValues)
    for (size_t i = 0; i < values.size(); ++i) {
      INFO(name_of(fn) << " of " << kPoints[i]);
      const double got = static_cast<double>(value_of({fn}, kPoints[i]));
      CHECK(std::abs(got - values[i]) <= 3e-7 * std::max(1.0, std::abs(values[i])));
    }
  const std::pair<UnaryFn, std::vector<double>> above_zero[] = {{UnaryFn::log, {-1.38629436, 0, 0.693147181, 2.19722458}},
                                                                {UnaryFn::sqrt, {0.5, 1, 1.41421356, 3}}};
  for (const auto& [fn, values] : above_zero)
    for (size_t i = 0; i < values.size(); ++i)
      CHECK(std::abs(static_cast<double>(value_of({fn}, std::vector<float>{0.25F, 1, 2, 9}[i])) - values[i]) <= 3e-7);
  CHECK(kValues.size() + std::size(above_zero) + 2 == kUnaryFunctions);  // and identity, clip
  for (const float x : kPoints) {
    CHECK(value_of({UnaryFn::identity}, x) == x);
    CHECK(value_of({UnaryFn::clip, -1, 2.75}, x) == std::clamp(x, -1.0F, 2.75F));
    CHECK(value_of({UnaryFn::clip, {}, -2}, x) == std::min(x, -2.0F));
    CHECK(value_of({UnaryFn::leaky_relu, 0.25}, x) == (x > 0 ? x : x / 4));
    CHECK(value_of({UnaryFn::hard_sigmoid, 0.2, 0.5}, x) == Approx(std::clamp(0.2F * x + 0.5F, 0.0F, 1.0F)));
    CHECK(value_of({UnaryFn::elu, 2}, x) == Approx(x > 0 ? x : 2 * std::expm1(x)));
    CHECK(value_of({UnaryFn::celu, 2}, x) == Approx(x > 0 ? x : 2 * std::expm1(x / 2)));
    CHECK(value_of({UnaryFn::softplus, 2, 5}, x) == Approx(2 * x > 5 ? x : std::log1p(std::exp(2 * x)) / 2));
  }
}

TEST_CASE("unary functions pass NaN on, and limits are met at infinity") {
  for (size_t i = 0; i < kUnaryFunctions; ++i) {
    INFO(kEnumNames<UnaryFn>[i]);
    CHECK(std::isnan(value_of({static_cast<UnaryFn>(i)}, NAN)));
  }
  const std::tuple<UnaryFn, float, float> limits[] = {{UnaryFn::sigmoid, 0, 1},         {UnaryFn::tanh, -1, 1},
                                                      {UnaryFn::hard_sigmoid, 0, 1},    {UnaryFn::elu, -1, INFINITY},
                                                      {UnaryFn::softplus, 0, INFINITY}, {UnaryFn::erf, -1, 1}};
  for (const auto& [fn, low, high] : limits) {
    INFO(name_of(fn));
    CHECK(value_of({fn}, -INFINITY) == low);
    CHECK(value_of({fn}, INFINITY) == high);
  }
}

TEST_CASE("every unary function's derivative is that of finite differences") {
  int checked = 0;
  for (size_t i = 0; i < kUnaryFunctions; ++i) {
    Unary op{static_cast<UnaryFn>(i)};
    if (op.fn == UnaryFn::clip) op.alpha = -0.6, op.beta = 0.7;
    if (op.fn == UnaryFn::leaky_relu || op.fn == UnaryFn::elu || op.fn == UnaryFn::celu) op.alpha = 0.3;
    if (op.fn == UnaryFn::softplus) op.alpha = 1.5, op.beta = 2;
    if (op.fn == UnaryFn::hard_sigmoid) op.alpha = 0.9;
    const bool positive = op.fn == UnaryFn::log || op.fn == UnaryFn::sqrt || op.fn == UnaryFn::reciprocal;
    INFO(kEnumNames<UnaryFn>[i]);
    gradient_check::check_op(op, {{3, 4, 5}}, Mode::train, 1, positive ? 0.3 : -1, positive ? 2 : 1);
    if (op.fn != UnaryFn::log && !positive) gradient_check::check_op(op, {{3, 5}}, Mode::train, 2, -8, 8);
    ++checked;
  }
  CHECK(checked == 31);
}

TEST_CASE("a unary function refuses coefficients that it does not read or cannot use") {
  const auto refusal = [](const Unary& op) -> std::string {
    try {
      one_function(op, {1});
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  CHECK(refusal({UnaryFn::sigmoid, 1.0}) == "f: sigmoid takes no alpha");
  CHECK(refusal({UnaryFn::elu, 1.0, 2.0}) == "f: elu takes no beta");
  CHECK(refusal({UnaryFn::celu, 0.0}) == "f: celu divides by alpha, which is 0");
  CHECK(refusal({UnaryFn::leaky_relu, NAN}).find("f: leaky_relu with alpha") == 0);
  CHECK(refusal({UnaryFn::clip, 2.0, 1.0}) == "f: an activation between 2 and 1");
  CHECK(refusal({UnaryFn::clip, NAN, 1.0}).find("f: an activation between") == 0);
  CHECK(refusal({static_cast<UnaryFn>(200)}) == "f: unknown unary function 200");
}

TEST_CASE("codes of a unary function are the nearest to its value, for every code and rounding") {
  int64_t compared = 0;
  std::set<std::string_view> tables;
  for (size_t i = 0; i < kUnaryFunctions; ++i)
    for (const Rounding rounding : kRoundings)
      for (const bool i8 : {false, true})
        for (const float reach : {0.5F, 4.0F, 20.0F}) {
          const Unary op{static_cast<UnaryFn>(i)};
          const QParams x = codes_from(-reach, reach * 0.75F, i8);
          if (traits_of(Op(op)).codes == Codes::keep) continue;
          const bool fixed = rounding == Rounding::fixed_double || rounding == Rounding::fixed_single;
          if (fixed && (op.fn == UnaryFn::hard_swish || op.fn == UnaryFn::leaky_relu)) continue;  // formulas of their own, below
          const bool exponential = op.fn == UnaryFn::exp;
          const QParams y = exponential ? codes_from(0, 10, !i8) : codes_from(-2.7F, reach, !i8);
          const Tensor got = through(op, x, y, rounding);
          for (int64_t k = 0; k < 256; ++k) {
            const int code = i8 ? static_cast<int8_t>(k) : static_cast<int>(k);
            const float real = x.scale[0] * static_cast<float>(code - x.zero_point[0]);
            const double exact = static_cast<double>(value_of(op, real));
            const double want = std::isnan(exact)
                                    ? y.zero_point[0]
                                    : std::clamp<double>(exact / static_cast<double>(y.scale[0]) + y.zero_point[0], y.qmin, y.qmax);
            if (std::abs(code_at(got, k) - want) > 0.5002) {
              CAPTURE(name_of(op.fn), to_string(rounding), i8, reach, k, want);
              REQUIRE(code_at(got, k) == want);
            }
            ++compared;
          }
          tables.insert(name_of(op.fn));
        }
  CHECK(tables.size() == kUnaryFunctions - 4);
  CHECK(compared > 100'000);
}

TEST_CASE("integer formulas stay within a code and a half of the function") {
  for (const Rounding rounding : {Rounding::fixed_double, Rounding::fixed_single})
    for (const bool i8 : {false, true})
      for (const UnaryFn fn : {UnaryFn::sigmoid, UnaryFn::tanh, UnaryFn::leaky_relu, UnaryFn::hard_swish})
        for (const float reach : {1.0F, 3.0F, 9.0F, 30.0F}) {
          const QParams x = codes_from(-reach, reach, i8);
          QParams y = fn == UnaryFn::hard_swish ? codes_from(-0.375F, reach * 1.2F, i8) : codes_from(-reach * 0.02F, reach, i8);
          const int32_t low = i8 ? -128 : 0;
          if (fn == UnaryFn::sigmoid) y.scale = {1.0F / 256}, y.zero_point = {low};
          if (fn == UnaryFn::tanh) y.scale = {1.0F / 128}, y.zero_point = {low + 128};
          const Tensor got = through({fn}, x, y, rounding);
          double worst = 0;
          for (int64_t k = 0; k < 256; ++k) {
            const int code = i8 ? static_cast<int8_t>(k) : static_cast<int>(k);
            const double exact = static_cast<double>(value_of({fn}, x.scale[0] * static_cast<float>(code - x.zero_point[0])));
            const double want = std::clamp<double>(exact / static_cast<double>(y.scale[0]) + y.zero_point[0], y.qmin, y.qmax);
            worst = std::max(worst, std::abs(code_at(got, k) - want));
          }
          INFO(name_of(fn) << ", " << to_string(rounding) << ", i8 " << i8 << ", reach " << reach);
          CHECK(worst <= 1.5);
          CHECK(worst > 0.3);
        }
}

TEST_CASE("unary functions give TensorFlow Lite's bytes") {
  struct Row {
    const char* file;
    Unary op;
    float x_scale;
    int32_t x_zero;
    float y_scale;
    int32_t y_zero;
  };
  const Row rows[] = {{"logistic_i8_0", {UnaryFn::sigmoid}, 0.037700001150369644F, -2, 0.00390625F, -128},
                      {"logistic_i8_4", {UnaryFn::sigmoid}, 0.6000000238418579F, 100, 0.00390625F, -128},
                      {"tanh_i8_0", {UnaryFn::tanh}, 0.037700001150369644F, -2, 0.0078125F, 0},
                      {"tanh_i8_2", {UnaryFn::tanh}, 0.003000000026077032F, -128, 0.0078125F, 0},
                      {"hard_swish_i8_0", {UnaryFn::hard_swish}, 0.05000000074505806F, -20, 0.029999999329447746F, -115},
                      {"hard_swish_i8_3", {UnaryFn::hard_swish}, 0.4000000059604645F, -10, 0.30000001192092896F, -128},
                      {"leaky_relu_i8_1", {UnaryFn::leaky_relu, 0.3}, 0.10000000149011612F, 10, 0.05999999865889549F, 0}};
  const char* root = std::getenv("OCTET_MODELS");
  if (root == nullptr || !std::filesystem::exists(root)) OCTET_SKIP_CASE("no models with golden outputs");
  for (const Row& row : rows) {
    const std::string path = std::string(root) + "/tflite/made/" + row.file;
    const Tensor x = load_npy(path + ".inputs.npy"), want = load_npy(path + ".golden.npy");
    REQUIRE((x.numel() == 256 && want.numel() == 256));
    const QParams qx{{row.x_scale}, {row.x_zero}, -1, 0, -128, 127}, qy{{row.y_scale}, {row.y_zero}, -1, 0, -128, 127};
    const Tensor got = through(row.op, qx, qy, Rounding::fixed_double);
    int wrong = 0;
    for (int64_t i = 0; i < 256; ++i)
      wrong += got.data<int8_t>()[static_cast<uint8_t>(x.data<int8_t>()[i])] != want.data<int8_t>()[i];
    INFO(row.file);
    CHECK(wrong == 0);
    if (row.op.fn != UnaryFn::leaky_relu) continue;  // the others are the nearest codes here
    const Tensor other = through(row.op, qx, qy, Rounding::real);
    CHECK(!std::ranges::equal(got.data<int8_t>(), other.data<int8_t>()));
  }
}
