// SPDX-License-Identifier: Apache-2.0
// Every operator's derivative against finite differences in f64, and folded against unfolded networks.
#include <cmath>

#include "engine/loss.h"
#include "engine/ops/functional.h"
#include "quant/quantize.h"
#include "tests/engine/gradient_check.h"

using namespace octet;
using namespace octet::gradient_check;

namespace {

constexpr double kFoldTolerance = 1e-10;  // relative to the largest output

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0, scale = 1e-30;
  for (int64_t i = 0; i < a.numel(); ++i) {
    worst = std::max(worst, std::abs(a.data<double>()[i] - b.data<double>()[i]));
    scale = std::max(scale, std::abs(a.data<double>()[i]));
  }
  return worst / scale;
}

/// Random parameters and statistics of every module, f64.
void randomize(Model& model, Generator& g) {
  initialize(model, g);
  model = cast(model, DType::f64);
  for (Module& m : model.modules)
    for (auto& [name, tensor] : m.params) {
      if (name.ends_with("frozen")) continue;
      tensor = name.ends_with("var") ? random_tensor(g, tensor.shape(), 0.5, 2) : random_tensor(g, tensor.shape());
    }
}

Model conv_bn_network() {
  Model m;
  m.add("x", Input{{3, 7, 6, 4}});
  m.add("conv", Conv2d{.in = 4, .out = 6, .stride = {2, 1}, .padding = {1, 0, 0, 1}, .groups = 2});
  m.add("bn", BatchNorm{6});
  const int relu = m.add("relu", Unary{UnaryFn::relu});
  m.add("dw", Conv2d{.in = 6, .out = 6, .padding = pad_all(1), .groups = 6, .bias = false});
  const int bn = m.add("dw_bn", BatchNorm{6});
  m.add("sum", Binary{BinaryFn::add}, {relu, bn});
  m.add("act", Unary{UnaryFn::relu6});
  m.add("pool", Pool2d{.kind = Pool::adaptive_average, .output = {1, 1}});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{6, 5});
  m.add("fc_bn", BatchNorm{5});
  return m;
}

}  // namespace

TEST_CASE("conv2d derivatives equal finite differences") {
  const Conv2d op = GENERATE(Conv2d{.in = 3, .out = 4},
                             Conv2d{.in = 4, .out = 6, .kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 2, 0, 1}, .groups = 2},
                             Conv2d{.in = 4, .out = 4, .padding = pad_all(1), .groups = 4, .act = Activation::relu},
                             Conv2d{.in = 3, .out = 6, .dilation = {2, 2}, .padding = pad_all(2), .groups = 3, .bias = false},
                             Conv2d{.in = 2, .out = 3, .kernel = {1, 1}, .act = Activation::relu6});
  check_op(op, {{2, 6, 5, op.in}});
}

TEST_CASE("conv2d with a residual input has the right derivatives") {
  check_op(Conv2d{.in = 3, .out = 4, .padding = pad_all(1), .act = Activation::relu, .residual = true},
           {{2, 5, 4, 3}, {2, 5, 4, 4}});
}

TEST_CASE("linear derivatives equal finite differences") {
  check_op(Linear{5, 3}, {{4, 5}});
  check_op(Linear{.in = 5, .out = 3, .bias = false, .act = Activation::relu}, {{2, 3, 5}});
}

TEST_CASE("batch norm derivatives equal finite differences, with batch and with running statistics") {
  check_op(BatchNorm{3}, {{4, 3, 2, 3}});
  check_op(BatchNorm{4}, {{6, 4}});
  Generator g(5);
  const Tensor mean = random_tensor(g, {3}), variance = random_tensor(g, {3}, 0.5, 2), weights = random_tensor(g, {2, 4, 3});
  compare(
      [&](const auto& v) {
        return weighted_sum(batch_norm_eval(v.at("x"), v.at("gamma"), v.at("beta"), mean, variance, 1e-5), weights);
      },
      {{"x", random_tensor(g, {2, 4, 3})}, {"gamma", random_tensor(g, {3})}, {"beta", random_tensor(g, {3})}});
}

