// SPDX-License-Identifier: Apache-2.0
// Equalization and absorption change no network's function, whatever stands between two layers: the same network with and without
// an obstacle, so that doing nothing everywhere cannot pass.
#include <algorithm>
#include <cmath>

#include "quant/equalize.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/quant/support.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

/// A network whose layer "a" has channels far apart, and "b" weights that make up for it.
Model unbalanced(Model m) {
  Generator g(3);
  initialize(m, g);
  Tensor& w = m["a"].params.at("weight");
  const auto values = w.mutable_data<float>();
  const size_t row = values.size() / static_cast<size_t>(w.size(0));
  for (size_t i = 0; i < values.size(); ++i) values[i] *= std::pow(4.0F, static_cast<float>(i / row % 4));
  for (float& b : m["a"].params.at("bias").mutable_data<float>()) b *= 0.1F;
  const auto after = m["b"].params.at("weight").mutable_data<float>();
  for (size_t i = 0; i < after.size(); ++i) after[i] /= std::pow(4.0F, static_cast<float>(i % 4));
  return m;
}

double relative_difference(const Model& a, const Model& b, const std::vector<Tensor>& x) {
  const std::vector<Tensor> y = infer(a, x), z = infer(b, x);
  double apart = 0, size = 0;
  REQUIRE(y.size() == z.size());
  for (size_t o = 0; o < y.size(); ++o)
    for (int64_t i = 0; i < y[o].numel(); ++i) {
      const double u = static_cast<double>(y[o].data<float>()[i]), v = static_cast<double>(z[o].data<float>()[i]);
      apart = std::max(apart, std::abs(u - v)), size = std::max(size, std::abs(u));
    }
  return apart / size;
}

bool changed(const Model& a, const Model& b, const char* path) {
  return !std::ranges::equal(a[path].params.at("weight").data<float>(), b[path].params.at("weight").data<float>());
}

constexpr Shape::value_type kSide = 6;

Conv2d conv(bool residual = false) {
  Conv2d c{.in = 4, .out = 4, .padding = pad_all(1)};
  c.residual = residual;
  return c;
}

/// x -> a -> relu -> [between] -> b, and what `more` adds.
template <class More>
Model pair_with(More more) {
  Model m;
  m.add("x", Input{{1, kSide, kSide, 4}});
  m.add("a", conv());
  m.add("relu", Unary{UnaryFn::relu});
  more(m);
  return unbalanced(std::move(m));
}

void check_obstacle(const Model& m, const char* why, bool scaled) {
  Generator g(5);
  std::vector<Tensor> x;
  for (const Module& module : m.modules)
    if (std::holds_alternative<Input>(module.op)) x.push_back(randn(g, module.nominal[0]));
  const Model e = equalize(m);
  CHECK(relative_difference(m, e, x) < 1e-4);
  CHECK(changed(m, e, "a") == scaled);
  if (!scaled) {
    Model copy = m;
    CHECK_THROWS_WITH(cross_layer_equalization(copy, "a", "b"), Contains(why));
    CHECK_THROWS_WITH(equalize(m, {.chains = {{"a", "b"}}}), Contains(why));
  }
}

}  // namespace

