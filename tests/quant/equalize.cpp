// SPDX-License-Identifier: Apache-2.0
// Cross-layer equalization with PyTorch's tests and values, what it leaves alone, bias absorption, and data-free quantization.
#include "quant/equalize.h"

#include <algorithm>
#include <cmath>

#include "compile/program.h"
#include "numeric_suite/compare.h"
#include "quant/correct_bias.h"
#include "quant/data_free.h"
#include "tests/catch.h"

using namespace octet;

namespace {

constexpr double kPrinted = 2e-7;  // ranges are printed with ten digits, computed in float32

Model chain(const std::vector<Op>& layers, Shape input, uint64_t seed) {
  Model m;
  m.add("x", Input{std::move(input)});
  for (size_t i = 0; i < layers.size(); ++i) m.add("layer" + std::to_string(i + 1), layers[i]);
  Generator g(seed);
  initialize(m, g);
  return m;
}

Tensor run(const Model& m, const Tensor& x) { return dequantize(infer(m, {&x, 1})[0]); }

double largest_difference(const Tensor& a, const Tensor& b) {
  double worst = 0;
  for (size_t i = 0; i < a.data<float>().size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i])));
  return worst;
}

void check_ranges(const std::vector<double>& got, const std::vector<double>& expected, double margin = kPrinted) {
  REQUIRE(got.size() == expected.size());
  for (size_t c = 0; c < got.size(); ++c) CHECK(got[c] == Approx(expected[c]).margin(margin));
}

/// conv-bn-relu6 or -relu, depthwise-bn-relu, pointwise-bn, addition, head: trained-like statistics.
Model batch_norm_network(UnaryFn fn) {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  const auto norm = [&](const std::string& path, Conv2d conv) {
    conv.bias = false;
    m.add(path, conv);
    return m.add(path + ".bn", BatchNorm{conv.out});
  };
  norm("stem", {.in = 3, .out = 16, .padding = pad_all(1)});
  m.add("stem.relu", Unary{fn});
  norm("dw", {.in = 16, .out = 16, .padding = pad_all(1), .groups = 16});
  m.add("dw.relu", Unary{UnaryFn::relu});
  norm("pw", {.in = 16, .out = 24, .kernel = {1, 1}});
  m.add("pw.relu", Unary{UnaryFn::relu});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{24, 6});
  Generator g(11);
  initialize(m, g);
  // Running statistics as training would leave them: those of the data.
  for (int pass = 0; pass < 200; ++pass) {
    const Tensor x = randn(g, {16, 8, 8, 3});
    forward(m, {&x, 1}, Mode::train);
  }
  return m;
}

Model spoiled(Model m) {
  Generator g(5);
  for (const auto& [bn, reader] : {std::pair{"stem.bn", "dw"}, {"dw.bn", "pw"}}) {
    const auto weight = m[reader].params.at("weight").mutable_data<float>();
    for (int64_t c = 0; c < 16; ++c) {
      const float f = std::pow(10.0F, 3 * g.uniform() - 1.5F);
      m[bn].params.at("weight").mutable_data<float>()[c] *= f;
      m[bn].params.at("bias").mutable_data<float>()[c] *= f;
      if (std::string_view(reader) == "dw")
        for (int64_t t = 0; t < 9; ++t) weight[c * 9 + t] /= f;
      else
        for (size_t i = c; i < weight.size(); i += 16) weight[i] /= f;
    }
  }
  return m;
}

}  // namespace

