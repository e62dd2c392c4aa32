// SPDX-License-Identifier: Apache-2.0
// Quantization-aware training, saving and loading: the code of docs/quantization.md and docs/getting-started.md, as a program.
#include <cstdio>
#include <filesystem>

#include "compile/program.h"
#include "engine/data.h"
#include "engine/loss.h"
#include "engine/optimizer.h"
#include "io/model_file.h"
#include "numeric_suite/compare.h"
#include "quant/quantize.h"
using namespace octet;

namespace {

Model small_network() {
  Model m;
  m.add("image", Input{{1, 12, 12, 1}});
  m.add("conv", Conv2d{.in = 1, .out = 8, .padding = pad_all(1), .bias = false});
  m.add("bn", BatchNorm{8});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("pool", Pool2d{.kind = Pool::max});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{288, 3});
  return m;
}

/// Pictures whose class is the brightest third, as bytes with labels.
std::pair<Tensor, Tensor> stripes(int64_t n, uint64_t seed) {
  Generator g(seed);
  Tensor images(Shape{n, 12, 12, 1}, DType::u8), labels(Shape{n}, DType::i32);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t label = g.integer(0, 3);
    labels.mutable_data<int32_t>()[i] = static_cast<int32_t>(label);
    for (int64_t p = 0; p < 144; ++p)
      images.mutable_data<uint8_t>()[i * 144 + p] = static_cast<uint8_t>(g.integer(0, 180) + (p / 48 == label ? 40 : 0));
  }
  return {std::move(images), std::move(labels)};
}

void train(Model& model, DataLoader& loader, int epochs, double peak) {
  Sgd sgd({.momentum = 0.9, .weight_decay = 5e-4});
  const int64_t steps = epochs * loader.batches();
  for (int64_t epoch = 0, step = 0; epoch < epochs; ++epoch) {
    loader.start(epoch);
    for (int64_t b = 0; b < loader.batches(); ++b, ++step) {
      const Batch batch = loader.batch(b);
      Var loss = cross_entropy(forward(model, {&batch.inputs, 1}, Mode::train)[0], batch.labels);
      sgd.step(model, backward(std::move(loss)), cosine_rate(step, steps, peak));
    }
  }
}

}  // namespace

int main() {
  const auto [images, labels] = stripes(1024, 1);
  DataLoader loader(images, labels, {.batch = 32, .shuffle = true, .seed = 1, .scale = 1 / 255.0F});
  Model model = small_network();
  Generator random(1);
  initialize(model, random);
  train(model, loader, 4, 0.02);

  // Quantization-aware fine-tuning: batch norms stay trainable, weights and activations are rounded as int8 will round them.
  Model qat = prepare(fuse(model, Aim::training), {{"", octet_qat_qconfig()}});
  train(qat, loader, 1, 0.005);
  freeze_bn_stats(qat);   // batch norms use what they will be deployed with
  disable_observer(qat);  // ranges stand still
  train(qat, loader, 1, 0.001);
  const Model int8 = convert(qat);

  const std::string file = (std::filesystem::temp_directory_path() / "octet_example.safetensors").string();
  save_model(file, int8);
  const Model loaded = load_model(file).model;
  std::filesystem::remove(file);

  const auto [test_images, test_labels] = stripes(512, 2);
  const Batch test = DataLoader(test_images, test_labels, {.batch = 512, .scale = 1 / 255.0F}).batch(0);
  const Tensor expected = infer(model, {&test.inputs, 1})[0];
  const Tensor logits = run_batched(bind(loaded), test.inputs, 64);
  std::printf("float: %lld of 512 right, int8 after fine-tuning: %lld\n", static_cast<long long>(correct(expected, test.labels)),
              static_cast<long long>(correct(logits, test.labels)));
  return correct(logits, test.labels) > 450 ? 0 : 1;
}
