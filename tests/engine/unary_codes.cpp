// SPDX-License-Identifier: Apache-2.0
// Every code through every function of one element, in every rounding and for both code types: half a code from the C library's
// binary64 values, or TensorFlow Lite's integers where it has some. OCTET_TABLES=1 prints the table that is asserted.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "tests/engine/operators.h"
#include "tests/engine/tflite_integers.h"
#include "tests/kernels/fills.h"

using namespace octet;
using namespace octet::testing;

namespace octet::unary_codes_tests {
namespace {

using Function = std::function<double(double)>;

double clipped(double x, double lo, double hi) { return std::min(std::max(x, lo), hi); }
double softplus(double x) { return x > 20 ? x : std::log(1 + std::exp(x)); }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// The formulas of PyTorch's documentation with its defaults, clip between -1.5 and 2, in binary64.
const std::map<UnaryFn, Function> kFunctions = {
    {UnaryFn::identity, [](double x) { return x; }},
    {UnaryFn::relu, [](double x) { return std::max(x, 0.0); }},
    {UnaryFn::relu6, [](double x) { return clipped(x, 0, 6); }},
    {UnaryFn::clip, [](double x) { return clipped(x, -1.5, 2); }},
    {UnaryFn::sigmoid, logistic},
    {UnaryFn::tanh, [](double x) { return 1 - 2 / (std::exp(2 * x) + 1); }},
    {UnaryFn::hard_sigmoid, [](double x) { return clipped(x / 6 + 0.5, 0, 1); }},
    {UnaryFn::hard_swish, [](double x) { return x * clipped(x + 3, 0, 6) / 6; }},
    {UnaryFn::silu, [](double x) { return x * logistic(x); }},
    {UnaryFn::gelu, [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }},
    {UnaryFn::gelu_tanh, [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * std::pow(x, 3)))); }},
    {UnaryFn::elu, [](double x) { return std::max(x, 0.0) + std::min(std::exp(x) - 1, 0.0); }},
    {UnaryFn::selu,
     [](double x) {
       return 1.0507009873554804934193349852946 *
              (std::max(x, 0.0) + std::min(1.6732632423543772848170429916717 * (std::exp(x) - 1), 0.0));
     }},
    {UnaryFn::celu, [](double x) { return std::max(x, 0.0) + std::min(std::exp(x) - 1, 0.0); }},
    {UnaryFn::leaky_relu, [](double x) { return x >= 0 ? x : 0.01 * x; }},
    {UnaryFn::softplus, softplus},
    {UnaryFn::softsign, [](double x) { return x / (1 + std::fabs(x)); }},
    {UnaryFn::mish, [](double x) { return x * std::tanh(softplus(x)); }},
    {UnaryFn::exp, [](double x) { return std::exp(x); }},
    {UnaryFn::log, [](double x) { return std::log(x); }},
    {UnaryFn::sqrt, [](double x) { return std::sqrt(x); }},
    {UnaryFn::abs, [](double x) { return std::fabs(x); }},
    {UnaryFn::neg, [](double x) { return -x; }},
    {UnaryFn::erf, [](double x) { return 1 - std::erfc(x); }},
    {UnaryFn::sin, [](double x) { return std::sin(x); }},
    {UnaryFn::cos, [](double x) { return std::cos(x); }},
    {UnaryFn::round, [](double x) { return std::rint(x); }},
    {UnaryFn::floor, [](double x) { return std::floor(x); }},
    {UnaryFn::ceil, [](double x) { return std::ceil(x); }},
    {UnaryFn::sign, [](double x) { return x > 0   ? 1.0
                                          : x < 0 ? -1.0
                                                  : 0.0; }},
    {UnaryFn::reciprocal, [](double x) { return 1 / x; }}};

QParams codes_of_range(double lo, double hi, bool i8) {
  const auto scale = static_cast<float>((hi - lo) / 255);
  const int32_t low = i8 ? -128 : 0;
  const auto zero = static_cast<int32_t>(std::lround(-lo / static_cast<double>(scale)));
  return {{scale}, {low + std::clamp(zero, 0, 255)}, -1, 0, low, low + 255};
}

int32_t signed_zero(const QParams& q) { return q.zero_point[0] - (q.qmin == 0 ? 128 : 0); }

