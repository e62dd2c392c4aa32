// SPDX-License-Identifier: Apache-2.0
// Quantization-aware training, saving and loading: the code of docs/quantization.md and docs/getting-started.md, as a program.
#include <cstdio>
#include <filesystem>

#include "compile/program.h"
#include "engine/data.h"
#include "engine/loss.h"
#include "engine/optimizer.h"
#include "io/checkpoint.h"
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

/// Leaves a checkpoint after every epoch and goes on from the one it finds: it can be stopped at any time.
void train_resumable(Model& model, DataLoader& loader, int64_t epochs, const std::string& file) {
  Sgd sgd({.momentum = 0.9, .weight_decay = 5e-4});
  Generator dropout(7);
  int64_t epoch = 0;
  if (std::filesystem::exists(file)) {
    Checkpoint found = load_checkpoint(file, make_hook);
    model = std::move(found.model), epoch = found.epoch;
    sgd.load(found.state("sgd")), dropout.load(found.state("dropout"));
  }
  for (; epoch < epochs; ++epoch) {
    loader.start(epoch);
    for (int64_t b = 0; b < loader.batches(); ++b) {
      const Batch batch = loader.batch(b);
      Var loss = cross_entropy(forward(model, {&batch.inputs, 1}, Mode::train, {.random = &dropout})[0], batch.labels);
      sgd.step(model, backward(std::move(loss)), 0.001);
    }
    save_checkpoint(file, {.model = model, .states = {{"sgd", sgd.state()}, {"dropout", dropout.state()}}, .epoch = epoch + 1});
  }
}

/// Whether a run that was stopped after its first epoch ends with the bytes of one that was not.
bool ends_the_same(const Model& qat, DataLoader& loader) {
  const auto run = [&](const char* name, std::initializer_list<int64_t> stops) {
    const std::string file = (std::filesystem::temp_directory_path() / name).string();
    std::filesystem::remove(file);
    Model model;
    for (const int64_t epochs : stops) model = qat, train_resumable(model, loader, epochs, file);
    std::filesystem::remove(file);
    return model_bytes(convert(model), name);
  };
  return run("octet_example_whole", {2}) == run("octet_example_stopped", {1, 2});
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
  const Tensor logits = run_batched(Program::bind(loaded), test.inputs, 64);
  std::printf("float: %lld of 512 right, int8 after fine-tuning: %lld\n",
              static_cast<long long>(count_correct(expected, test.labels)),
              static_cast<long long>(count_correct(logits, test.labels)));
  const bool same = ends_the_same(qat, loader);
  std::printf("fine-tuned on in one go and with a stop between: %s bytes\n", same ? "the same" : "other");
  return same && count_correct(logits, test.labels) > 450 ? 0 : 1;
}