TEST_CASE("frozen conv_bn2d derivatives equal finite differences, gamma included") {
  Generator g(3);
  Model model;
  model.add("x", Input{{2, 5, 5, 2}});
  model.add("op", ConvBn2d{.conv = {.in = 2, .out = 3, .act = Activation::relu}});
  initialize(model, g);
  model = cast(model, DType::f64);
  freeze_bn_stats(model);
  Params& p = model.modules[1].params;
  p["bn.running_var"] = random_tensor(g, {3}, 0.5, 2);
  p["bn.running_mean"] = random_tensor(g, {3});
  std::map<std::string, Tensor> at{{"x", random_tensor(g, {2, 5, 5, 2})}};
  for (const char* name : {"weight", "bias", "bn.weight", "bn.bias"})
    at[std::string("op.") + name] = random_tensor(g, p.at(name).shape());
  const Tensor weights = random_tensor(g, model.modules[1].nominal[0]);
  compare(
      [&](const auto& v) {
        Model m = model;
        for (auto& [name, tensor] : m.modules[1].params)
          if (v.contains("op." + name)) tensor = v.at("op." + name).value();
        const Var x = v.at("x");
        return weighted_sum(run_module(m, 1, {&x, 1}, Mode::train)[0], weights);
      },
      at);
}

TEST_CASE("training conv_bn2d equals convolution then batch norm: value, gradients, running statistics") {
  const bool bias = GENERATE(false, true);
  const double size = GENERATE(1.0, 1e4, 1e6, 1e9);  // of the inputs: gamma / deviation is as much smaller
  CAPTURE(bias, size);
  const Conv2d conv{.in = 3, .out = 4, .padding = pad_all(1), .bias = bias, .act = Activation::none};
  Model apart, together;
  for (Model* m : {&apart, &together}) m->add("x", Input{{3, 5, 4, 3}});
  apart.add("conv", conv);
  apart.add("bn", BatchNorm{4});
  together.add("conv", ConvBn2d{.conv = conv});
  Generator g(11);
  initialize(apart, g);
  initialize(together, g);
  apart = cast(apart, DType::f64);
  together = cast(together, DType::f64);
  const std::vector<std::string> norm{"weight", "bias", "running_mean", "running_var"};
  for (auto& [name, tensor] : apart["conv"].params) together["conv"].params[name] = tensor = random_tensor(g, tensor.shape());
  for (const std::string& name : norm) {
    Tensor& t = apart["bn"].params[name];
    t = name == "running_var" ? random_tensor(g, t.shape(), 0.5 * size * size, 2 * size * size) : random_tensor(g, t.shape());
    if (name == "weight") t.mutable_data<double>()[1] = 1e-5, t.mutable_data<double>()[2] = 0;
    together["conv"].params["bn." + name] = t;
  }
  const Tensor x = random_tensor(g, {3, 5, 4, 3}, -size, size), weights = random_tensor(g, {3, 5, 4, 4});
  const auto run_both = [&](Model& m) { return forward(m, {&x, 1}, Mode::train)[0]; };
  Var a = run_both(apart), b = run_both(together);
  CHECK(largest_difference(a.value(), b.value()) < kFoldTolerance);
  const Grads ga = backward(weighted_sum(a, weights)), gb = backward(weighted_sum(b, weights));
  CHECK(largest_difference(ga.at("conv.weight"), gb.at("conv.weight")) < kFoldTolerance);
  const auto row = static_cast<size_t>(gb.at("conv.weight").numel() / 4);
  for (size_t i = 0; i < row; ++i) {  // the small channel by itself, in its own size
    const double expected = ga.at("conv.weight").data<double>()[row + i];
    CHECK(std::abs(gb.at("conv.weight").data<double>()[row + i] - expected) <= 1e-10 * 1e-5);
    CHECK(expected != 0);
  }
  CHECK(largest_difference(ga.at("bn.weight"), gb.at("conv.bn.weight")) < kFoldTolerance);
  CHECK(largest_difference(ga.at("bn.bias"), gb.at("conv.bn.bias")) < kFoldTolerance);
  for (const std::string name : {"running_mean", "running_var"})
    CHECK(largest_difference(apart["bn"].params.at(name), together["conv"].params.at("bn." + name)) <
          kFoldTolerance * (name == "running_mean" ? size : size * size));
}