TEST_CASE("Equalizing PyTorch's linear chain takes twelve sweeps to its ranges") {
  const Model m = chain({Linear{3, 4}, Linear{4, 5}, Linear{5, 6}}, {20, 3}, 0);
  check_ranges(channel_ranges(m["layer1"].params.at("weight"), 0), {.7849011421, .5797153115, .5090113282, .3272569180});
  check_ranges(channel_ranges(m["layer2"].params.at("weight"), 1), {.5217574239, .6453604102, .8020583391, .9002808929});
  int sweeps = 0;
  const Model e = equalize(m, {.chains = {{"layer1", "layer2"}, {"layer2", "layer3"}}, .threshold = 1e-6, .sweeps = &sweeps});
  CHECK(sweeps == 12);
  const std::vector<double> expected{.8849903345, .7860733867, .8289813995, .7301419377};
  check_ranges(channel_ranges(e["layer1"].params.at("weight"), 0), expected);
  check_ranges(channel_ranges(e["layer2"].params.at("weight"), 1), expected);
  Generator g(1);
  const Tensor x = randn(g, {20, 3});
  CHECK(largest_difference(run(m, x), run(e, x)) < 1e-6);
  REQUIRE(equalizable(m) == Chains{{"layer1", "layer2", "layer3"}});  // finds them itself, as one run
  const Model found = equalize(m, {.chains = equalizable(m), .threshold = 1e-6});
  check_ranges(channel_ranges(found["layer1"].params.at("weight"), 0), expected);
}

TEST_CASE("One step makes the ranges of a pair of layers equal") {
  // A linear layer cannot follow a picture directly, so PyTorch's Conv2d(3,4,2) and Linear(4,4) meet in a 1x1 picture.
  Model m = chain({Conv2d{.in = 3, .out = 4, .kernel = {2, 2}}, Reshape{{0, -1}}, Linear{4, 4}}, {1, 2, 2, 3}, 3);
  const PairRanges before = pair_ranges(m, "layer1", "layer3");
  cross_layer_equalization(m, "layer1", "layer3");
  const PairRanges after = pair_ranges(m, "layer1", "layer3");
  for (size_t c = 0; c < 4; ++c) {
    CHECK(before.first[c] != Approx(before.second[c]));
    CHECK(after.first[c] == Approx(after.second[c]).epsilon(1e-5));
    CHECK(after.first[c] == Approx(std::sqrt(before.first[c] * before.second[c])).epsilon(1e-5));
  }
}

TEST_CASE("Weights of ones and zeros have converged when they are the same") {
  Model a = chain({Linear{3, 4}, Linear{4, 5}}, {1, 3}, 0), b = a;
  a["layer1"].params.at("weight") = Tensor::full({4, 3}, 1.0);
  b["layer1"].params.at("weight") = Tensor::zeros({4, 3});
  const std::vector<std::string> layers{"layer1", "layer2"};
  CHECK(converged(a, a, layers, 1e-6));
  CHECK(!converged(a, b, layers, 1e-6));
}

TEST_CASE("Convolutions and linear layers with relu keep their function and get equal ranges") {
  const Conv2d conv{.in = 3, .out = 3, .kernel = {1, 1}, .act = Activation::relu};
  Generator g(2);
  for (const auto& [layers, input] : {std::pair{std::vector<Op>{conv, conv, conv}, Shape{3, 1, 1, 3}},
                                      {std::vector<Op>{Linear{3, 4, true, Activation::relu}, Linear{4, 5, true, Activation::relu},
                                                       Linear{5, 6, true, Activation::relu}},
                                       Shape{20, 3}}}) {
    const Model m = chain(layers, input, 1), e = equalize(m, {.chains = {{"layer1", "layer2", "layer3"}}, .threshold = 1e-6});
    const Tensor x = randn(g, input);
    CHECK(largest_difference(run(m, x), run(e, x)) < 1e-6);
    CHECK(largest_difference(m["layer1"].params.at("weight"), e["layer1"].params.at("weight")) > 1e-3);  // it did change
    for (const auto& [first, second] : {std::pair{"layer1", "layer2"}, {"layer2", "layer3"}}) {
      const PairRanges r = pair_ranges(e, first, second);
      for (size_t c = 0; c < r.first.size(); ++c) CHECK(r.first[c] == Approx(r.second[c]).epsilon(1e-4));
    }
  }
}

