// SPDX-License-Identifier: Apache-2.0
// What data-free quantization expects of every module's output, against numerical integration and hand-written sums.
#include <cmath>
#include <numbers>

#include "quant/correct_bias.h"
#include "quant/data_free.h"
#include "tests/catch.h"
#include "tests/quant/support.h"

using namespace octet;

namespace {

/// Mean and variance of clamp(x, lo, hi), x normal, by the midpoint rule over 12 deviations.
std::pair<double, double> integrated(double mean, double deviation, double lo, double hi) {
  constexpr int kSteps = 200000;
  double sum = 0, squares = 0, mass = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double z = -12 + 24 * (i + 0.5) / kSteps, w = std::exp(-z * z / 2);
    const double v = std::clamp(mean + deviation * z, lo, hi);
    mass += w, sum += w * v, squares += w * v * v;
  }
  sum /= mass;
  return {sum, squares / mass - sum * sum};
}

}  // namespace

TEST_CASE("mean and variance behind an activation are those of the clipped normal") {
  for (const double mean : {-7.0, -2.0, -0.3, 0.0, 1.5, 5.9, 6.0, 9.0})
    for (const double deviation : {0.05, 0.7, 3.0, 20.0})
      for (const Activation act : {Activation::relu, Activation::relu6}) {
        CAPTURE(mean, deviation, act.hi);
        Model m;
        m.add("x", Input{{1, 2}});
        m.add("act", Unary{act == Activation::relu ? UnaryFn::relu : UnaryFn::relu6});
        const InputPrior prior{.min = -100, .max = 100, .mean = mean, .deviation = deviation};
        const Expected e = expected_outputs(m, {}, prior)[1];
        const auto [first, second] = integrated(mean, deviation, 0, act == Activation::relu ? INFINITY : 6);
        REQUIRE(e.mean.size() == 2);
        for (size_t c = 0; c < 2; ++c) {
          CHECK(e.mean[c] == Approx(first).margin(1e-6));
          CHECK(e.variance[c] == Approx(second).margin(1e-5));
        }
        const double top = act == Activation::relu ? INFINITY : 6;
        CHECK(e.min == Approx(std::clamp(mean - 6 * deviation, 0.0, top)));
        CHECK(e.max == Approx(std::clamp(mean + 6 * deviation, 0.0, top)));
      }
}

TEST_CASE("a layer without batch norm adds up means with its weights, variances with their squares, and its residual") {
  Model m;
  m.add("x", Input{{1, 3}});
  m.add("a", Linear{3, 4});
  m.add("b", Linear{4, 4});
  const int sum = m.add("sum", Binary{}, {2, 1});
  m.add("conv_in", Reshape{{-1, 1, 1, 4}}, {sum});
  m.add("conv", Conv2d{.in = 4, .out = 4, .kernel = {1, 1}});
  Conv2d added{.in = 4, .out = 4, .kernel = {1, 1}};
  added.residual = true;
  m.add("added", added, {5, 4});
  m = drawn(m);
  const InputPrior prior{.min = -9, .max = 9, .mean = 0.4, .deviation = 1.5};
  const std::vector<Expected> e = expected_outputs(m, {}, prior);
  using Moments = std::pair<std::vector<double>, std::vector<double>>;
  const auto layer = [&](const char* path, const Moments& in) {
    const auto w = m[path].params.at("weight").data<float>(), b = m[path].params.at("bias").data<float>();
    Moments out{std::vector<double>(b.size()), std::vector<double>(b.size())};
    for (size_t o = 0; o < b.size(); ++o) {
      out.first[o] = static_cast<double>(b[o]);
      for (size_t i = 0; i < in.first.size(); ++i) {
        const double v = static_cast<double>(w[o * in.first.size() + i]);
        out.first[o] += v * in.first[i], out.second[o] += v * v * in.second[i];
      }
    }
    return out;
  };
  const auto plus = [](Moments a, const Moments& b) {
    for (size_t c = 0; c < a.first.size(); ++c) a.first[c] += b.first[c], a.second[c] += b.second[c];
    return a;
  };
  const auto check_near = [&](int index, const Moments& expected) {
    const Expected& got = e[static_cast<size_t>(index)];
    CAPTURE(m.modules[static_cast<size_t>(index)].path);
    REQUIRE(got.mean.size() == expected.first.size());
    for (size_t c = 0; c < got.mean.size(); ++c) {
      CHECK(got.mean[c] == Approx(expected.first[c]).margin(1e-6));
      CHECK(got.variance[c] == Approx(expected.second[c]).margin(1e-6));
    }
  };
  const Moments in{{0.4, 0.4, 0.4}, {2.25, 2.25, 2.25}}, a = layer("a", in), b = layer("b", a), s = plus(b, a);
  const Moments conv = layer("conv", s), both = plus(layer("added", conv), s);
  check_near(1, a), check_near(2, b), check_near(3, s), check_near(4, s), check_near(5, conv), check_near(6, both);
  double lo = INFINITY, hi = -INFINITY;
  for (size_t c = 0; c < 4; ++c) {
    lo = std::min(lo, both.first[c] - 6 * std::sqrt(both.second[c]));
    hi = std::max(hi, both.first[c] + 6 * std::sqrt(both.second[c]));
  }
  CHECK(e[6].min == Approx(lo).margin(1e-5));
  CHECK(e[6].max == Approx(hi).margin(1e-5));
}

TEST_CASE("channels repeat behind a flattened picture, mean and variance alike") {
  Model m;
  m.add("x", Input{{1, 2, 2, 1}});
  m.add("conv", Conv2d{.in = 1, .out = 3, .kernel = {1, 1}});
  m.add("flat", Reshape{{0, -1}});
  m = drawn(m);
  const std::vector<Expected> e = expected_outputs(m, {}, {.min = 0, .max = 1, .mean = 0.5, .deviation = 0.25});
  REQUIRE(e[2].mean.size() == 12);
  for (size_t c = 0; c < 12; ++c) {
    CHECK(e[2].mean[c] == e[1].mean[c % 3]);
    CHECK(e[2].variance[c] == e[1].variance[c % 3]);
  }
  CHECK(e[1].variance[0] != e[1].variance[1]);
}

TEST_CASE("a concatenation's range is known if every part's is") {
  Model m;
  const int x = m.add("x", Input{{1, 4}});
  const int a = m.add("relu", Unary{UnaryFn::relu}, {x}), b = m.add("bn", BatchNorm{4}, {x});
  m.add("known", Concat{1}, {x, a});
  m.add("first", Concat{1}, {b, a});
  m.add("last", Concat{1}, {a, b});
  m = drawn(m);
  const std::vector<Expected> e = expected_outputs(m, {}, {.min = -2, .max = 3, .mean = 0.5, .deviation = 0.25});
  CHECK(e[1].has_range);
  CHECK_FALSE(e[2].has_range);  // a batch norm that follows no layer
  REQUIRE(e[3].has_range);
  CHECK(e[3].min == -2);
  CHECK(e[3].max == 3);
  CHECK_FALSE(e[4].has_range);
  CHECK_FALSE(e[5].has_range);
}

TEST_CASE("the worst mean error is a share of the output's range where that is known") {
  CHECK(MeanError{"x", {0.5, -1, 0.25}, 4}.worst() == 0.25);
  CHECK(MeanError{"x", {0.5, -1, 0.25}, 0}.worst() == 1);
  CHECK(MeanError{"x", {}, 4}.worst() == 0);
}
