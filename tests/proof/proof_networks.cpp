// SPDX-License-Identifier: Apache-2.0
// Building, training and spoiling the proof networks.
#include "tests/proof/proof_networks.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "compile/program.h"
#include "engine/loss.h"
#include "engine/optimizer.h"
#include "io/fashion_mnist.h"
#include "io/model_file.h"
#include "tools/progress.h"

namespace octet::tools {
namespace {

constexpr float kMean = 0.2860F, kDeviation = 0.3530F;  // of Fashion-MNIST's pixels in 0..1
constexpr int64_t kCalibration = 1000, kBatch = 128;
constexpr double kPeakRate = 0.2;

int conv_bn(Model& m, const std::string& path, Conv2d conv, std::vector<Wire> inputs, bool relu) {
  conv.bias = false;
  m.add(path + ".conv", conv, std::move(inputs));
  const int bn = m.add(path + ".bn", BatchNorm{conv.out});
  return relu ? m.add(path + ".relu", Unary{UnaryFn::relu}) : bn;
}

void separable(Model& m, const std::string& path, int64_t in, int64_t out, int64_t stride) {
  conv_bn(m, path + ".dw", {.in = in, .out = in, .stride = {stride, stride}, .padding = pad_all(1), .groups = in}, {}, true);
  conv_bn(m, path + ".pw", {.in = in, .out = out, .kernel = {1, 1}}, {}, true);
}

void residual(Model& m, const std::string& path, int x, int64_t in, int64_t out, int64_t stride) {
  const Pair s{stride, stride};
  conv_bn(m, path + ".a", {.in = in, .out = out, .stride = s, .padding = pad_all(1)}, {{x, 0}}, true);
  const int branch = conv_bn(m, path + ".b", {.in = out, .out = out, .padding = pad_all(1)}, {}, false);
  const int skip = in == out && stride == 1
                       ? x
                       : conv_bn(m, path + ".skip", {.in = in, .out = out, .kernel = {1, 1}, .stride = s}, {{x, 0}}, false);
  m.add(path + ".add", Binary{BinaryFn::add}, {branch, skip});
  m.add(path + ".relu", Unary{UnaryFn::relu});
}

void head(Model& m, int64_t channels) {
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{channels, 10});
}

}  // namespace

Model mobilenet_like() {
  Model m;
  m.add("image", Input{{1, 28, 28, 1}});
  conv_bn(m, "stem", {.in = 1, .out = 16, .stride = {2, 2}, .padding = pad_all(1)}, {}, true);
  separable(m, "block1", 16, 32, 1);
  separable(m, "block2", 32, 64, 2);
  separable(m, "block3", 64, 64, 1);
  separable(m, "block4", 64, 128, 1);
  head(m, 128);
  return m;
}

Model resnet_like() {
  Model m;
  m.add("image", Input{{1, 28, 28, 1}});
  int x = conv_bn(m, "stem", {.in = 1, .out = 16, .stride = {2, 2}, .padding = pad_all(1)}, {}, true);
  for (const auto& [path, in, out, stride] : {std::tuple{"block1", 16, 16, 1}, {"block2", 16, 32, 2}, {"block3", 32, 64, 2}}) {
    residual(m, path, x, in, out, stride);
    x = static_cast<int>(m.modules.size()) - 1;
  }
  head(m, 64);
  return m;
}

ProofData proof_data(const std::string& folder) {
  const FashionMnist set = load_fashion_mnist(folder);
  DataLoaderOptions plain{.batch = kCalibration, .scale = 1 / (255 * kDeviation), .shift = -kMean / kDeviation};
  DataLoaderOptions shuffled = plain;
  shuffled.batch = kBatch, shuffled.shuffle = true, shuffled.drop_last = true, shuffled.seed = 1;
  const DataLoader ordered(set.train_images, set.train_labels, plain), test(set.test_images, set.test_labels, plain);
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < test.batches(); ++i) parts.push_back(test.batch(i).inputs);
  return {DataLoader(set.train_images, set.train_labels, shuffled), ordered.batch(0).inputs, concat(parts, 0), set.test_labels};
}

