// SPDX-License-Identifier: Apache-2.0
// PyTorch's bias-correction tests as they were intended: the bias of the quantized model really is wrong before it is corrected.
#include "quant/correct_bias.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>

#include "compile/program.h"
#include "io/model_file.h"
#include "numeric_suite/compare.h"
#include "quant/data_free.h"
#include "quant/mean_error.h"
#include "tests/catch.h"
#include "tests/io/temp_dir.h"
#include "tests/quant/bias_chains.h"

using namespace octet;
using namespace octet::bias_test;

namespace {

constexpr double kDbTolerance = 0.02;   // expected values are printed with two digits
constexpr double kOwnMeanError = 1e-6;  // of the layer's range
constexpr float kInjected = 1.1F;

Tensor output(const Model& model, const std::vector<Tensor>& data, QEngine engine) {
  const auto program = Program::bind(model, engine);
  std::vector<Tensor> parts;
  Session session(program, {data[0].shape()});
  for (const Tensor& x : data) parts.push_back(dequantize(session.run({&x, 1})[0]));
  return concat(parts, 0);
}

double worst_mean_error(const Model& reference, const Model& quantized, const std::vector<Tensor>& data, QEngine engine) {
  double worst = 0;
  for (const MeanError& e : own_mean_errors(reference, quantized, data, engine)) worst = std::max(worst, e.worst());
  return worst;
}

/// Largest mean error of an output channel, of the output's range.
double end_to_end(const Tensor& reference, const Tensor& test) {
  Statistics s;
  s.add(reference, test, "output");
  const Metrics m = s.metrics();
  double worst = 0;
  for (const double e : m.mean_error) worst = std::max(worst, std::abs(e));
  return worst / (m.reference_max - m.reference_min);
}

Model post_training(const Chain& chain) {
  Model prepared = prepare(chain.model, {{"", default_qconfig()}});
  calibrate(prepared, chain.data);
  return convert(prepared);
}

Model injected(Model int8) {
  for (Module& module : int8.modules)
    if (const auto bias = module.params.find("bias"); bias != module.params.end())
      for (float& b : bias->second.mutable_data<float>()) b *= kInjected;
  return int8;
}

std::vector<double> bias_sqnr(const Model& a, const Model& b) {
  std::vector<double> db;
  for (const Module& module : a.modules)
    if (module.params.contains("bias")) db.push_back(sqnr(module.params.at("bias"), b[module.path].params.at("bias")));
  return db;
}

struct ChainFigures {
  double before, injected, corrected;
  std::vector<double> bias;
  bool bias_required;
};

void check_chain(const std::string& name, const Chain& chain, const ChainFigures& expected) {
  const Model int8 = post_training(chain), wrong = injected(int8);
  const Tensor reference = output(chain.model, chain.data, QEngine::automatic);
  std::vector<Tensor> corrected_bytes;
  for (const QEngineInfo& info : qengines()) {
    if (!info.available) {
      std::cout << name << ": engine " << to_string(info.engine) << " is not available: " << info.why_not << '\n';
      continue;
    }
    const QEngine engine = info.engine;
    INFO(name << " on " << to_string(engine));
    const double before = sqnr(reference, output(int8, chain.data, engine));
    const double after_injection = sqnr(reference, output(wrong, chain.data, engine));
    REQUIRE(after_injection < 30);  // the model really changed
    const Model mended = correct_bias(chain.model, wrong, chain.data, {.engine = engine});
    const Tensor y = output(mended, chain.data, engine);
    const double corrected = sqnr(reference, y);
    const std::vector<double> bias = bias_sqnr(chain.model, mended);
    const double own = worst_mean_error(chain.model, mended, chain.data, engine);
    std::cout << std::fixed << std::setprecision(2) << name << ' ' << std::setw(9) << to_string(engine) << ": output SQNR "
              << before << " dB, biases x1.1 " << after_injection << ", corrected " << corrected << "; bias SQNR";
    for (const double db : bias) std::cout << ' ' << db;
    std::cout << std::scientific << "; own mean error " << worst_mean_error(chain.model, wrong, chain.data, engine) << " -> " << own
              << " of the range; end to end " << end_to_end(reference, y) << std::fixed << '\n';
    CHECK(before == Approx(expected.before).margin(kDbTolerance));
    CHECK(after_injection == Approx(expected.injected).margin(kDbTolerance));
    CHECK(corrected == Approx(expected.corrected).margin(kDbTolerance));
    CHECK(corrected >= before);
    CHECK(own < kOwnMeanError);
    for (size_t i = 0; i < bias.size(); ++i) {
      CHECK(bias[i] == Approx(expected.bias[i]).margin(0.06));
      if (expected.bias_required) CHECK(bias[i] > 30);
    }
    corrected_bytes.push_back(y);
  }
  REQUIRE(!corrected_bytes.empty());
  for (const Tensor& y : corrected_bytes) CHECK(std::ranges::equal(y.data<float>(), corrected_bytes[0].data<float>()));
}

}  // namespace