TEST_CASE("training linear_bn equals linear then batch norm: value, gradients, running statistics") {
  for (const bool bias : {false, true}) {
    CAPTURE(bias);
    Model apart, together;
    for (Model* m : {&apart, &together}) m->add("x", Input{{7, 5}});
    apart.add("fc", Linear{5, 4, bias});
    apart.add("bn", BatchNorm{4});
    together.add("fc", LinearBn{.linear = {5, 4, bias}});
    Generator g(11);
    initialize(apart, g);
    initialize(together, g);
    apart = cast(apart, DType::f64);
    together = cast(together, DType::f64);
    for (auto& [name, tensor] : apart["fc"].params) together["fc"].params[name] = tensor = random_tensor(g, tensor.shape());
    for (const std::string name : {"weight", "bias", "running_mean", "running_var"}) {
      Tensor& t = apart["bn"].params[name];
      together["fc"].params["bn." + name] = t = random_tensor(g, t.shape(), 0.5, 2);
    }
    const Tensor x = random_tensor(g, {7, 5}), weights = random_tensor(g, {7, 4});
    const Var a = forward(apart, {&x, 1}, Mode::train)[0], b = forward(together, {&x, 1}, Mode::train)[0];
    CHECK(largest_difference(a.value(), b.value()) < kFoldTolerance);
    const Grads ga = backward(weighted_sum(a, weights)), gb = backward(weighted_sum(b, weights));
    CHECK(largest_difference(ga.at("fc.weight"), gb.at("fc.weight")) < kFoldTolerance);
    CHECK(largest_difference(ga.at("bn.weight"), gb.at("fc.bn.weight")) < kFoldTolerance);
    CHECK(largest_difference(ga.at("bn.bias"), gb.at("fc.bn.bias")) < kFoldTolerance);
    for (const std::string name : {"running_mean", "running_var"})
      CHECK(largest_difference(apart["bn"].params.at(name), together["fc"].params.at("bn." + name)) < kFoldTolerance);
    CHECK(largest_difference(infer(apart, {&x, 1})[0], infer(together, {&x, 1})[0]) < kFoldTolerance);
  }
}

TEST_CASE("conv_bn2d trains on when gamma is zero") {
  Model m;
  m.add("x", Input{{2, 4, 4, 2}});
  m.add("conv", ConvBn2d{.conv = {.in = 2, .out = 3, .bias = false}});
  Generator g(2);
  initialize(m, g);
  m["conv"].params["bn.weight"] = Tensor::zeros({3});
  const Tensor x = rand(g, {2, 4, 4, 2}), weights = Tensor::full({2, 2, 2, 3}, 1);
  Var y = forward(m, {&x, 1}, Mode::train)[0];
  for (const float v : y.value().data<float>()) CHECK(v == 0);  // beta
  const Tensor target = rand(g, {2, 2, 2, 3});
  const Grads grads = backward(mse_loss(y, target));
  float largest = 0;
  for (const auto& [name, grad] : grads)
    for (const float v : grad.data<float>()) REQUIRE(std::isfinite(v));
  for (const float v : grads.at("conv.bn.weight").data<float>()) largest = std::max(largest, std::abs(v));
  CHECK(largest > 0);  // gamma can leave zero
}

