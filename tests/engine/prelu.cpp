// SPDX-License-Identifier: Apache-2.0
// PRelu: values, codes of every channel in every rounding and on every engine, and a device; its derivative in gradients.cpp.
#include <cmath>

#include "compile/program.h"
#include "quant/equalize.h"
#include "quant/quantize.h"
#include "tests/engine/operators.h"
#include "tests/engine/tflite_integers.h"
#include "tests/kernels/fills.h"
#include "tests/same.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;

namespace {

/// Its parameter is 1/4 everywhere at first.
Model with_slopes(Model m, const std::vector<float>& slopes) {
  for (const float v : m["op"].params.at("weight").data<float>()) CHECK(v == 0.25F);
  m["op"].params.insert_or_assign("weight", Tensor::of<float>({static_cast<int64_t>(slopes.size())}, slopes));
  return m;
}

}  // namespace

TEST_CASE("prelu multiplies what is negative by its channel's slope") {
  const Tensor x = Tensor::of<float>({2, 3}, std::vector<float>{-1, 2, -3, 4, -5, 0});
  const Model three = with_slopes(network_of({PRelu{3}, {x.shape()}}), {0.5F, -2, 0});
  const Tensor y = infer(three, {{x}})[0];
  const float want[] = {-0.5F, 2, 0, 4, 10, 0};
  for (int i = 0; i < 6; ++i) CHECK(y.data<float>()[i] == want[i]);
  CHECK(same(Session(Program::bind(three), {x.shape()}).run({&x, 1})[0], y));
  const Tensor one = infer(with_slopes(network_of({PRelu{}, {x.shape()}}), {0.5F}), {{x}})[0];
  CHECK(one.data<float>()[4] == -2.5F);
  CHECK_THROWS_WITH(network_of({PRelu{4}, {x.shape()}}), Contains("op: expected 4 channels on the last axis, got shape [2, 3]"));
  CHECK_THROWS_WITH(network_of({PRelu{0}, {x.shape()}}), Contains("0 channels"));
}

namespace {

/// All 256 codes of all channels, on every engine that is there.
Tensor codes_through(const Model& m, const QParams& qx, int64_t channels) {
  REQUIRE(runs_quantized(m, 1));
  Tensor x = Tensor(Shape{256, channels}, code_dtype(qx)).with(qx);
  for (int64_t i = 0; i < x.numel(); ++i) static_cast<uint8_t*>(x.mutable_raw())[i] = static_cast<uint8_t>(i / channels + qx.qmin);
  const Tensor y = infer(m, {{x}})[0];
  for (const QEngineInfo& info : qengines())
    if (info.available) CHECK(same(Session(Program::bind(m, info.engine), {x.shape()}, 2).run({&x, 1})[0], y));
  return y;
}

int code_of(const Tensor& t, int64_t i) { return t.dtype() == DType::i8 ? t.data<int8_t>()[i] : t.data<uint8_t>()[i]; }

QParams codes_around(float scale, int32_t zero, bool i8) {
  const int32_t low = i8 ? -128 : 0;
  return {{scale}, {low + zero}, -1, 0, low, low + 255};
}

}  // namespace

TEST_CASE("codes of a prelu are the nearest to its value where rounding is real, for every code of every channel") {
  const std::vector<float> slopes{0.25F, -0.5F, 0, 1.5F, 0.01F};
  int64_t compared = 0;
  for (const Rounding rounding : {Rounding::real, Rounding::int_bias})
    for (const bool i8 : {false, true})
      for (const bool coded : {false, true}) {
        Model m = with_slopes(network_of({PRelu{5}, {{256, 5}}}), slopes);
        Tensor& weight = m["op"].params.at("weight");
        if (coded) weight = quantize(weight, {{1.5F / 120}, {-7}, -1, 0, -128, 127});
        const Tensor real_slopes = dequantize(weight);
        m.rounding = rounding;
        const QParams qx = codes_around(0.05F, 100, i8), qy = codes_around(0.06F, 90, i8);
        m["x0"].out_q = {qx}, m["op"].out_q = {qy};
        const Tensor got = codes_through(m, qx, 5);
        for (int64_t i = 0; i < got.numel(); ++i, ++compared) {
          const float real = qx.scale[0] * static_cast<float>(i / 5 - 100);
          const double value = static_cast<double>(real) * (real > 0 ? 1.0 : static_cast<double>(real_slopes.data<float>()[i % 5]));
          const double want = std::clamp<double>(value / static_cast<double>(qy.scale[0]) + qy.zero_point[0], qy.qmin, qy.qmax);
          if (std::abs(code_of(got, i) - want) > 0.5002) {
            CAPTURE(to_string(rounding), i8, coded, i, want);
            REQUIRE(code_of(got, i) == want);
          }
        }
      }
  CHECK(compared == 2 * 2 * 2 * 256 * 5);
}