TEST_CASE("B1: a linear chain with biases really multiplied by 1.1 is corrected on every engine") {
  check_chain("B1 linear chain", linear_chain(), {41.32, 19.80, 41.42, {48.1, 56.4, 58.2}, true});
}

TEST_CASE("B2: a convolution chain with biases really multiplied by 1.1 is corrected on every engine") {
  check_chain("B2 conv chain", conv_chain(), {33.74, 26.55, 34.04, {30.0, 45.0, 42.0}, false});
}

TEST_CASE("Upstream's variant, which multiplies no bias, stays close to the float biases") {
  const Chain chain = linear_chain();
  const Model corrected = correct_bias(chain.model, post_training(chain), chain.data);
  const std::vector<double> upstream{47.2, 56.7, 58.6};  // qnnpack 47.25, 56.73, 58.88; onednn 47.16, 56.76, 58.39
  const std::vector<double> db = bias_sqnr(chain.model, corrected);
  for (size_t i = 0; i < db.size(); ++i) {
    CHECK(db[i] > 30);
    CHECK(db[i] == Approx(upstream[i]).margin(1.5));
  }
}

TEST_CASE("The mean error of weights and biases is that of the convolution itself") {
  Generator g(7);
  const Conv2d conv{.in = 4, .out = 6, .stride = {2, 1}, .dilation = {1, 2}, .padding = {1, 2, 0, 1}, .groups = 2};
  Model a, b;
  a.add("x", Input{{2, 9, 8, 4}});
  a.add("conv", conv);
  initialize(a, g);
  b = a;
  initialize(b, g);
  const Tensor x = rand(g, {3, 9, 8, 4});
  PatchSum patches;
  patches.add(conv, x, "conv");
  const auto error = mean_error(conv, a["conv"].params.at("weight"), &a["conv"].params.at("bias"), b["conv"].params.at("weight"),
                                &b["conv"].params.at("bias"), patches.mean());
  Statistics s;
  s.add(infer(a, {&x, 1})[0], infer(b, {&x, 1})[0], "conv");
  const Metrics m = s.metrics();
  REQUIRE(error.size() == 6);
  for (size_t c = 0; c < 6; ++c) CHECK(error[c] == Approx(m.mean_error[c]).margin(1e-6));
}