TEST_CASE("element-wise, pooling and shape operators have the right derivatives") {
  check_op(Unary{UnaryFn::relu}, {{3, 4}});
  check_op(Unary{UnaryFn::relu6}, {{5, 4}}, Mode::train, 1, -3, 9);
  check_op(Unary{UnaryFn::identity}, {{3, 4}});
  check_op(Binary{BinaryFn::add, Activation::relu}, {{2, 3, 4}, {2, 3, 4}});
  check_op(Concat{1}, {{2, 3, 2}, {2, 1, 2}, {2, 2, 2}});
  check_op(Concat{0}, {{2, 3}, {1, 3}});
  check_op(Pool2d{.kind = Pool::max, .kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0, 1, 1}}, {{2, 6, 5, 3}});
  check_op(Pool2d{.kind = Pool::average, .kernel = {3, 3}, .stride = {2, 2}, .padding = pad_all(1)}, {{2, 6, 5, 3}});
  check_op(Pool2d{.kind = Pool::average,
                  .kernel = {3, 3},
                  .stride = {2, 2},
                  .padding = pad_all(1),
                  .ceil_mode = true,
                  .count_include_pad = false},
           {{2, 6, 5, 3}});
  check_op(Pool2d{.kind = Pool::adaptive_average, .output = {4, 3}}, {{2, 7, 5, 3}});
  check_op(Reshape{{-1, 6}}, {{2, 3, 4}});
  check_op(Transpose{{0, 3, 1, 2}}, {{2, 3, 4, 2}});
  check_op(Dropout{0.4}, {{6, 5}});
  check_op(PRelu{5}, {{6, 5}});
  check_op(PRelu{}, {{6, 5}});
  check_op(Conv1d{.in = 4, .out = 3, .stride = 2, .padding = 1}, {{2, 9, 4}});
  check_op(Pool1d{.kernel = 3, .stride = 2, .padding = 1}, {{2, 9, 4}});
}

TEST_CASE("the losses have the right derivatives") {
  Generator g(9);
  const Tensor labels = Tensor::of<int32_t>({4}, std::vector<int32_t>{2, 0, 1, 2});
  compare([&](const auto& v) { return cross_entropy(v.at("x"), labels); }, {{"x", random_tensor(g, {4, 3}, -3, 3)}});
  const Tensor target = random_tensor(g, {4, 3});
  compare([&](const auto& v) { return mse_loss(v.at("x"), target); }, {{"x", random_tensor(g, {4, 3})}});
}

TEST_CASE("a value used twice adds up its gradients") {
  Generator g(4);
  const Tensor weights = random_tensor(g, {3, 2});
  compare(
      [&](const auto& v) {
        return weighted_sum(add(v.at("x"), clamp(v.at("x"), {0, INFINITY}), Activation::none, "sum"), weights);
      },
      {{"x", random_tensor(g, {3, 2})}});
}

TEST_CASE("folding batch norms for inference leaves the network's function alone") {
  Generator g(21);
  Model model = conv_bn_network();
  randomize(model, g);
  const Model fused = fuse(model, Aim::inference);
  CHECK(fused.modules.size() == 6);  // input, conv, dw with residual, pool, rows, fc
  REQUIRE(std::holds_alternative<Conv2d>(fused["dw"].op));
  CHECK(std::get<Conv2d>(fused["dw"].op).residual);
  CHECK(std::get<Conv2d>(fused["dw"].op).act == Activation::relu6);
  const Tensor x = random_tensor(g, {3, 7, 6, 4}, -3, 3);
  const Tensor a = infer(model, {&x, 1})[0], b = infer(fused, {&x, 1})[0];
  CHECK(largest_difference(a, b) < kFoldTolerance);
  CHECK(largest_difference(a, Tensor::zeros(a.shape(), DType::f64)) > 0.1);

  const Model trained = fuse(model, Aim::training);
  CHECK(std::holds_alternative<ConvBn2d>(trained["conv"].op));
  CHECK(largest_difference(a, infer(trained, {&x, 1})[0]) < kFoldTolerance);
}