TEST_CASE("Depthwise, grouped, pooled and flattened pairs keep their function; residuals, relu6 and ties are left alone") {
  Model m;
  m.add("x", Input{{2, 8, 8, 4}});
  m.add("a", Conv2d{.in = 4, .out = 8, .padding = pad_all(1), .act = Activation::relu});
  m.add("b", Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .groups = 8, .act = Activation::relu});
  const int c = m.add("c", Conv2d{.in = 8, .out = 8, .kernel = {1, 1}, .groups = 2, .act = Activation::relu});
  m.add("pool", Pool2d{.kind = Pool::max});
  const int d = m.add("d", Conv2d{.in = 8, .out = 8, .padding = pad_all(1)});
  m.add("sum", Binary{BinaryFn::add}, {d, c + 1});
  m.add("e", Conv2d{.in = 8, .out = 6, .kernel = {1, 1}, .act = Activation::relu6});
  m.add("f", Conv2d{.in = 6, .out = 6, .kernel = {1, 1}, .act = Activation::relu});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{96, 3});
  Generator g(9);
  initialize(m, g);
  const Chains chains = equalizable(m);
  REQUIRE(chains == Chains{{"a", "b", "c"}, {"f", "head"}});
  const Model e = equalize(m, {.chains = chains});
  const Tensor x = randn(g, {2, 8, 8, 4});
  CHECK(largest_difference(run(m, x), run(e, x)) < 1e-5);
  CHECK(largest_difference(m["head"].params.at("weight"), e["head"].params.at("weight")) > 1e-3);
  CHECK(largest_difference(m["d"].params.at("weight"), e["d"].params.at("weight")) == 0);
  CHECK_THROWS_WITH(equalize(m, {.chains = {{"e", "f"}}}), Catch::Matchers::Contains("relu6 does not scale"));
  CHECK_THROWS_WITH(equalize(m, {.chains = {{"d", "e"}}}), Catch::Matchers::Contains("sum (binary) mixes or cuts channels"));
  CHECK_THROWS_WITH(equalize(m, {.chains = {{"a"}}}), "equalize: a chain needs two layers or more, got 1");
  CHECK_THROWS_WITH(equalize(m, {.chains = {{"a", "c"}}}), Catch::Matchers::Contains("c does not directly follow a"));
  CHECK(equalizable(m, Relu6::relu) == Chains{{"a", "b", "c"}, {"e", "f", "head"}});
  const Model replaced = equalize(m, {.relu6 = Relu6::relu});
  CHECK(std::get<Conv2d>(replaced["e"].op).act == Activation::relu);
  CHECK(largest_difference(run(m, x), run(replaced, x)) < 1e-5);  // nothing here reaches 6
  // A limit of another network's own is no relu6.
  Model limited;
  limited.add("x", Input{{1, 4}});
  limited.add("a", Linear{.in = 4, .out = 4, .act = {0, 1}});
  limited.add("b", Linear{4, 4});
  limited.add("clip", Unary{UnaryFn::clip, 0, 1});
  limited.add("c", Linear{4, 4});
  initialize(limited, g);
  CHECK(equalizable(limited, Relu6::relu).empty());
  const Model kept = equalize(limited, {.relu6 = Relu6::relu});
  CHECK(std::get<Linear>(kept["a"].op).act == Activation{0, 1});
  CHECK(kept["clip"].op == limited["clip"].op);

  Model tied;
  tied.add("x", Input{{1, 4}});
  tied.add("a", Linear{4, 4});
  tied.add_tied("again", "a");
  tied.add("b", Linear{4, 4});
  CHECK(equalizable(tied).empty());
}

TEST_CASE("A channel without weights stays finite") {
  Model m = chain({Linear{3, 4}, Linear{4, 5}}, {2, 3}, 0);
  for (int i = 0; i < 3; ++i) m["layer1"].params.at("weight").mutable_data<float>()[3 + i] = 0;
  const Model e = equalize(m, {.chains = equalizable(m)});
  const Tensor x = Tensor::full({2, 3}, 0.5);
  CHECK(largest_difference(run(m, x), run(e, x)) < 1e-6);
  for (const float w : e["layer2"].params.at("weight").data<float>()) CHECK(std::isfinite(w));
}

