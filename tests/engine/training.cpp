// SPDX-License-Identifier: Apache-2.0
// Training: loss values, optimizer steps by hand, batches in a repeatable order, the same bytes from the same seed.
#include <cmath>
#include <cstring>

#include "engine/data.h"
#include "engine/loss.h"
#include "engine/optimizer.h"
#include "io/model_file.h"
#include "kernels/parallel.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/io/temp_dir.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

/// Sixty steps on made-up pictures whose class is the brightest third; returns the trained model and the last loss.
std::pair<Model, double> train(uint64_t seed) {
  Generator g(seed);
  Model m;
  m.add("x", Input{{16, 6, 6, 1}});
  m.add("conv", Conv2d{.in = 1, .out = 8, .padding = pad_all(1), .bias = false});
  m.add("bn", BatchNorm{8});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("dw", Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .groups = 8});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{288, 3});
  initialize(m, g);
  Tensor images(Shape{96, 6, 6, 1}, DType::u8), labels(Shape{96}, DType::i32);
  for (int i = 0; i < 96; ++i) {
    const int label = static_cast<int>(g.integer(0, 3));
    labels.mutable_data<int32_t>()[i] = label;
    for (int p = 0; p < 36; ++p)
      images.mutable_data<uint8_t>()[i * 36 + p] = static_cast<uint8_t>(g.integer(0, 100) + (p / 12 == label ? 120 : 0));
  }
  DataLoader loader(images, labels, {.batch = 16, .shuffle = true, .drop_last = true, .seed = seed, .scale = 1 / 255.0F});
  Sgd sgd({.momentum = 0.9, .weight_decay = 1e-4});
  double last = 0;
  for (int epoch = 0; epoch < 10; ++epoch) {
    loader.start(epoch);
    for (int64_t b = 0; b < loader.batches(); ++b) {
      const Batch batch = loader.batch(b);
      Var loss = cross_entropy(forward(m, {&batch.inputs, 1}, Mode::train)[0], batch.labels);
      last = loss.value().item();
      sgd.step(m, backward(std::move(loss)), one_cycle_rate(epoch * loader.batches() + b, 10 * loader.batches(), 0.1));
    }
  }
  return {std::move(m), last};
}

bool same_bytes(const Model& a, const Model& b) {
  for (size_t i = 0; i < a.modules.size(); ++i)
    for (const auto& [name, tensor] : a.modules[i].params)
      if (std::memcmp(tensor.raw(), b.modules[i].params.at(name).raw(), tensor.bytes()) != 0) return false;
  return true;
}

}  // namespace

TEST_CASE("cross-entropy of known logits") {
  const Tensor logits = Tensor::of<float>({2, 3}, std::vector<float>{1, 2, 3, 1000, 0, 0});
  const double expected = (std::log(std::exp(-2) + std::exp(-1) + 1) + 1000) / 2;
  CHECK(cross_entropy(logits, Tensor::of<int32_t>({2}, std::vector<int32_t>{2, 1})).value().item() == Approx(expected));
  CHECK_THROWS_WITH(cross_entropy(logits, Tensor::of<int32_t>({2}, std::vector<int32_t>{2, 3})),
                    Contains("label 3 at index 1, the logits have 3 classes"));
  CHECK_THROWS_WITH(cross_entropy(logits, Tensor::of<int32_t>({2}, std::vector<int32_t>{-1, 0})), Contains("label -1 at index 0"));
  CHECK(count_correct(logits, Tensor::of<int32_t>({2}, std::vector<int32_t>{2, 1})) == 1);
}

TEST_CASE("SGD follows v = m v + g + d w, w = w - r v") {
  Model m;
  m.add("x", Input{{1, 1}});
  m.add("fc", Linear{.in = 1, .out = 1, .bias = false});
  m["fc"].params["weight"] = Tensor::full({1, 1}, 2);
  Sgd sgd({.momentum = 0.5, .weight_decay = 0.1});
  const Grads g{{"fc.weight", Tensor::full({1, 1}, 1)}};
  sgd.step(m, g, 0.1);
  CHECK(m["fc"].params.at("weight").item() == Approx(2 - 0.1 * 1.2));
  sgd.step(m, g, 0.1);
  CHECK(m["fc"].params.at("weight").item() == Approx(1.88 - 0.1 * (0.5 * 1.2 + 1 + 0.188)));
  CHECK_THROWS_WITH(sgd.step(m, {{"other.weight", Tensor::full({1}, 1)}}, 0.1), Contains("only 0 belong"));
}

