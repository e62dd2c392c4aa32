// SPDX-License-Identifier: Apache-2.0
// The generator and default initialisation against PyTorch's printed values, to the bit.
#include "engine/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "engine/model.h"
#include "tests/catch.h"
#include "tests/numerics/reference_models.h"

using namespace octet;

namespace {

std::vector<float> first(const Tensor& t, size_t n) {
  return {t.data<float>().begin(), t.data<float>().begin() + static_cast<ptrdiff_t>(n)};
}

double sum(const Tensor& t) { return std::accumulate(t.data<float>().begin(), t.data<float>().end(), 0.0); }

}  // namespace

TEST_CASE("the generator is the standard mt19937") {
  Generator g(5489);
  std::mt19937 standard;
  for (int i = 0; i < 2000; ++i) REQUIRE(g.next32() == standard());
}

TEST_CASE("only the low 32 bits of a seed count") {
  Generator a((uint64_t{1} << 40) + 5), b(5);
  for (int i = 0; i < 10; ++i) CHECK(a.next32() == b.next32());
}

TEST_CASE("rand gives PyTorch's values") {
  Generator zero(0), answer(42), prime(67);
  CHECK(first(rand(zero, {4}), 4) ==
        std::vector<float>{0.49625658988952637F, 0.7682217955589294F, 0.08847743272781372F, 0.13203048706054688F});
  CHECK(first(rand(answer, {4}), 4) ==
        std::vector<float>{0.8822692632675171F, 0.9150039553642273F, 0.38286375999450684F, 0.9593056440353394F});
  CHECK(first(rand(prime, {4}), 4) ==
        std::vector<float>{0.7379648089408875F, 0.3645508885383606F, 0.8672910928726196F, 0.5463526844978333F});
}

TEST_CASE("randint gives PyTorch's values and draws once even for one possible value") {
  Generator g(9);
  std::vector<int64_t> values;
  for (int i = 0; i < 8; ++i) values.push_back(g.integer(0, 10));
  CHECK(values == std::vector<int64_t>{0, 8, 4, 7, 2, 8, 7, 8});
  Generator a(1), b(1);
  CHECK(a.integer(3, 4) == 3);
  b.next32();
  CHECK(a.next32() == b.next32());
}

TEST_CASE("linear layers start as in PyTorch") {
  Generator g(3);
  Params params;
  Linear{12, 6}.init(params, g);
  CHECK(first(params.at("weight"), 3) == std::vector<float>{-0.28621357679367065F, -0.22772462666034698F, -0.1236438974738121F});
  CHECK(first(params.at("bias"), 3) == std::vector<float>{-0.13094884157180786F, 0.0043047950603067875F, 0.17738251388072968F});
}

TEST_CASE("ModelMultipleOps and its data start as in PyTorch") {
  Generator g(42);
  Model model = reference::multiple_ops();
  initialize(model, g);
  CHECK(first(model["conv1"].params.at("weight"), 9) ==
        std::vector<float>{0.4414065182209015F, 0.47920528054237366F, -0.1352572739124298F, 0.5303604602813721F,
                           -0.1264995038509369F, 0.11650390923023224F, -0.28108587861061096F, 0.3390677869319916F,
                           0.5089590549468994F});
  CHECK(first(model["conv2"].params.at("weight"), 9) ==
        std::vector<float>{-0.42356041073799133F, 0.5018306374549866F, 0.10805647075176239F, 0.42655149102211F, 0.078190878033638F,
                           0.27839142084121704F, -0.08151666074991226F, 0.44507113099098206F, 0.08533751219511032F});
  CHECK(first(model["fc"].params.at("weight"), 12) ==
        std::vector<float>{-0.13476507365703583F, 0.07358280569314957F, -0.13300320506095886F, -0.03385375440120697F,
                           -0.1172478049993515F, 0.19149869680404663F, -0.22787153720855713F, -0.13308222591876984F,
                           -0.08151456713676453F, -0.17357240617275238F, 0.027246059849858284F, -0.2851184010505676F});
  CHECK(first(model["fc"].params.at("bias"), 6) == std::vector<float>{0.06102810055017471F, -0.07360024750232697F,
                                                                      0.1720704287290573F, 0.196244016289711F,
                                                                      -0.20933951437473297F, -0.1541144698858261F});
  const Tensor calibration = rand(g, {1024, 3, 15, 15});
  CHECK(first(calibration, 4) ==
        std::vector<float>{0.9578309655189514F, 0.3312837481498718F, 0.3227418065071106F, 0.016202688217163086F});
  CHECK(calibration.data<float>()[691198] == 0.4673317074775696F);
  CHECK(calibration.data<float>()[691199] == 0.30614155530929565F);
  CHECK(sum(calibration) == Approx(345524.0894907117).epsilon(1e-13));
  const Tensor evaluation = rand(g, {1, 3, 15, 15});
  CHECK(first(evaluation, 4) ==
        std::vector<float>{0.774333655834198F, 0.3812748193740845F, 0.08143758773803711F, 0.2946324348449707F});
  CHECK(sum(evaluation) == Approx(330.8083425164223).epsilon(1e-13));
}