Model train_or_load(const std::string& name, const std::string& cache, int epochs, ProofData& data) {
  check(name == "mobilenet" || name == "resnet", "train_or_load: no network \"", name, "\"; there are mobilenet and resnet");
  Model model = name == "mobilenet" ? mobilenet_like() : resnet_like();
  const std::string file = (std::filesystem::path(cache) / (name + "_" + std::to_string(epochs) + ".safetensors")).string();
  if (std::filesystem::exists(file)) {
    Model loaded = load_model(file).model;
    bool same = loaded.modules.size() == model.modules.size();
    for (size_t i = 0; same && i < model.modules.size(); ++i)
      same = loaded.modules[i].path == model.modules[i].path && loaded.modules[i].op == model.modules[i].op;
    check(same, file, ": holds another network than the recipe builds; delete it to train anew");
    return loaded;
  }
  Generator g(1);
  initialize(model, g);
  Sgd sgd({.momentum = 0.9, .weight_decay = 5e-4});
  const int64_t steps = epochs * data.train.batches();
  ProgressBar bar("training " + name, steps, "images", kBatch);
  for (int64_t epoch = 0, step = 0; epoch < epochs; ++epoch) {
    data.train.start(epoch);
    for (int64_t b = 0; b < data.train.batches(); ++b, ++step) {
      const Batch batch = data.train.batch(b);
      Var loss = cross_entropy(forward(model, {&batch.inputs, 1}, Mode::train)[0], batch.labels);
      const double value = loss.value().item();
      check(std::isfinite(value), name, ": the loss is ", value, " at step ", step);
      sgd.step(model, backward(std::move(loss)), one_cycle_rate(step, steps, kPeakRate));
      bar.update(step + 1, fmt::format("epoch {}/{}  loss {:.3f}", epoch + 1, epochs, value));
    }
  }
  std::filesystem::create_directories(cache);
  save_model(file, model);
  return model;
}

std::vector<SpoiledPair> spoil(Model& model, const std::vector<std::pair<std::string, std::string>>& pairs, uint64_t seed) {
  Generator g(seed);
  std::vector<SpoiledPair> spoiled;
  for (const auto& [first, second] : pairs) {
    Module &bn = model.modules.at(model.index(first) + 1), &reader = model[second];
    check(std::holds_alternative<BatchNorm>(bn.op), bn.path, ": expected the batch norm of ", first);
    const Conv2d& conv = std::get<Conv2d>(reader.op);
    const auto gamma = bn.params.at("weight").mutable_data<float>(), beta = bn.params.at("bias").mutable_data<float>();
    const auto weight = reader.params.at("weight").mutable_data<float>();
    SpoiledPair pair{first, second, 0};
    for (size_t c = 0; c < gamma.size(); ++c) {
      if (g.uniform() < 0.5F) continue;
      const float factor = std::pow(10.0F, 3 * g.uniform() - 1.5F);
      gamma[c] *= factor, beta[c] *= factor;
      ++pair.channels;
      // Depthwise: channel c is weight row c. Dense: it is the last index.
      const size_t columns = static_cast<size_t>(conv.in / conv.groups);
      if (columns == 1) {
        const size_t taps = weight.size() / gamma.size();
        for (size_t t = 0; t < taps; ++t) weight[c * taps + t] /= factor;
      } else {
        for (size_t i = c; i < weight.size(); i += columns) weight[i] /= factor;
      }
    }
    spoiled.push_back(pair);
  }
  return spoiled;
}

double accuracy(const Model& model, const Tensor& images, const Tensor& labels) {
  return static_cast<double>(count_correct(run_batched(Program::bind(model), images, 500), labels)) /
         static_cast<double>(labels.numel());
}

}  // namespace octet::tools