/// The i8 code, not limited yet, of a difference from the zero point: where TensorFlow Lite has a formula for these parameters.
std::function<int64_t(int64_t)> integers(UnaryFn fn, const QParams& x, const QParams& y, Rounding rounding) {
  const float sx = x.scale[0], sy = y.scale[0];
  const int32_t zero = signed_zero(y);
  if (fn == UnaryFn::sigmoid && sy == 1.0F / 256 && zero == -128)
    return [=](int64_t u) { return tflite::logistic(u, sx, rounding) - 128; };
  if (fn == UnaryFn::tanh && sy == 1.0F / 128 && zero == 0) return [=](int64_t u) { return tflite::tanh(u, sx, rounding); };
  if (fn == UnaryFn::leaky_relu) return [=](int64_t u) { return tflite::leaky_relu(u, 0.01F, sx, sy, rounding) + zero; };
  if (fn == UnaryFn::hard_swish && tflite::has_hard_swish(sx, sy))
    return [=](int64_t u) { return tflite::hard_swish(u, sx, sy) + zero; };
  return nullptr;
}

struct Row {
  int64_t codes = 0, by_formula = 0, wrong = 0;
  double worst[4] = {};  // by rounding, in codes
};

/// All 256 codes once; the first wrong one as text.
void compare(UnaryFn fn, const QParams& x, const QParams& y, Rounding rounding, Row& row, std::string& first) {
  Unary op{fn};
  if (fn == UnaryFn::clip) op.alpha = -1.5, op.beta = 2;
  Model m = network_of({op, {{256}}});
  m.rounding = rounding;
  m["x0"].out_q = {x}, m["op"].out_q = {y};
  REQUIRE(runs_quantized(m, 1));
  Tensor codes = Tensor({256}, code_dtype(x)).with(x);
  for (int i = 0; i < 256; ++i) static_cast<uint8_t*>(codes.mutable_raw())[i] = static_cast<uint8_t>(x.qmin + i);
  const Tensor got = infer(m, {{codes}})[0];
  const bool fixed = rounding == Rounding::fixed_double || rounding == Rounding::fixed_single;
  const auto formula = fixed ? integers(fn, x, y, rounding) : nullptr;
  for (int i = 0; i < 256; ++i) {
    const int32_t u = x.qmin + i - x.zero_point[0];
    const double value = kFunctions.at(fn)(static_cast<double>(x.scale[0] * static_cast<float>(u)));
    const double zero = y.zero_point[0], scale = static_cast<double>(y.scale[0]);
    const double want = std::isnan(value) ? zero : std::clamp<double>(value / scale + zero, y.qmin, y.qmax);
    const int code = got.dtype() == DType::i8 ? got.data<int8_t>()[i] : got.data<uint8_t>()[i];
    double& worst = row.worst[static_cast<size_t>(rounding)];
    worst = std::max(worst, std::abs(code - want));
    bool right = std::abs(code - want) <= 0.5002;  // three operations in float32 lie between
    if (formula) right = code == std::clamp<int64_t>(formula(u) + (y.qmin == 0 ? 128 : 0), y.qmin, y.qmax);
    ++row.codes, row.by_formula += formula != nullptr, row.wrong += !right;
    if (!right && first.empty())
      first = std::string(kEnumNames<UnaryFn>[static_cast<size_t>(fn)]) + " in " + std::string(to_string(rounding)) + ": code " +
              std::to_string(x.qmin + i) + " became " + std::to_string(code) + ", the value is " + std::to_string(want);
  }
}

/// Parameters of the output: a range that saturates, one that holds everything, and the range that is known before.
std::vector<QParams> outputs(UnaryFn fn, double reach, bool i8) {
  if (traits_of(Op(Unary{fn})).codes == Codes::fixed) {
    const FixedRange range = *traits_of(Op(Unary{fn})).fixed;
    const auto lo = static_cast<double>(range.lo), hi = static_cast<double>(range.hi);
    QParams known = codes_of_range(lo, hi, i8);
    known.scale[0] = static_cast<float>((hi - lo) / 256), known.zero_point[0] = known.qmin + (lo == 0 ? 0 : 128);
    return {known, codes_of_range(lo * 0.8 - 0.1, hi, i8)};
  }
  return {codes_of_range(fn == UnaryFn::exp ? 0 : -2.7, fn == UnaryFn::exp ? 10 : reach * 0.7, i8),
          codes_of_range(-reach - 1, reach + 3, i8)};
}

}  // namespace