TEST_CASE("convolution weights are drawn in channel-first order and stored channel-last") {
  Generator a(8), b(8);
  Params params;
  Conv2d{.in = 2, .out = 3, .kernel = {2, 3}}.init(params, a);
  const Tensor weight = nchw_from_nhwc(params.at("weight"));
  const double bound = std::sqrt(3.0) * (std::sqrt(2.0 / (1 + std::pow(std::sqrt(5.0), 2))) / std::sqrt(12.0));
  const Tensor drawn = uniform(b, {3, 2, 2, 3}, -bound, bound);
  CHECK(std::ranges::equal(weight.data<float>(), drawn.data<float>()));
}

TEST_CASE("randn of few values pairs Box-Muller draws and keeps the second for the next call") {
  Generator a(0), b(0);
  const Tensor three = randn(a, {3}), one = randn(a, {1});
  const Tensor four = randn(b, {4});
  CHECK(first(three, 3) == first(four, 3));
  CHECK(one.data<float>()[0] == four.data<float>()[3]);
}

TEST_CASE("randn of many values has unit moments and redraws an incomplete last block") {
  Generator g(1);
  const Tensor t = randn(g, {100003});
  double mean = 0, square = 0;
  for (const float v : t.data<float>()) mean += v, square += v * v;
  CHECK(std::abs(mean / 100003) < 0.02);
  CHECK(std::abs(square / 100003 - 1) < 0.02);
  Generator h(1);
  h.skip(100003 + 16);
  CHECK(g.next32() == h.next32());
}

TEST_CASE("permutations are torch.randperm's") {
  // torch.manual_seed(s); torch.randperm(n), PyTorch 2.8
  const auto of = [](uint64_t seed, int64_t n) {
    Generator g(seed);
    return permutation(g, n);
  };
  CHECK(of(0, 7) == std::vector<int64_t>{4, 0, 5, 3, 2, 6, 1});
  CHECK(of(0, 10) == std::vector<int64_t>{4, 1, 7, 5, 3, 9, 0, 8, 6, 2});
  Generator g(123);
  CHECK(permutation(g, 12) == std::vector<int64_t>{10, 4, 1, 3, 8, 2, 6, 9, 11, 0, 5, 7});
  CHECK(g.uniform() == 0.6871066689491272F);  // as many draws as PyTorch's
  CHECK(of(1, 0).empty());
  CHECK(of(1, 1) == std::vector<int64_t>{0});
}

TEST_CASE("a permutation holds every index once and repeats for its seed") {
  Generator a(5), b(5);
  std::vector<int64_t> p = permutation(a, 1000);
  CHECK(p == permutation(b, 1000));
  CHECK_FALSE(std::ranges::is_sorted(p));
  std::ranges::sort(p);
  for (int64_t i = 0; i < 1000; ++i) REQUIRE(p[i] == i);
}
