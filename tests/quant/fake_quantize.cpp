// SPDX-License-Identifier: Apache-2.0
// Fake quantization against PyTorch's recorded values, its straight-through gradient, and equality with real codes.
#include "quant/fake_quantize.h"

#include <algorithm>
#include <cmath>

#include <limits>
#include "engine/loss.h"
#include "engine/model.h"
#include "quant/observers/range.h"
#include "quant/qconfig.h"

#include "tests/catch.h"

using namespace octet;

namespace {

std::vector<float> values(const Tensor& t) { return {t.data<float>().begin(), t.data<float>().end()}; }

/// The gradient that ones at the output give at the input.
std::vector<float> gradient(const Tensor& x, const QParams& q) {
  const Var y = fake_quantize(Var::leaf("x", x), q);
  Var sum = Var::made(Tensor::full({}, 0), {y},
                      [n = x.shape()](const Tensor&, const Needs&) { return std::vector<Tensor>{Tensor::full(n, 1)}; });
  return values(backward(std::move(sum)).at("x"));
}

}  // namespace

TEST_CASE("fake quantization gives PyTorch's values and passes the gradient inside the range only") {
  const Tensor x = Tensor::of<float>({8}, std::vector<float>{-2, -1, -.5F, 0, .26F, .5F, 1, 3});
  const QParams q{{.1F}, {0}, -1, 0, -8, 7};
  const std::vector<float> y = values(fake_quantize(x, q).value()), expected{-.8F, -.8F, -.5F, 0, .3F, .5F, .7F, .7F};
  for (size_t i = 0; i < y.size(); ++i) CHECK(y[i] == Approx(expected[i]).margin(1e-7));
  CHECK(gradient(x, q) == std::vector<float>{0, 0, 1, 1, 1, 1, 0, 0});
}

TEST_CASE("the gradient mask looks at the rounded code") {
  const Tensor x = Tensor::of<float>({4}, std::vector<float>{-12.85F, 12.75F, 12.7499F, 12.7F});
  CHECK(gradient(x, {{.1F}, {0}, -1, 0, -128, 127}) == std::vector<float>{1, 0, 1, 1});
}

TEST_CASE("per-channel fake quantization gives PyTorch's values") {
  const Tensor x = Tensor::of<float>({2, 7}, std::vector<float>{-5, -3.5F, -2, 0, 3, 5, 7, 1, 3, 2, 5, 6.5F, 8, 10});
  PerChannelMinMaxObserver o({.dtype = DType::i8, .scheme = QScheme::per_channel_symmetric});
  o.observe(x, "x");
  CHECK(o.qparams().scale == std::vector<float>{.0549019612F, .0784313753F});
  const std::vector<float> expected{-4.99607849F, -3.51372552F, -1.97647059F, 0,           3.01960778F, 4.99607849F, 6.97254896F,
                                    1.0196079F,   2.98039222F,  2.03921580F,  5.01960802F, 6.50980425F, 8,           9.96078491F};
  const std::vector<float> y = values(fake_quantize(x, o.qparams()).value());
  for (size_t i = 0; i < y.size(); ++i) CHECK(y[i] == Approx(expected[i]).margin(1e-6));
}

TEST_CASE("fake quantization equals quantize then dequantize to the bit") {
  Generator g(6);
  Tensor x = randn(g, {5, 40});
  x.mutable_data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  for (const QParams& q :
       {QParams{{.031F}, {117}, -1, 0, 0, 255}, QParams{{.017F}, {60}, -1, 0, 0, 127}, QParams{{.02F}, {-3}, -1, 0, -128, 127},
        QParams{{.01F, .02F, .03F, .04F, .05F}, {0, 0, 0, 0, 0}, 0, 0, -127, 127}})
    CHECK(values(fake_quantize(x, q).value()) == values(dequantize(quantize(x, q))));
  const Tensor cube = randn(g, {3, 4, 5});  // as many axes as there are ways to mix channels up
  for (int axis = 0; axis < 3; ++axis) {
    QParams q{{}, std::vector<int32_t>(static_cast<size_t>(cube.size(axis))), axis, 0, -127, 127};
    for (int64_t c = 0; c < cube.size(axis); ++c) q.scale.push_back(0.01F * static_cast<float>(c + 1));
    CHECK(values(fake_quantize(cube, q).value()) == values(dequantize(quantize(cube, q))));
  }
}

