// SPDX-License-Identifier: Apache-2.0
// Equalization of networks with dead and nearly dead channels, and with little but biases: it may not cost what it cannot give
// back.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "numeric_suite/compare.h"
#include "quant/equalize.h"
#include "quant/quantize.h"
#include "tests/catch.h"

using namespace octet;

namespace {

struct Trial {
  Model model;
  Tensor data;
};

void scale_row(Model& m, std::string_view layer, int64_t channel, float by) {
  Tensor& w = m[layer].params["weight"];
  const int64_t row = w.numel() / w.size(0);
  for (float& v : w.mutable_data<float>().subspan(static_cast<size_t>(channel * row), static_cast<size_t>(row))) v *= by;
}

/// Convolution, pointwise, linear. `dead`: a quarter of the channels are scaled by 10^-0 … 10^-44 or are zero. `apart`: the
/// channels between the convolutions are scaled apart by up to three decades, which the pointwise layer makes up for.
Trial trial(uint64_t seed, bool dead, bool apart) {
  Generator g(seed);
  const int64_t c1 = 4 + g.next32() % 12, c2 = 4 + g.next32() % 12;
  const bool bias = g.next32() % 3 != 0;
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("a", Conv2d{.in = 3, .out = c1, .bias = bias, .act = Activation::relu});
  m.add("b", Conv2d{.in = c1, .out = c2, .kernel = {1, 1}, .bias = bias, .act = Activation::relu});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{c2, 6});
  initialize(m, g);
  for (int64_t c = 0; apart && c < c1; ++c) {
    const float f = std::pow(10.0F, 3 * g.uniform() - 1.5F);
    scale_row(m, "a", c, f);
    if (bias) m["a"].params["bias"].mutable_data<float>()[static_cast<size_t>(c)] *= f;
    const auto w = m["b"].params["weight"].mutable_data<float>();
    for (size_t i = static_cast<size_t>(c); i < w.size(); i += static_cast<size_t>(c1)) w[i] /= f;
  }
  for (const auto& [layer, channels] : {std::pair{"a", c1}, {"b", c2}})
    for (int64_t c = 0; dead && c < channels; ++c)
      if (g.next32() % 4 == 0)
        scale_row(m, layer, c, g.next32() % 5 == 0 ? 0 : static_cast<float>(std::pow(10.0, -static_cast<int>(g.next32() % 45))));
  Tensor x = g.next32() % 2 == 0 ? rand(g, {16, 8, 8, 3}) : randn(g, {16, 8, 8, 3});
  return {std::move(m), std::move(x)};
}

Model quantized(const Model& m, const QConfig& qconfig, const Tensor& x) {
  Model p = prepare(m, {{"", qconfig}});
  calibrate(p, {&x, 1});
  Model int8 = convert(p);
  REQUIRE(summarize(int8).int8_kernels == 3);
  return int8;
}

/// Of the pair's second output and of the logits; nothing where an output is all zero.
std::vector<std::optional<double>> sqnr_of(const Model& m, const Model& int8, const Tensor& x) {
  std::vector<std::optional<double>> found;
  for (const OutputComparison& row : compare_outputs(m, int8, {&x, 1}))
    if (row.path == "b" || row.path == "head")
      found.push_back(std::isfinite(row.sqnr_db) ? std::optional(row.sqnr_db) : std::nullopt);
  REQUIRE(found.size() == 2);
  return found;
}

struct Tally {
  int compared = 0, worse = 0, changed = 0, refused = 0;
  double lowest = 0;
  std::vector<double> gains;  ///< of the logits
};

Tally run(uint64_t first, int count, bool dead, bool apart) {
  Tally t;
  for (uint64_t seed = first; seed < first + static_cast<uint64_t>(count); ++seed) {
    const Trial trial_ = trial(seed, dead, apart);
    const Model equal = equalize(trial_.model);
    const Tensor before = infer(trial_.model, {&trial_.data, 1})[0], after = infer(equal, {&trial_.data, 1})[0];
    for (const auto& module : equal.modules)
      for (const auto& [name, tensor] : module.params)
        for (const float v : tensor.data<float>()) REQUIRE(std::isfinite(v));
    REQUIRE(sqnr(before, after) > 100);  // the same function
    const auto old = trial_.model["a"].params.at("weight").data<float>(), now = equal["a"].params.at("weight").data<float>();
    t.changed += std::ranges::equal(old, now) ? 0 : 1;
    for (const QConfig& qconfig : {default_qconfig(), octet_qconfig()}) try {
        const auto without = sqnr_of(trial_.model, quantized(trial_.model, qconfig, trial_.data), trial_.data);
        const auto with = sqnr_of(equal, quantized(equal, qconfig, trial_.data), trial_.data);
        for (size_t i = 0; i < 2; ++i) {
          if (!without[i] || !with[i]) continue;
          ++t.compared;
          const double gain = *with[i] - *without[i];
          t.worse += gain < -0.5 ? 1 : 0;
          t.lowest = std::min(t.lowest, gain);
          if (i == 1) t.gains.push_back(gain);
        }
      } catch (const Error&) {  // a layer of which nothing is left but 1e-38: its scales are refused by name
        ++t.refused;
      }
  }
  return t;
}

}  // namespace