TEST_CASE("a pair of layers is scaled, and left alone behind every obstacle that scaling would break") {
  check_obstacle(pair_with([](Model& m) { m.add("b", conv()); }), "", true);
  check_obstacle(pair_with([](Model& m) {
                   m.add("pool", Pool2d{.kind = Pool::max, .kernel = {3, 3}, .stride = {1, 1}, .padding = pad_all(1)});
                   m.add("b", conv());
                 }),
                 "", true);
  check_obstacle(pair_with([](Model& m) {
                   m.add("b", conv());
                   m.add_tied("again", "b");
                 }),
                 "b is called twice", false);
  check_obstacle(pair_with([](Model& m) {
                   m.add("other", Input{{1, kSide, kSide, 4}});
                   m.add("b", conv(), {2});
                   m.add_tied("again", "b", {{3, 0}});
                   m.outputs = {{4, 0}, {5, 0}};
                 }),
                 "b is called twice", false);
  check_obstacle(pair_with([](Model& m) {
                   const Conv2d same = conv(true);
                   m.add("b", same, {2, 2});
                 }),
                 "relu has 2 readers", false);
  check_obstacle(pair_with([](Model& m) {
                   m.add("r", Input{{1, kSide, kSide, 4}});
                   m.add("b", conv(true), {3, 2});
                 }),
                 "b only adds it", false);
  check_obstacle(pair_with([](Model& m) {
                   m.add("r", Input{{1, kSide, kSide, 4}});
                   m.add("b", conv(true), {2, 3});
                 }),
                 "", true);
  check_obstacle(pair_with([](Model& m) {
                   m.add("b", conv());
                   m.outputs = {{2, 0}, {3, 0}};
                 }),
                 "relu has 2 readers", false);
  check_obstacle(pair_with([](Model& m) {
                   m.add("six", Unary{UnaryFn::relu6});
                   m.add("b", conv());
                 }),
                 "six (unary) mixes or cuts channels", false);
  // Channels become parts of others, and a pool averages over those.
  check_obstacle(pair_with([](Model& m) {
                   m.add("torn", Reshape{{0, kSide, -1, 3}});
                   m.add("pool", Pool2d{.kind = Pool::average, .kernel = {1, 2}, .stride = {1, 2}});
                   m.add("rows", Reshape{{0, -1}});
                   m.add("b", Linear{m.modules.back().nominal[0][1], 2});
                 }),
                 "torn (reshape) mixes or cuts channels", false);
}

TEST_CASE("a layer with a residual of its own, a relu6 or a second call starts no pair") {
  const auto first = [](auto more) {
    Model m;
    m.add("x", Input{{1, kSide, kSide, 4}});
    more(m);
    return unbalanced(std::move(m));
  };
  check_obstacle(first([](Model& m) {
                   m.add("r", Input{{1, kSide, kSide, 4}});
                   m.add("a", conv(true), {0, 1});
                   m.add("b", conv());
                 }),
                 "a residual is added to its output", false);
  check_obstacle(first([](Model& m) {
                   Conv2d a = conv();
                   a.act = Activation::relu6;
                   m.add("a", a);
                   m.add("b", conv());
                 }),
                 "relu6 does not scale", false);
  check_obstacle(first([](Model& m) {
                   m.add("again_input", Input{{1, kSide, kSide, 4}});
                   m.add("a", conv(), {0});
                   m.add("b", conv());
                   m.add_tied("again", "a", {{1, 0}});
                   m.outputs = {{3, 0}, {4, 0}};
                 }),
                 "it is called twice", false);
}

TEST_CASE("a high bias is absorbed where nothing is padded between, and stays where the padding would not be shifted") {
  const auto network = [](Pads between, Pool kind, bool pool, Pads second) {
    Model m;
    m.add("x", Input{{1, kSide, kSide, 4}});
    m.add("a", Conv2d{.in = 4, .out = 4, .kernel = {1, 1}, .act = Activation::relu});
    if (pool) m.add("pool", Pool2d{.kind = kind, .kernel = {3, 3}, .stride = {1, 1}, .padding = between, .output = {2, 2}});
    m.add("b", Conv2d{.in = 4, .out = 3, .kernel = {2, 2}, .padding = second});
    Generator g(7);
    initialize(m, g);
    m["a"].params["bias"] = Tensor::full({4}, 20);
    return m;
  };
  struct Row {
    Pads between;
    Pool kind;
    bool pool;
    Pads second;
    int moved;
  };
  const Row rows[] = {{{}, Pool::max, false, {}, 4},
                      {{}, Pool::max, false, {0, 0, 1, 0}, 0},
                      {{}, Pool::max, true, {}, 4},
                      {{}, Pool::average, true, {}, 4},
                      {pad_all(1), Pool::average, true, {}, 0},
                      {{0, 1, 0, 0}, Pool::average, true, {}, 0},
                      {pad_all(1), Pool::max, true, {}, 0},
                      {pad_all(1), Pool::adaptive_average, true, {}, 4}};
  for (const Row& row : rows) {
    CAPTURE(static_cast<int>(row.kind), row.pool, row.between.top, row.between.left, row.second.bottom, row.moved);
    const Model m = network(row.between, row.kind, row.pool, row.second);
    StatisticsByPath s{{"a", {{20, 20, 20, 20}, {0.5, 0.5, 0.5, 0.5}}}};
    int moved = 0;
    const Model absorbed = absorb_bias(m, s, 3, &moved);
    CHECK(moved == row.moved);
    CHECK(s.at("a").mean == std::vector<double>(4, row.moved > 0 ? 1.5 : 20));
    CHECK(absorbed["a"].params.at("bias").data<float>()[0] == (row.moved > 0 ? 1.5F : 20.0F));
    Generator g(8);
    CHECK(relative_difference(m, absorbed, {uniform(g, {1, kSide, kSide, 4}, -0.5, 0.5)}) < 1e-5);
  }
}