TEST_CASE("the hook observes, rounds, does both or neither, and moves nothing when peeked at or evaluated") {
  FakeQuantize hook(std::make_unique<MinMaxObserver>(), true, false);
  const Tensor small = Tensor::full({4}, 1), large = Tensor::full({4}, 3.14159);
  CHECK(values(hook(small, Mode::calibrate, "x").value()) == values(small));
  const QParams first = hook.qparams("x");
  hook(large, Mode::eval, "x");
  hook.peek(large, "x");
  CHECK(hook.qparams("x") == first);
  hook(large, Mode::train, "x");
  CHECK_FALSE(hook.qparams("x") == first);
  hook.observe = false;
  hook.round = true;
  CHECK(values(hook(small, Mode::train, "x").value())[0] == Approx(1).margin(0.01));
  CHECK(values(hook(small, Mode::train, "x").value())[0] != 1);
  FakeQuantize unseen(std::make_unique<MinMaxObserver>(), false, true);
  CHECK_THROWS_WITH(unseen(small, Mode::train, "conv1"),
                    Catch::Matchers::Contains("conv1") && Catch::Matchers::Contains("has seen no data"));
}

TEST_CASE("a hook's kind and state make an equal hook") {
  FakeQuantize hook(std::make_unique<MovingAverageMinMaxObserver>(), true, true);
  hook(Tensor::full({4}, 2), Mode::calibrate, "x");
  HookBox box = make_hook(hook.kind());
  box->load(hook.state());
  const FakeQuantize* loaded = fake_quantize_at(box);
  REQUIRE(loaded);
  CHECK(loaded->qparams("x") == hook.qparams("x"));
  CHECK(loaded->observe);
  CHECK(loaded->round);
  CHECK_THROWS_AS(make_hook("mystery:thing"), Error);
  CHECK_THROWS_AS(make_hook("fake_quantize:thing"), Error);
}

TEST_CASE("every preset can be built and has the ranges its name promises") {
  const auto range = [](const std::optional<FakeQuantize>& hook) {
    FakeQuantize h = *hook;
    h.observer().observe(Tensor::full({2, 2}, 1), "x");
    const QParams q = h.qparams("x");
    return std::pair{q.qmin, q.qmax};
  };
  using Range = std::pair<int32_t, int32_t>;
  CHECK(range(default_qconfig().activation) == Range{0, 127});
  CHECK(range(default_per_channel_qconfig().activation) == Range{0, 127});
  CHECK(default_per_channel_qconfig().weight->observer().kind() == "per_channel_min_max");
  for (const char* name : {"fbgemm", "x86"}) CHECK(range(get_default_qconfig(name).activation) == Range{0, 127});
  for (const char* name : {"qnnpack", "onednn"}) CHECK(range(get_default_qconfig(name).activation) == Range{0, 255});
  CHECK(get_default_qconfig("qnnpack").weight->observer().kind() == "min_max");
  CHECK(get_default_qconfig("x86").activation->observer().kind() == "histogram");
  CHECK(range(default_symmetric_qnnpack_qconfig().activation) == Range{-128, 127});
  CHECK(range(default_symmetric_qnnpack_qconfig().weight) == Range{-127, 127});
  CHECK(range(default_per_channel_symmetric_qnnpack_qconfig().weight) == Range{-127, 127});
  CHECK(range(default_qat_qconfig().activation) == Range{0, 127});
  CHECK(range(default_qat_qconfig().weight) == Range{-128, 127});
  CHECK(range(default_qat_qconfig_v2().activation) == Range{0, 255});
  CHECK_FALSE(default_weight_only_qconfig().activation);
  CHECK_FALSE(default_activation_only_qconfig().weight);
  CHECK(range(get_default_qat_qconfig("x86").activation) == Range{0, 127});
  CHECK(range(get_default_qat_qconfig("onednn", 0).activation) == Range{0, 255});
  CHECK(range(default_symmetric_qnnpack_qat_qconfig().weight) == Range{-127, 127});
  CHECK(range(default_per_channel_symmetric_qnnpack_qat_qconfig().activation) == Range{-128, 127});
  CHECK(range(octet_qconfig().activation) == Range{0, 255});
  CHECK(range(octet_qat_qconfig().weight) == Range{-128, 127});
  CHECK(default_per_channel_symmetric_qnnpack_qat_qconfig().weight->observer().kind() == "moving_average_per_channel_min_max");
  CHECK(default_qat_qconfig().weight->round);
  CHECK_FALSE(default_qconfig().weight->round);
  CHECK_THROWS_AS(get_default_qconfig("tpu"), Error);
  CHECK_THROWS_AS(get_default_qat_qconfig("x86", 2), Error);
}