TEST_CASE("A layer called twice is corrected once, by the mean of its calls, and on every engine") {
  Model m;
  m.add("x", Input{{4, 6, 6, 4}});
  m.add("conv", Conv2d{.in = 4, .out = 4, .padding = pad_all(1), .act = Activation::relu});
  m.add_tied("again", "conv");
  m.add("head", Conv2d{.in = 4, .out = 3, .kernel = {1, 1}, .bias = false});
  Generator g(3);
  initialize(m, g);
  const std::vector<Tensor> data{rand(g, {8, 6, 6, 4}), rand(g, {8, 6, 6, 4})};
  Model prepared = prepare(m, {{"", default_qconfig()}});
  calibrate(prepared, data);
  Model wrong = convert(prepared);
  for (float& v : wrong["conv"].params.at("bias").mutable_data<float>()) v += 0.05F;
  const Model mended = correct_bias(m, wrong, data, {.passes = 2});
  REQUIRE(mended["head"].params.contains("bias"));  // it had none
  CHECK(std::get<Conv2d>(mended["head"].op).bias);
  CHECK(!mended["again"].params.contains("bias"));
  const auto before = own_mean_errors(m, wrong, data), after = own_mean_errors(m, mended, data);
  REQUIRE(after.size() == 3);
  for (size_t c = 0; c < 4; ++c) {
    CHECK(std::abs(before[0].error[c] + before[1].error[c]) > 0.05);
    // Both calls see as many positions, so the errors that are left cancel.
    CHECK(std::abs(after[0].error[c] + after[1].error[c]) < 1e-3);
  }
  CHECK(after[2].worst() < kOwnMeanError);
  // Two passes are one on top of another; here the second finds something, as the first moved what the later call sees.
  const auto bytes = [&](const Model& from, int passes, int64_t& total) {
    const CorrectBiasOptions options{.passes = passes, .progress = [&](int64_t, int64_t all) { return total = all, true; }};
    return model_bytes(correct_bias(m, from, data, options), "m");
  };
  int64_t one = 0, two = 0, again = 0;
  const Bytes once = bytes(wrong, 1, one), twice = bytes(wrong, 2, two);
  CHECK((once != twice));
  CHECK((bytes(correct_bias(m, wrong, data), 1, again) == twice));
  CHECK(one == 2);
  CHECK(two == 4);
  const Tensor reference = output(mended, data, QEngine::reference);
  CHECK(std::ranges::equal(reference.data<float>(), output(mended, data, QEngine::automatic).data<float>()));
  CHECK(sqnr(output(m, data, QEngine::automatic), reference) >
        sqnr(output(m, data, QEngine::automatic), output(wrong, data, QEngine::automatic)) + 3);
}

TEST_CASE("A layer without bias that is called twice gets one that every call reads, whichever call is named") {
  Model m;
  m.add("x", Input{{4, 6, 6, 4}});
  m.add("conv", Conv2d{.in = 4, .out = 4, .padding = pad_all(1), .bias = false, .act = Activation::relu});
  m.add_tied("again", "conv");
  m.add("head", Conv2d{.in = 4, .out = 3, .kernel = {1, 1}, .bias = false});
  Generator g(13);
  initialize(m, g);
  const std::vector<Tensor> data{rand(g, {8, 6, 6, 4}), rand(g, {8, 6, 6, 4})};
  Model prepared = prepare(m, {{"", default_qconfig()}});
  calibrate(prepared, data);
  const Model int8 = convert(prepared);
  REQUIRE(summarize(int8).int8_kernels == 3);
  const auto sum_of_errors = [&](const Model& model) {
    const auto e = own_mean_errors(m, model, data);
    double worst = 0;
    for (size_t c = 0; c < 4; ++c) worst = std::max(worst, std::abs(e[0].error[c] + e[1].error[c]));
    return worst;
  };
  REQUIRE(sum_of_errors(int8) > 1e-3);
  const std::vector<std::vector<std::string>> names{{}, {"conv"}, {"again"}};
  std::vector<Model> corrected;
  for (const auto& layers : names) {
    corrected.push_back(correct_bias(m, int8, data, {.layers = layers, .passes = 3}));
    const Model& c = corrected.back();
    CHECK(c["conv"].op == c["again"].op);
    CHECK(std::get<Conv2d>(c["again"].op).bias);
    CHECK(!c["again"].params.contains("bias"));
    CHECK(sum_of_errors(c) < sum_of_errors(int8) / 20);
    const testing::TempDir folder;
    save_model(folder / "tied.octet", c);
    const Model loaded = load_model(folder / "tied.octet").model;
    const Tensor bytes = output(c, data, QEngine::reference);
    CHECK(std::ranges::equal(bytes.data<float>(), output(loaded, data, QEngine::automatic).data<float>()));
    const Model again = correct_bias(m, c, data, {.layers = layers, .passes = 3});  // nothing is left to take away
    CHECK(sum_of_errors(again) < sum_of_errors(int8) / 20);
  }
  // Naming one call is naming the layer.
  const auto bias = [](const Model& c) { return c["conv"].params.at("bias").data<float>(); };
  CHECK(std::ranges::equal(bias(corrected[1]), bias(corrected[2])));
}