TEST_CASE("Nesterov's momentum takes PyTorch's steps") {
  Model m;
  m.add("x", Input{{1, 1}});
  m.add("fc", Linear{.in = 1, .out = 2, .bias = false});
  m["fc"].params["weight"] = Tensor::of<float>({2, 1}, std::vector<float>{0.5F, -0.25F});
  Sgd sgd({.momentum = 0.9, .weight_decay = 0.01, .nesterov = true});
  // torch.optim.SGD(lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True), PyTorch 2.8
  const float gradients[3][2] = {{1, -2}, {0.5F, 0.25F}, {-1, 1.5F}};
  const float expected[3][2] = {{0.3090499937534332F, 0.1304749995470047F},
                                {0.1320578157901764F, 0.24492959678173065F},
                                {0.20779208838939667F, 0.08509078621864319F}};
  for (int step = 0; step < 3; ++step) {
    const auto& g = gradients[step];
    sgd.step(m, {{"fc.weight", Tensor::of<float>({2, 1}, std::vector<float>{g[0], g[1]})}}, 0.1);
    for (size_t i = 0; i < 2; ++i) CHECK(m["fc"].params.at("weight").data<float>()[i] == Approx(expected[step][i]).epsilon(3e-7));
  }
  CHECK_THROWS_WITH(Sgd({.nesterov = true}), Contains("needs a momentum"));
  CHECK_THROWS_WITH(Sgd({.momentum = -1}), Contains("must not be negative"));
}

TEST_CASE("label smoothing gives PyTorch's losses and gradients") {
  const Tensor logits = Tensor::of<float>({2, 3}, std::vector<float>{0.5F, -1.25F, 2, 0.1F, 0.2F, -0.3F});
  const Tensor labels = Tensor::of<int32_t>({2}, std::vector<int32_t>{2, 0});
  struct Case {
    double smoothing, loss;
    std::vector<float> gradient;
  };
  // torch.nn.functional.cross_entropy(x, y, label_smoothing=s), PyTorch 2.8
  for (const Case& c :
       {Case{0, 0.6267248392105103, {0.0884100869F, 0.015363371F, -0.1037734747F, -0.3198516965F, 0.1990946829F, 0.1207570285F}},
        Case{
            0.1, 0.7108914852142334, {0.0717434213F, -0.0013032965F, -0.0704401433F, -0.2865183651F, 0.1824280173F, 0.1040903628F}},
        Case{1,
             1.4683914184570312,
             {-0.0782565847F, -0.1513033062F, 0.2295598537F, 0.0134816319F, 0.0324280113F, -0.0459096432F}}}) {
    CAPTURE(c.smoothing);
    Var loss = cross_entropy(Var::leaf("x", logits), labels, c.smoothing);
    CHECK(loss.value().item() == Approx(c.loss).epsilon(1e-6));
    const Grads grads = backward(std::move(loss));
    for (size_t i = 0; i < 6; ++i) CHECK(grads.at("x").data<float>()[i] == Approx(c.gradient[i]).margin(1e-7));
  }
  CHECK_THROWS_WITH(cross_entropy(logits, labels, 1.5), Contains("outside 0..1"));
}

TEST_CASE("weight decay reaches a convolution's bias before a batch norm; frozen batch norms keep their statistics") {
  Model m;
  m.add("x", Input{{4, 3, 3, 2}});
  m.add("conv", Conv2d{.in = 2, .out = 3});
  m.add("bn", BatchNorm{3});
  m.add("alone", BatchNorm{3});
  m.add("flat", Reshape{{0, -1}});
  Generator g(4);
  initialize(m, g);
  const Tensor x = randn(g, {4, 3, 3, 2});
  Model qat = fuse(m, Aim::training);
  REQUIRE(std::holds_alternative<ConvBn2d>(qat["conv"].op));
  const Tensor before = qat["conv"].params.at("bias");
  Sgd sgd({.weight_decay = 0.5});
  Var loss = mse_loss(forward(qat, {&x, 1}, Mode::train)[0], Tensor::full({4, 3}, 1));
  sgd.step(qat, backward(std::move(loss)), 0.1);
  for (size_t i = 0; i < 3; ++i) CHECK(qat["conv"].params.at("bias").data<float>()[i] == Approx(before.data<float>()[i] * 0.95F));

  for (const bool fused : {false, true}) {
    Model frozen = fused ? fuse(m, Aim::training) : m;
    freeze_bn_stats(frozen);
    const Tensor evaluated = infer(frozen, {&x, 1})[0];
    const Tensor mean = frozen["alone"].params.at("running_mean");
    const Tensor trained = forward(frozen, {&x, 1}, Mode::train)[0].value();
    for (size_t i = 0; i < 12; ++i) CHECK(trained.data<float>()[i] == Approx(evaluated.data<float>()[i]).margin(1e-5));
    CHECK(std::ranges::equal(frozen["alone"].params.at("running_mean").data<float>(), mean.data<float>()));
    const testing::TempDir folder;
    save_model(folder / "frozen.octet", frozen);
    Model loaded = load_model(folder / "frozen.octet").model;
    CHECK(loaded["alone"].params.contains("frozen"));
    update_bn_stats(loaded);
    CHECK_FALSE(loaded["alone"].params.contains("frozen"));
    forward(loaded, {&x, 1}, Mode::train);
    CHECK_FALSE(std::ranges::equal(loaded["alone"].params.at("running_mean").data<float>(), mean.data<float>()));
  }
  Model frozen = m;
  freeze_bn_stats(frozen, "bn");
  CHECK(fuse(frozen, Aim::training)["conv"].params.at("bn.frozen").item() == 1);
  Model none;
  none.add("x", Input{{1, 2}});
  CHECK_THROWS_WITH(freeze_bn_stats(none), Contains("no batch norm below"));
}