TEST_CASE("dead and nearly dead channels cost equalization nothing") {
  const Tally t = run(1, 200, true, false);
  INFO(t.worse << " of " << t.compared << " worse by more than 0.5 dB, lowest " << t.lowest);
  CHECK(t.compared > 700);
  CHECK(t.worse == 0);
  CHECK(t.refused < 10);
}

TEST_CASE("channels scaled apart are mended, with dead ones among them too") {
  for (const bool dead : {false, true}) {
    Tally t = run(5000, 100, dead, true);
    std::ranges::sort(t.gains);
    INFO("dead " << dead << ": " << t.worse << " of " << t.compared << " worse, lowest " << t.lowest << ", median gain "
                 << t.gains[t.gains.size() / 2]);
    CHECK(t.changed > (dead ? 60 : 90));
    CHECK(t.gains[t.gains.size() / 2] > 6);
  }
}

// ./dev sweep equalize
TEST_CASE("many networks with dead channels", "[.][sweep]") {
  for (const bool apart : {false, true}) {
    Tally t = run(100'000, 2500, true, apart);
    std::ranges::sort(t.gains);
    std::printf("equalize, channels %s: %d comparisons, %d worse by more than 0.5 dB, lowest %.2f, median gain %.2f dB\n",
                apart ? "apart and dead" : "dead", t.compared, t.worse, t.lowest, t.gains[t.gains.size() / 2]);
    if (!apart) CHECK(t.worse == 0);
  }
}

TEST_CASE("a channel that is little but its bias keeps it") {
  Model m;
  m.add("x", Input{{1, 4, 4, 2}});
  m.add("a", Conv2d{.in = 2, .out = 4, .kernel = {1, 1}, .act = Activation::relu});
  m.add("b", Conv2d{.in = 4, .out = 3, .kernel = {1, 1}});
  Generator g(3);
  initialize(m, g);
  for (const float tiny : {5e-9F, 1e-32F}) {
    scale_row(m, "a", 1, 0);
    m["a"].params["weight"].mutable_data<float>()[2] = tiny, m["a"].params["weight"].mutable_data<float>()[3] = -tiny;
    m["a"].params["bias"].mutable_data<float>()[1] = 0.5F;
    const Model pair = equalize(m, {.chains = {{"a", "b"}}});  // asked for, so done
    CHECK(pair["a"].params.at("bias").data<float>()[1] == 0.5F);
    for (const float b : pair["a"].params.at("bias").data<float>()) CHECK(std::abs(b) < 4);
    const Tensor x = rand(g, {8, 4, 4, 2});
    CHECK(sqnr(infer(m, {&x, 1})[0], infer(pair, {&x, 1})[0]) > 100);
    Model p = prepare(pair, {{"", octet_qconfig()}});
    calibrate(p, {&x, 1});
    CHECK(sqnr(infer(pair, {&x, 1})[0], infer(convert(p), {&x, 1})[0]) > 30);
  }
}

TEST_CASE("a function that nobody knows is scaled through by nobody") {
  Model m;
  m.add("x", Input{{1, 4}});
  m.add("a", Linear{4, 4});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("b", Linear{4, 2});
  Generator g(1);
  initialize(m, g);
  REQUIRE(equalizable(m) == Chains{{"a", "b"}});
  m["relu"].op = Unary{static_cast<UnaryFn>(77)};
  CHECK(equalizable(m).empty());
  CHECK_THROWS_WITH(equalize(m, {.chains = {{"a", "b"}}}), Catch::Matchers::Contains("relu (unary)"));
  CHECK(fuse(m, Aim::inference).modules.size() == m.modules.size());
  const Tensor x = Tensor::full({1, 4}, 1);
  CHECK_THROWS_WITH(infer(m, {&x, 1}), Catch::Matchers::Contains("relu: unknown unary function 77"));
  Model sum;
  sum.add("x", Input{{1, 4}});
  sum.add("sum", Binary{}, {0, 0});
  sum["sum"].op = Binary{static_cast<BinaryFn>(99)};
  CHECK_THROWS_WITH(infer(sum, {&x, 1}), Catch::Matchers::Contains("sum: unknown binary function 99"));
}