TEST_CASE("in the fixed roundings a prelu is leaky_relu's integers with a float slope, TensorFlow Lite's PRELU with a coded one") {
  const std::vector<float> slopes{0.25F, -0.5F, 0, 1.5F, 0.01F, 7.3F, -0.999F, 1e-9F, -3.2F};
  const auto channels = static_cast<int64_t>(slopes.size());
  int64_t compared = 0, apart = 0, uncoded = 0;
  for (const Rounding rounding : {Rounding::fixed_double, Rounding::fixed_single})
    for (const bool i8 : {false, true})
      for (const auto& [sx, sy] : {std::pair{0.05F, 0.06F}, {0.0377F, 0.021F}, {0.3F, 0.9F}, {0.011F, 0.47F}}) {
        const QParams qx = codes_around(sx, 100, i8), qy = codes_around(sy, 90, !i8);
        Model m = with_slopes(network_of({PRelu{channels}, {{256, channels}}}), slopes);
        m.rounding = rounding;
        m["x0"].out_q = {qx}, m["op"].out_q = {qy};
        const Tensor got = codes_through(m, qx, channels);
        Model nearest = m;
        nearest.rounding = Rounding::real;
        const Tensor other = codes_through(nearest, qx, channels);
        for (int64_t i = 0; i < got.numel(); ++i, ++compared) {
          const int64_t u = i / channels - 100;
          const float slope = slopes[static_cast<size_t>(i % channels)];
          const int64_t y = tflite::leaky_relu(u, slope, sx, sy, rounding);
          if (const auto want = std::clamp<int64_t>(y + qy.zero_point[0], qy.qmin, qy.qmax); code_of(got, i) != want) {
            CAPTURE(to_string(rounding), i8, i, slope, u, want);
            REQUIRE(code_of(got, i) == want);
          }
        }
        // Slopes in codes of one scale around their zero point, and of a scale and zero point for each channel.
        QParams one{{7.3F / 120}, {3}, -1, 0, -128, 127}, each{{}, {}, 0, 0, 0, 255};
        for (int64_t c = 0; c < channels; ++c)
          each.scale.push_back(0.01F + 0.013F * static_cast<float>(c)), each.zero_point.push_back(static_cast<int32_t>(120 + c));
        for (const QParams& qa : {one, each}) {
          const Tensor codes = quantize(Tensor::of<float>({channels}, slopes), qa);
          m["op"].params.at("weight") = codes;
          const Tensor with_codes = codes_through(m, qx, channels);
          for (int64_t i = 0; i < with_codes.numel(); ++i, ++compared) {
            const int64_t u = i / channels - 100;
            const auto c = static_cast<size_t>(i % channels), pair = qa.axis < 0 ? 0 : c;
            const int64_t alpha = code_of(codes, static_cast<int64_t>(c)) - qa.zero_point[pair];
            const int64_t scaled = tflite::prelu(u, alpha, qa.scale[pair], sx, sy, rounding);
            const auto want = std::clamp<int64_t>(scaled + qy.zero_point[0], qy.qmin, qy.qmax);
            if (code_of(with_codes, i) != want) {
              CAPTURE(to_string(rounding), i8, i, alpha, u, want);
              REQUIRE(code_of(with_codes, i) == want);
            }
            uncoded += code_of(with_codes, i) != code_of(got, i);
          }
        }
        for (int64_t i = 0; i < got.numel(); ++i) apart += code_of(got, i) != code_of(other, i);
      }
  CHECK(compared == 2 * 2 * 4 * 3 * 256 * channels);
  CHECK(apart > 0);
  CHECK(uncoded > 0);
}

TEST_CASE("multipliers of coded slopes are made in binary64, where float32 gives another code now and then") {
  struct Point {
    Rounding rounding;
    float sx, sa, sy;
    int u, slope, want;  // with float32's multipliers one more, one less
  };
  for (const Point& p : {Point{Rounding::fixed_double, 0.3375F, 0.015F, 0.078F, -26, -53, 89},
                         {Rounding::fixed_single, 0.1877F, 0.0313F, 0.1807F, -23, -113, 85}}) {
    Model m = with_slopes(network_of({PRelu{}, {{1}}}), {0.25F});
    m["op"].params.at("weight") =
        Tensor::of<int8_t>({1}, std::vector<int8_t>{static_cast<int8_t>(p.slope)}).with({{p.sa}, {0}, -1, 0, -128, 127});
    m.rounding = p.rounding;
    const QParams qx = codes_around(p.sx, 100, false), qy = codes_around(p.sy, 100, false);
    m["x0"].out_q = {qx}, m["op"].out_q = {qy};
    const Tensor x = Tensor::of<uint8_t>({1}, std::vector<uint8_t>{static_cast<uint8_t>(100 + p.u)}).with(qx);
    CHECK(code_of(infer(m, {{x}})[0], 0) == 100 + p.want);
  }
}

TEST_CASE("a prelu is quantized, and channels are scaled through it") {
  Model m;
  m.add("x", Input{{1, 6, 6, 3}});
  m.add("a", Conv2d{.in = 3, .out = 8});
  m.add("op", PRelu{8});
  m.add("b", Conv2d{.in = 8, .out = 4});
  Generator g(6);
  initialize(m, g);
  m["op"].params.insert_or_assign("weight", uniform(g, {8}, -0.5, 0.5));
  for (int64_t i = 27; i < 2 * 27; ++i) m["a"].params.at("weight").mutable_data<float>()[i] *= 50;  // a channel beside the others
  const Tensor x = randn(g, {4, 6, 6, 3});
  const Model equal = equalize(m, {.chains = equalizable(m)});
  CHECK(infer(equal, {&x, 1})[0].shape() == infer(m, {&x, 1})[0].shape());
  CHECK_FALSE(same(equal["a"].params.at("weight"), m["a"].params.at("weight")));  // it did scale
  const Tensor was = infer(m, {&x, 1})[0], is = infer(equal, {&x, 1})[0];
  for (int64_t i = 0; i < was.numel(); ++i) CHECK(is.data<float>()[i] == Approx(was.data<float>()[i]).margin(1e-4));
  Model prepared = prepare(m, {{"", octet_qconfig()}});
  CHECK_FALSE(prepared["op"].hooks.contains("weight"));  // slopes stay floats
  CHECK(prepared["op"].hooks.contains("output"));
  calibrate(prepared, {&x, 1});
  const Model int8 = convert(prepared);
  CHECK(runs_quantized(int8, int8.index("op")));
  CHECK(summarize(int8).weighted == 2);
}