TEST_CASE("Absorbing high biases keeps the function where values stay above them") {
  Model m = chain({Linear{3, 4, true, Activation::relu}, Linear{4, 2}}, {64, 3}, 4);
  m["layer1"].params.at("bias") = Tensor::of<float>({4}, std::vector<float>{10, 0, 6, -1});
  StatisticsByPath statistics{{"layer1", {{10, 0, 6, -1}, {1, 1, 1, 1}}}};
  int moved = 0;
  const Model a = absorb_bias(m, statistics, 3, &moved);
  CHECK(moved == 2);
  CHECK(a["layer1"].params.at("bias").data<float>()[0] == Approx(3));
  CHECK(a["layer1"].params.at("bias").data<float>()[1] == 0);
  CHECK(statistics.at("layer1").mean == std::vector<double>{3, 0, 3, -1});
  Generator g(6);
  const Tensor x = rand(g, {64, 3});
  CHECK(largest_difference(run(m, x), run(a, x)) < 1e-5);
  CHECK(a["layer2"].params.at("bias").data<float>()[0] != m["layer2"].params.at("bias").data<float>()[0]);
}

TEST_CASE("Expected outputs are those of the data the batch norms saw") {
  const Model m = batch_norm_network(UnaryFn::relu);
  StatisticsByPath statistics = batch_norm_statistics(m);
  REQUIRE(statistics.size() == 3);
  const Model fused = fuse(m, Aim::inference);
  const auto expected = expected_outputs(fused, statistics, {-4, 4, 0.0, 1.0});
  Generator g(8);
  const Tensor x = randn(g, {256, 8, 8, 3});
  infer(fused, {&x, 1}, [&](int index, std::span<const Tensor> out) {
    const Module& module = fused.modules[index];
    if (module.path != "stem" && module.path != "pw") return;
    Statistics s;
    s.add(Tensor::zeros(out[0].shape()), out[0], module.path);
    const Metrics measured = s.metrics();
    for (size_t c = 0; c < expected[index].mean.size(); ++c)
      CHECK(expected[index].mean[c] == Approx(measured.mean_error[c]).margin(0.08));
  });
}

TEST_CASE("Data-free quantization mends a network whose channels were scaled apart") {
  const Model m = spoiled(batch_norm_network(UnaryFn::relu));
  Generator g(8);
  const Tensor x = randn(g, {64, 8, 8, 3});
  const Tensor reference = run(m, x);
  const InputPrior prior{-4, 4, 0.0, 1.0};
  const DataFree bare = data_free(m, {.input = prior, .equalize = false, .absorb = false, .correct = false});
  const DataFree mended = data_free(m, {.input = prior});
  const double before = sqnr(reference, run(bare.quantized, x)), after = sqnr(reference, run(mended.quantized, x));
  INFO("before " << before << " dB, after " << after);
  CHECK(before < 10);
  CHECK(after > before + 15);
  CHECK(sqnr(reference, run(mended.reference, x)) > 60);  // equalized and absorbed, still the same function
  const DataFree uncorrected = data_free(m, {.input = prior, .correct = false});
  double worst = 0, corrected = 0;
  for (const MeanError& e : own_mean_errors(uncorrected.reference, uncorrected.quantized, {&x, 1}))
    worst = std::max(worst, e.worst());
  for (const MeanError& e : own_mean_errors(mended.reference, mended.quantized, {&x, 1}))
    corrected = std::max(corrected, e.worst());
  INFO("worst own mean error " << worst << ", corrected " << corrected);
  CHECK(corrected < worst / 2);
}

TEST_CASE("Data-free quantization says by name what it cannot know") {
  Model m = chain({Linear{3, 4}, Linear{4, 5}}, {2, 3}, 0);
  CHECK_THROWS_WITH(data_free(m), Catch::Matchers::Contains("no batch norm"));
  const Model known = batch_norm_network(UnaryFn::relu6);
  const DataFree unknown_input = data_free(known, {.input = {-4, 4, {}, {}}});
  CHECK(std::ranges::count(unknown_input.notes, "stem: bias not corrected, the input's mean and deviation are not given") == 1);
  CHECK_THROWS_WITH(data_free(known, {.input = {1, 1, {}, {}}}), Catch::Matchers::Contains("is empty"));
}
