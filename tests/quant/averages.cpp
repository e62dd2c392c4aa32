// SPDX-License-Identifier: Apache-2.0
// Averages with a range of their own (Codes::either): what is left of sparse values fills its codes.
#include <cmath>

#include "compile/program.h"
#include "numeric_suite/compare.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/kernels/fills.h"
#include "tests/same.h"

using namespace octet;
using octet::testing::same;

namespace {

/// 95 % zeros, the rest even from 0 to 6.
Tensor sparse(Generator& g, const Shape& shape) {
  Tensor x = Tensor::zeros(shape, DType::f32);
  for (float& v : x.mutable_data<float>())
    if (g.uniform() < 0.05) v = static_cast<float>(6 * g.uniform());
  return x;
}

Model averaging(const Op& op, Rounding rounding, const Shape& x = {1, 8, 8, 70}) {
  Model m;
  m.rounding = rounding;
  m.add("x", Input{x});
  m.add("average", op);
  return m;
}

Model in_codes(const Model& m, bool averages, const Tensor& data) {
  QConfig config = octet_qconfig();
  REQUIRE(config.averages);
  config.averages = averages;
  Model prepared = prepare(m, {{"", config}});
  CHECK(prepared["average"].hooks.contains("output") == averages);
  calibrate(prepared, {&data, 1});
  const Model int8 = convert(prepared);
  REQUIRE(runs_quantized(int8, int8.index("average")));
  REQUIRE((*int8["average"].out_q[0] == *int8["x"].out_q[0]) == !averages);
  CHECK(int8.keeps_qparams(int8["average"]) == !averages);
  return int8;
}

double measured(const Model& m, const Model& int8, const Tensor& x) {
  const double db = sqnr(infer(m, {&x, 1})[0], dequantize(infer(int8, {&x, 1})[0]));
  REQUIRE(std::isfinite(db));
  return db;
}

}  // namespace

TEST_CASE("averages of sparse values with codes of their own lose half as many digits, on every engine and in every rounding") {
  const std::pair<const char*, Op> operators[] = {
      {"all positions", Pool2d{.kind = Pool::adaptive_average}},
      {"one window", Pool2d{.kind = Pool::average, .kernel = {8, 8}, .stride = {1, 1}}},
      {"windows", Pool2d{.kind = Pool::average, .kernel = {4, 3}, .stride = {2, 1}}},
      {"padding", Pool2d{.kind = Pool::average, .kernel = {5, 5}, .stride = {2, 3}, .padding = {1, 2, 0, 2}}},
      {"mean", Reduce{ReduceFn::mean, {1, 2}}},
      {"mean of channels", Reduce{ReduceFn::mean, {3}}}};
  Generator g(3);
  const Tensor x = sparse(g, {3, 8, 8, 70});
  for (const auto& [what, op] : operators)
    for (const Rounding rounding : octet::testing::kRoundings) {
      INFO(what << ", " << to_string(rounding));
      const Model m = averaging(op, rounding), own = in_codes(m, true, x), kept = in_codes(m, false, x);
      const double before = measured(m, kept, x), after = measured(m, own, x);
      CAPTURE(before, after);
      const bool small = std::string_view(what) == "windows" || std::string_view(what) == "padding";  // of a dozen values
      CHECK(after > before + (small ? 6 : 15));
      CHECK(after > (small ? 40 : 47));
      for (const QEngineInfo& info : qengines()) {
        if (!info.available) continue;
        for (const int threads : {1, 2}) {
          Session session(Program::bind(own, info.engine), {x.shape()}, threads);
          CHECK(same(session.run({&x, 1})[0], infer(own, {&x, 1})[0]));
        }
      }
      WARN(what << ", " << to_string(rounding) << ": " << before << " dB with the input's codes, " << after << " with its own");
    }
}

TEST_CASE("averages of sequences have codes of their own, too") {
  Generator g(4);
  const Tensor x = sparse(g, {3, 40, 20});
  for (const Pool1d& op :
       {Pool1d{.kind = Pool::adaptive_average}, Pool1d{.kind = Pool::average, .kernel = 9, .stride = 2, .padding = 4}})
    for (const Rounding rounding : octet::testing::kRoundings) {
      CAPTURE(to_string(rounding), op.kernel);
      const Model m = averaging(op, rounding, {1, 40, 20}), own = in_codes(m, true, x);
      CHECK(measured(m, own, x) > measured(m, in_codes(m, false, x), x) + 6);
      for (const QEngineInfo& info : qengines())
        if (info.available)
          CHECK(same(Session(Program::bind(own, info.engine), {x.shape()}).run({&x, 1})[0], infer(own, {&x, 1})[0]));
    }
}

TEST_CASE("averages whose windows count differently keep their input's codes") {
  for (const Pool2d& op : {Pool2d{.kind = Pool::average, .kernel = {3, 3}, .padding = pad_all(1), .count_include_pad = false},
                           Pool2d{.kind = Pool::average, .kernel = {3, 3}, .ceil_mode = true},
                           Pool2d{.kind = Pool::adaptive_average, .output = {3, 2}}, Pool2d{.kind = Pool::max}})
    CHECK(traits_of(Op(op)).codes == Codes::keep);
  for (const QConfig& config : {get_default_qconfig("x86"), default_qat_qconfig(), default_symmetric_qnnpack_qconfig()})
    CHECK_FALSE(config.averages);
  Model int8 = in_codes(averaging(Pool2d{.kind = Pool::average}, Rounding::real), false, Tensor::full({1, 8, 8, 70}, 1));
  int8.modules[1].op = Pool2d{.kind = Pool::average, .ceil_mode = true};
  int8.modules[1].out_q[0]->scale[0] *= 2;
  CHECK_FALSE(runs_quantized(int8, 1));
}