TEST_CASE("no bias is absorbed through a function that turns large values into small ones") {
  for (const UnaryFn fn : {UnaryFn::neg, UnaryFn::abs, UnaryFn::leaky_relu})
    for (const bool before : {false, true}) {
      INFO(kEnumNames<UnaryFn>[static_cast<size_t>(fn)] << (before ? " before" : " behind") << " the relu");
      Model m;
      m.add("x", Input{{1, 4}});
      m.add("a", Linear{4, 4});
      if (before) m.add("f", Unary{fn});
      m.add("relu", Unary{UnaryFn::relu});
      if (!before) m.add("f", Unary{fn});
      m.add("b", Linear{4, 3});
      m = drawn(std::move(m), 3);
      m["a"].params["bias"] = Tensor::full({4}, 10);
      StatisticsByPath s{{"a", {{10, 10, 10, 10}, {0.6, 0.6, 0.6, 0.6}}}};
      int moved = 0;
      const Model absorbed = absorb_bias(m, s, 3, &moved);
      CHECK((moved > 0) == (fn != UnaryFn::neg));
      Generator g(8);
      CHECK(relative_difference(m, absorbed, {uniform(g, {16, 4}, -0.5, 0.5)}) < 1e-5);
    }
}

TEST_CASE("a channel whose bias is more than ten times its weights' range is little but its bias, and stays") {
  const Model m = pair_with([](Model& model) { model.add("b", conv()); });
  const std::vector<double> range = channel_ranges(m["a"].params.at("weight"), 0);
  for (const double times : {0.0, 9.5, 10.5, 100.0})
    for (const double sign : {1.0, -1.0}) {
      Model scaled = m;
      scaled["a"].params.at("bias").mutable_data<float>()[3] = static_cast<float>(sign * times * range[3]);
      const std::vector<double> s = cross_layer_equalization(scaled, "a", "b");
      CHECK((s[3] == 1) == (times > 10));
      CHECK(s[2] != 1);
    }
}

TEST_CASE("statistics are scaled with the channels they describe, means and deviations, and stay with a chain that stays") {
  const Model m = pair_with([](Model& model) { model.add("b", conv()); });
  const ChannelStatistics before{{1, 2, 3, 4}, {0.5, 1, 1.5, 2}};
  StatisticsByPath s{{"a", before}};
  const Model e = equalize(m, {.statistics = &s});
  REQUIRE(changed(m, e, "a"));
  for (size_t c = 0; c < 4; ++c) {
    const size_t at = c * 36;  // any weight of the channel
    const double factor = static_cast<double>(m["a"].params.at("weight").data<float>()[at]) /
                          static_cast<double>(e["a"].params.at("weight").data<float>()[at]);
    CHECK(s.at("a").mean[c] == Approx(before.mean[c] / factor).epsilon(1e-5));
    CHECK(s.at("a").deviation[c] == Approx(before.deviation[c] / factor).epsilon(1e-5));
    CHECK(e["a"].params.at("bias").data<float>()[c] ==
          Approx(static_cast<double>(m["a"].params.at("bias").data<float>()[c]) / factor).epsilon(1e-5));
  }
  Model healthy = m;
  Generator g(1);
  initialize(healthy, g);
  StatisticsByPath same{{"a", before}};
  const Model h = equalize(healthy, {.statistics = &same});
  CHECK(!changed(healthy, h, "a"));
  CHECK(same.at("a").mean == before.mean);
  CHECK(same.at("a").deviation == before.deviation);
}
