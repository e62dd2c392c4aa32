// SPDX-License-Identifier: Apache-2.0
// PRelu: values, codes of every channel in every rounding and on every engine, and a device; its derivative in gradients.cpp.
#include <cmath>

#include "compile/program.h"
#include "quant/equalize.h"
#include "quant/quantize.h"
#include "tests/engine/operators.h"
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

TEST_CASE("codes of a prelu are the nearest to its value, for every code of every channel") {
  const std::vector<float> slopes{0.25F, -0.5F, 0, 1.5F, 0.01F};
  int64_t compared = 0;
  for (const Rounding rounding : kRoundings)
    for (const bool i8 : {false, true}) {
      Model m = with_slopes(network_of({PRelu{5}, {{256, 5}}}), slopes);
      m.rounding = rounding;
      const int32_t low = i8 ? -128 : 0;
      const QParams qx{{0.05F}, {low + 100}, -1, 0, low, low + 255}, qy{{0.06F}, {low + 90}, -1, 0, low, low + 255};
      m["x0"].out_q = {qx}, m["op"].out_q = {qy};
      REQUIRE(runs_quantized(m, 1));
      Tensor x(Shape{256, 5}, i8 ? DType::i8 : DType::u8);
      for (int64_t i = 0; i < x.numel(); ++i) static_cast<uint8_t*>(x.mutable_raw())[i] = static_cast<uint8_t>(i / 5 + low);
      const Tensor got = infer(m, {{x.with(qx)}})[0];
      for (int64_t i = 0; i < got.numel(); ++i) {
        const float real = qx.scale[0] * static_cast<float>(i / 5 - 100);
        const double value = static_cast<double>(real) * (real > 0 ? 1.0 : static_cast<double>(slopes[static_cast<size_t>(i % 5)]));
        const double want = std::clamp<double>(value / static_cast<double>(qy.scale[0]) + qy.zero_point[0], qy.qmin, qy.qmax);
        const int code = i8 ? got.data<int8_t>()[i] : got.data<uint8_t>()[i];
        if (std::abs(code - want) > 0.5002) {
          CAPTURE(to_string(rounding), i8, i, want);
          REQUIRE(code == want);
        }
        ++compared;
      }
      for (const QEngineInfo& info : qengines()) {
        if (!info.available) continue;
        const Tensor codes = x.with(qx);
        CHECK(same(Session(Program::bind(m, info.engine), {x.shape()}, 2).run({&codes, 1})[0], got));
      }
    }
  CHECK(compared == 4 * 2 * 256 * 5);
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