TEST_CASE("a parameter that changed its shape or type starts without a velocity") {
  Model m;
  m.add("x", Input{{1, 2}});
  m.add("fc", Linear{.in = 2, .out = 1, .bias = false});
  Sgd sgd({.momentum = 0.5});
  const auto step = [&](const Tensor& weight) {
    m["fc"].params["weight"] = weight;
    sgd.step(m, {{"fc.weight", Tensor::full(weight.shape(), 1, weight.dtype())}}, 1);
    return m["fc"].params["weight"].to(DType::f64).data<double>()[0];
  };
  CHECK(step(Tensor::zeros({1, 2})) == -1);
  CHECK(step(Tensor::zeros({1, 2})) == -1.5);  // the velocity of the step before counts half
  CHECK(step(Tensor::zeros({1, 5})) == -1);
  CHECK(step(Tensor::zeros({1, 5}, DType::f64)) == -1);
  CHECK(step(Tensor::zeros({1, 5}, DType::f64)) == -1.5);
}

TEST_CASE("schedules start, peak and end where they should") {
  CHECK(cosine_rate(0, 10, 0.2) == Approx(0.2));
  CHECK(cosine_rate(5, 10, 0.2) == Approx(0.1));
  CHECK(cosine_rate(10, 10, 0.2) == Approx(0).margin(1e-12));
  CHECK(cosine_rate(0, 10, 0.2, 0.05) == Approx(0.2));
  CHECK(cosine_rate(5, 10, 0.2, 0.05) == Approx(0.125));
  CHECK(cosine_rate(10, 10, 0.2, 0.05) == Approx(0.05));
  CHECK(one_cycle_rate(0, 100, 0.2) == Approx(0.2 / 25));
  CHECK(one_cycle_rate(29, 100, 0.2) == Approx(0.2));
  CHECK(one_cycle_rate(99, 100, 0.2) == Approx(0.2 / 25e4));
}

TEST_CASE("the data loader visits every sample once an epoch, in an order that seed and epoch decide") {
  Tensor x(Shape{10, 2}, DType::u8), y(Shape{10}, DType::i32);
  for (int i = 0; i < 10; ++i) {
    y.mutable_data<int32_t>()[i] = i;
    x.mutable_data<uint8_t>()[2 * i] = static_cast<uint8_t>(i);
    x.mutable_data<uint8_t>()[2 * i + 1] = 255;
  }
  DataLoader a(x, y, {.batch = 4, .shuffle = true, .seed = 3, .scale = 0.5F, .shift = 1});
  CHECK(a.batches() == 3);
  const auto labels = [](DataLoader& loader, int64_t epoch) {
    loader.start(epoch);
    std::vector<int> all;
    for (int64_t b = 0; b < loader.batches(); ++b) {
      const Batch batch = loader.batch(b);
      for (int64_t i = 0; i < batch.labels.numel(); ++i) {
        const int label = batch.labels.data<int32_t>()[i];
        CHECK(batch.inputs.data<float>()[2 * i] == static_cast<float>(label) * 0.5F + 1);
        CHECK(batch.inputs.data<float>()[2 * i + 1] == 128.5F);
        all.push_back(label);
      }
    }
    return all;
  };
  const std::vector<int> first = labels(a, 0), second = labels(a, 1);
  CHECK(first != second);
  CHECK(labels(a, 0) == first);
  std::vector<int> sorted = first;
  std::ranges::sort(sorted);
  CHECK(sorted == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK_THROWS_AS(DataLoader(x, Tensor::zeros({9}, DType::i32)), Error);
  CHECK_THROWS_AS(DataLoader(x, y, {.batch = 0}), Error);
}

TEST_CASE("training learns and repeats to the byte for the same seed and number of threads") {
  for (const int n : {1, 2}) {
    const ThreadsScope scope(n);
    const auto [a, loss] = train(1);
    CHECK(loss < 0.2);
    CHECK(same_bytes(a, train(1).first));
    CHECK_FALSE(same_bytes(a, train(2).first));
  }
}