TEST_CASE("every code of every function in every rounding is the nearest, or TensorFlow Lite's") {
  REQUIRE(kFunctions.size() == kEnumNames<UnaryFn>.size());
  std::map<UnaryFn, Row> rows;
  std::string first;
  for (const auto& [fn, function] : kFunctions)
    for (const Rounding rounding : kRoundings)
      for (const bool x8 : {false, true})
        for (const bool y8 : {false, true})
          for (const double reach : {0.5, 4.0, 20.0}) {
            const QParams x = codes_of_range(-reach, reach * 0.75, x8);
            const bool keeps = traits_of(Op(Unary{fn})).codes == Codes::keep;
            if (keeps && x8 != y8) continue;
            for (const QParams& y : keeps ? std::vector<QParams>{x} : outputs(fn, reach, y8))
              compare(fn, x, y, rounding, rows[fn], first);
          }
  Row all;
  std::string table =
      "| function | codes | of TensorFlow Lite's integers | real | int_bias | fixed_double | fixed_single | wrong |\n"
      "|---|---|---|---|---|---|---|---|\n";
  for (const auto& [fn, row] : rows) {
    char line[200];
    std::snprintf(line, sizeof line, "| %s | %lld | %lld | %.4f | %.4f | %.4f | %.4f | %lld |\n",
                  std::string(kEnumNames<UnaryFn>[static_cast<size_t>(fn)]).c_str(), static_cast<long long>(row.codes),
                  static_cast<long long>(row.by_formula), row.worst[0], row.worst[1], row.worst[2], row.worst[3],
                  static_cast<long long>(row.wrong));
    table += line;
    all.codes += row.codes, all.by_formula += row.by_formula, all.wrong += row.wrong;
    for (size_t r = 0; r < 4; ++r) all.worst[r] = std::max(all.worst[r], row.worst[r]);
    INFO(kEnumNames<UnaryFn>[static_cast<size_t>(fn)]);
    CHECK(row.wrong == 0);
    CHECK(row.codes >= 4 * 2 * 3 * 256);
    if (fn != UnaryFn::identity && fn != UnaryFn::relu) CHECK(row.worst[0] > 0.05);  // or nothing was rounded
  }
  INFO(first);
  CHECK(all.wrong == 0);
  CHECK(all.by_formula == 2 * 4 * 3 * 256 * (1 + 1 + 2 + 2));  // one output of sigmoid and tanh, two of the others
  CHECK(std::max(all.worst[0], all.worst[1]) <= 0.5002);
  WARN(rows.size() << " functions, " << all.codes << " codes in 4 roundings, u8 and i8, " << all.by_formula
                   << " of them by TensorFlow Lite's integers; largest distance to binary64: real " << all.worst[0] << ", int_bias "
                   << all.worst[1] << ", fixed_double " << all.worst[2] << ", fixed_single " << all.worst[3] << "; wrong "
                   << all.wrong);
  if (std::getenv("OCTET_TABLES") != nullptr) std::fputs(table.c_str(), stdout);
}

TEST_CASE("sigmoid and tanh of codes far apart saturate by the exponent of their multiplier, as TensorFlow Lite Micro does") {
  for (const UnaryFn fn : {UnaryFn::sigmoid, UnaryFn::tanh})
    for (const float scale : {3.9F, 4.0F, 7.99F, 8.0F, 31.0F, 1000.0F}) {
      Model m = network_of({Unary{fn}, {{1, 256}}});
      m.rounding = Rounding::fixed_double;
      const QParams x{{scale}, {5}, -1, 0, -128, 127};
      m["x0"].out_q = {x};
      m["op"].out_q = {fn == UnaryFn::sigmoid ? QParams{{1.0F / 256}, {-128}, -1, 0, -128, 127}
                                              : QParams{{1.0F / 128}, {0}, -1, 0, -128, 127}};
      const auto formula = integers(fn, x, *m["op"].out_q[0], m.rounding);
      REQUIRE(formula != nullptr);
      Tensor codes = Tensor({1, 256}, DType::i8).with(x);
      for (int i = 0; i < 256; ++i) codes.mutable_data<int8_t>()[static_cast<size_t>(i)] = static_cast<int8_t>(i - 128);
      const Tensor y = infer(m, {{codes}})[0];
      for (int i = 0; i < 256; ++i)
        CHECK(y.data<int8_t>()[static_cast<size_t>(i)] == std::clamp<int64_t>(formula(i - 128 - 5), -128, 127));
      const int at_zero = y.data<int8_t>()[128 + 5];
      CHECK(at_zero == (scale >= 8 ? -128 : 0));  // where 15 / 2^(e - 27) falls below a code
    }
}

}  // namespace octet::unary_codes_tests