TEST_CASE("Analytic correction of a layer called twice is by the mean of what both calls expect") {
  Model m;
  m.add("x", Input{{4, 6, 6, 4}});
  m.add("stem", Conv2d{.in = 4, .out = 4, .kernel = {1, 1}, .bias = false});
  m.add("bn", BatchNorm{4});
  m.add("conv", Conv2d{.in = 4, .out = 4, .kernel = {1, 1}, .bias = false});
  m.add_tied("again", "conv");
  Generator g(5);
  initialize(m, g);
  for (float& beta : m["bn"].params["bias"].mutable_data<float>()) beta = g.uniform() * 4;
  const StatisticsByPath statistics = batch_norm_statistics(m);
  const Model fused = fuse(m, Aim::inference);
  const Tensor data = rand(g, {8, 6, 6, 4});
  Model prepared = prepare(fused, {{"", default_qconfig()}});
  calibrate(prepared, {&data, 1});
  const Model int8 = convert(prepared);
  std::vector<std::string> notes;
  const Model corrected = correct_bias_analytic(fused, int8, statistics, {-4, 4, 0.5, 0.3}, &notes);
  CHECK(notes.empty());
  CHECK(corrected["conv"].op == corrected["again"].op);
  // The mean inputs of both calls, by hand: the batch norm's beta, then W beta.
  const auto w = fused["conv"].params.at("weight").data<float>(), beta = m["bn"].params.at("bias").data<float>();
  const Tensor codes = dequantize(int8["conv"].params.at("weight"));
  for (size_t o = 0; o < 4; ++o) {
    double expected = 0;
    for (size_t i = 0; i < 4; ++i) {
      double second = 0;
      for (size_t j = 0; j < 4; ++j) second += static_cast<double>(w[i * 4 + j]) * static_cast<double>(beta[j]);
      const double error = static_cast<double>(codes.data<float>()[o * 4 + i]) - static_cast<double>(w[o * 4 + i]);
      expected -= error * (static_cast<double>(beta[i]) + second) / 2;
    }
    CHECK(corrected["conv"].params.at("bias").data<float>()[o] == Approx(expected).margin(1e-6));
    CHECK(expected != 0);
  }
  std::vector<std::string> unknown;
  const Model left = correct_bias_analytic(fused, int8, {}, {-4, 4, {}, {}}, &unknown);
  CHECK(std::ranges::any_of(unknown, [](const std::string& note) { return note.starts_with("conv: bias not corrected"); }));
  CHECK(!left["conv"].params.contains("bias"));
}

TEST_CASE("Bias correction refuses what it cannot do by name") {
  const Chain chain = linear_chain();
  const Model int8 = post_training(chain);
  CHECK_THROWS_WITH(correct_bias(chain.model, int8, {}), "correct_bias: no data");
  CHECK_THROWS_WITH(correct_bias(chain.model, int8, chain.data, {.layers = {"lin"}}), "correct_bias: \"lin\" matches no module");
  CHECK_THROWS_WITH(correct_bias(chain.model, chain.model, chain.data),
                    "correct_bias: no convolution or linear layer with int8 weights to correct");
  const Model one = correct_bias(chain.model, int8, chain.data, {.layers = {"linear2"}});
  const auto bias = [](const Model& m, std::string_view path) { return m[path].params.at("bias").data<float>()[0]; };
  CHECK(bias(one, "linear1") == bias(int8, "linear1"));
  CHECK(bias(one, "linear2") != bias(int8, "linear2"));
}
