// SPDX-License-Identifier: Apache-2.0
// The main job on real pictures: train a small CNN on Fashion-MNIST, quantize it three ways, and print what int8 cost and gave.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>

#include "compile/program.h"
#include "engine/data.h"
#include "engine/loss.h"
#include "engine/optimizer.h"
#include "examples/fashion_mnist/network.h"
#include "io/fashion_mnist.h"
#include "io/model_file.h"
#include "kernels/f32/f32.h"
#include "kernels/parallel.h"
#include "numeric_suite/compare.h"
#include "quant/quantize.h"
#include "tools/program.h"
#include "tools/progress.h"

namespace octet::demo {
namespace {

struct Options {
  std::string data = "/usr/share/datasets/fashion-mnist", out = "fashion_mnist_models";
  int epochs = 10, qat_epochs = 1, batch = 128, threads = 0;
  int64_t calibration_images = 2000, train_images = 60000;
  uint64_t seed = 1;
  double peak_rate = 0.2, qat_rate = 0.01;
};

struct Data {
  DataLoader train, test, calibration;
  Tensor test_images;  // normalised floats
  Tensor test_labels;
};

/// All batches of a loader as one tensor.
Tensor all_inputs(const DataLoader& loader) {
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < loader.batches(); ++i) parts.push_back(loader.batch(i).inputs);
  return concat(parts, 0);
}

Data load(const Options& o) {
  FashionMnist set = load_fashion_mnist(o.data);
  const auto first = [](const Tensor& t, int64_t n) { return slice_rows(t, 0, std::min(n, t.size(0))); };
  const DataLoaderOptions plain{.batch = 100, .scale = kPixelScale, .shift = kPixelShift};
  DataLoaderOptions shuffled = plain;
  shuffled.batch = o.batch, shuffled.shuffle = true, shuffled.drop_last = true, shuffled.seed = o.seed;
  const Tensor train_images = first(set.train_images, o.train_images), train_labels = first(set.train_labels, o.train_images);
  DataLoader train(train_images, train_labels, shuffled), test(set.test_images, set.test_labels, plain);
  // Calibration pictures come from the training set: the test set is for judging only.
  DataLoader calibration(first(train_images, o.calibration_images), first(train_labels, o.calibration_images), plain);
  Tensor test_images = all_inputs(test);
  return {std::move(train), std::move(test), std::move(calibration), std::move(test_images), set.test_labels};
}

/// Epochs over the training set; `rate(step, steps)` is the schedule, `at_epoch` runs before each epoch.
void train(Model& model, DataLoader& data, const std::string& title, int epochs,
           const std::function<double(int64_t, int64_t)>& rate, const std::function<void(int)>& at_epoch = {}) {
  Sgd sgd({.momentum = 0.9, .weight_decay = 5e-4});
  const int64_t steps = epochs * data.batches();
  const double images = static_cast<double>(data.batch(0).labels.numel());
  tools::ProgressBar bar(title, steps, "images", images);
  int64_t step = 0;
  double smooth = 0;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    data.start(epoch);
    if (at_epoch) at_epoch(epoch);
    for (int64_t b = 0; b < data.batches(); ++b, ++step) {
      const Batch batch = data.batch(b);
      Var loss = cross_entropy(forward(model, {&batch.inputs, 1}, Mode::train)[0], batch.labels);
      const double value = loss.value().item();
      check(std::isfinite(value), title, ": the loss is ", value, " at step ", step, "; lower the learning rate");
      smooth = step == 0 ? value : 0.98 * smooth + 0.02 * value;
      sgd.step(model, backward(std::move(loss)), rate(step, steps));
      bar.update(step + 1, fmt::format("epoch {}/{}  loss {:.3f}", epoch + 1, epochs, smooth));
    }
  }
}

Model post_training(const Model& model, const Data& data, const QConfig& qconfig, const std::string& title,
                    Model* keep_prepared = nullptr) {
  Model prepared = prepare(fuse(model, Aim::inference), {{"", qconfig}});
  tools::ProgressBar bar(title, data.calibration.batches(), "images", 100);
  const Batches batches(data.calibration.batches(), [&](int64_t i) { return data.calibration.batch(i).inputs; });
  calibrate(prepared, batches, [&](int64_t done, int64_t) {
    bar.update(done);
    return true;
  });
  if (keep_prepared) *keep_prepared = prepared;
  return convert(prepared);
}

Model quantization_aware(const Model& model, Data& data, const Options& o) {
  Model prepared = prepare(fuse(model, Aim::training), {{"", octet_qat_qconfig()}});
  // A short fine-tuning: ranges and batch statistics settle in the first epochs; the last one trains against fixed ones.
  train(
      prepared, data.train, "QAT fine-tuning", o.qat_epochs,
      [&](int64_t step, int64_t steps) { return cosine_rate(step, steps, o.qat_rate); },
      [&](int epoch) {
        if (epoch > 0 && epoch == o.qat_epochs - 1) disable_observer(prepared), freeze_bn_stats(prepared);
      });
  disable_observer(prepared);
  return convert(prepared);
}

struct Row {
  std::string name;
  double accuracy, sqnr_db;  // sqnr_db: NaN for the reference itself
  int64_t bytes;
  double images_per_second;
};

Row measure(const std::string& name, const Model& model, const Data& data, const Tensor* reference, Tensor* logits_out = nullptr) {
  constexpr int64_t kBatch = 100;
  const auto program = Program::bind(model);
  run_batched(program, slice_rows(data.test_images, 0, kBatch), kBatch);  // warm
  const double begin = tools::now();
  Tensor logits = run_batched(program, data.test_images, kBatch);
  const double seconds = tools::now() - begin;
  Row row{name, static_cast<double>(count_correct(logits, data.test_labels)) / static_cast<double>(data.test_labels.numel()),
          reference ? sqnr(*reference, logits) : NAN, parameter_bytes(model),
          static_cast<double>(data.test_labels.numel()) / seconds};
  if (logits_out) *logits_out = std::move(logits);
  return row;
}

void print_table(const std::vector<Row>& rows) {
  fmt::print("\n{:<34} {:>9} {:>9} {:>9} {:>10}\n", "model", "accuracy", "SQNR dB", "bytes", "images/s");
  for (const Row& r : rows)
    fmt::print("{:<34} {:>8.2f}% {:>9} {:>9} {:>10.0f}\n", r.name, 100 * r.accuracy,
               std::isnan(r.sqnr_db) ? "-" : fmt::format("{:.2f}", r.sqnr_db), r.bytes, r.images_per_second);
}

/// FNV-1a of a tensor's bytes.
uint64_t digest(const Tensor& t) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto* bytes = static_cast<const uint8_t*>(t.raw());
  for (size_t i = 0; i < t.bytes(); ++i) hash = (hash ^ bytes[i]) * 0x100000001b3;
  return hash;
}

/// Speed of every engine, one picture and a hundred at a time, and the logits' bytes of all test pictures: they may not differ.
void compare_engines(const std::string& name, const Model& model, const Data& data) {
  std::vector<QEngine> engines{QEngine::automatic};
  for (const QEngineInfo& info : qengines())
    if (info.available) engines.push_back(info.engine);
  const int64_t images = data.test_images.size(0);
  std::vector<Tensor> singles;
  for (int64_t i = 0; i < images; ++i) singles.push_back(slice_rows(data.test_images, i, i + 1));
  std::vector<int> counts{1};
  if (threads() > 1) counts.push_back(threads());
  fmt::print("\n{}, logits of all {} test images on every engine:\n{:<12} {:>7} {:>9} {:>10}  {}\n", name, images, "engine",
             "threads", "µs/image", "images/s", "logits");
  std::optional<uint64_t> expected;
  for (const QEngine engine : engines) {
    const auto program = Program::bind(model, engine);
    for (const int n : counts) {
      const ThreadsScope scope(n);
      const double begin = tools::now();
      const Tensor logits = run_batched(program, data.test_images, 100);
      const double together = tools::now() - begin;
      double alone = 0;
      Session session(program, {singles[0].shape()});
      std::vector<Tensor> parts;
      for (const Tensor& x : singles) {
        const double from = tools::now();
        const Tensor& y = session.run({&x, 1})[0];
        alone += tools::now() - from;
        parts.push_back(dequantize(y));
      }
      const uint64_t hash = digest(logits);
      check(digest(concat(parts, 0)) == hash, name, ": ", to_string(engine), " gives other bytes one picture at a time");
      if (!expected) expected = hash;
      check(hash == *expected, name, ": ", to_string(engine), " on ", n, " threads gives other bytes");
      fmt::print("{:<12} {:>7} {:>9.2f} {:>10.0f}  {:016x}\n", to_string(engine), n, 1e6 * alone / static_cast<double>(images),
                 static_cast<double>(images) / together, hash);
    }
  }
}

/// Saves, loads and compares every byte of the outputs on the first thousand test pictures.
void prove_round_trip(const std::string& folder, const std::string& name, const Model& model, const Data& data) {
  const std::string path = folder + "/" + name + ".safetensors";
  save_model(path, model);
  const LoadedModel loaded = load_model(path, make_hook);
  for (const std::string& note : loaded.notes) fmt::print("  note: {}\n", note);
  const Tensor x = slice_rows(data.test_images, 0, std::min<int64_t>(1000, data.test_images.size(0)));
  const Tensor a = infer(model, {&x, 1})[0], b = infer(loaded.model, {&x, 1})[0];
  check(a.shape() == b.shape() && a.dtype() == b.dtype() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0, path,
        ": the loaded model's outputs differ from the saved one's");
  fmt::print("  {:<28} {:>8} bytes, {} outputs equal after loading\n", path, std::filesystem::file_size(path), a.numel());
}

int run(const Options& o) {
  tools::make_output_folder(o.out);
  set_threads(o.threads);
  const double begin = tools::now();
  Data data = load(o);
  fmt::print("Fashion-MNIST: {} training and {} test images; float kernels {}, {} threads\n", data.train.samples(),
             data.test.samples(), f32::isa(), threads());
  for (const QEngineInfo& info : qengines())
    fmt::print("int8 engine {}: {}\n", to_string(info.engine),
               info.available ? fmt::format("{} {}", info.version.empty() ? "available" : info.version, info.isa)
                              : "not used, " + info.why_not);
  tools::require_output();

  Model model = network();
  Generator generator(o.seed);
  initialize(model, generator);
  train(model, data.train, "float training", o.epochs,
        [&](int64_t step, int64_t steps) { return one_cycle_rate(step, steps, o.peak_rate); });
  const double trained = tools::now();

  Tensor reference;
  Model prepared;
  std::vector<Row> table{measure("float32", model, data, nullptr, &reference)};
  const Model per_tensor = post_training(model, data, default_qconfig(), "PTQ per tensor");
  table.push_back(measure("int8 PTQ per tensor, min-max", per_tensor, data, &reference));
  const Model per_channel = post_training(model, data, octet_qconfig(), "PTQ per channel", &prepared);
  table.push_back(measure("int8 PTQ per channel, histogram", per_channel, data, &reference));
  const Model qat = quantization_aware(model, data, o);
  table.push_back(
      measure(fmt::format("int8 QAT per channel, {} epoch{}", o.qat_epochs, o.qat_epochs == 1 ? "" : "s"), qat, data, &reference));
  print_table(table);
  compare_engines("int8 PTQ per channel", per_channel, data);

  const Tensor few = slice_rows(data.test_images, 0, std::min<int64_t>(200, data.test_images.size(0)));
  fmt::print("\nint8 PTQ per channel against float, module by module (end to end, {} images):\n{}", few.size(0),
             to_table(compare_outputs(model, per_channel, {&few, 1})));

  fmt::print("\nSaved models:\n");
  prove_round_trip(o.out, "float", model, data);
  prove_round_trip(o.out, "prepared", prepared, data);
  prove_round_trip(o.out, "int8_per_tensor", per_tensor, data);
  prove_round_trip(o.out, "int8_per_channel", per_channel, data);
  prove_round_trip(o.out, "int8_qat", qat, data);
  fmt::print("\n{} for training, {} in all; peak memory {} MiB\n", tools::clock_text(trained - begin),
             tools::clock_text(tools::now() - begin), tools::peak_memory() >> 20);
  return 0;
}

}  // namespace
}  // namespace octet::demo

int main(int argc, char** argv) {
  octet::demo::Options o;
  CLI::App app(
      "Trains a small CNN on Fashion-MNIST, quantizes it per tensor, per channel and by quantization-aware training,\n"
      "and prints accuracy, SQNR, size and speed of each.",
      "fashion_mnist_demo");
  app.add_option("--data", o.data, "folder with Fashion-MNIST's four *-ubyte.gz files")->capture_default_str();
  app.add_option("--out", o.out, "folder the models are saved to")->capture_default_str();
  app.add_option("--epochs", o.epochs, "float training epochs")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--qat-epochs", o.qat_epochs, "quantization-aware fine-tuning epochs")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--batch", o.batch, "training batch")->check(CLI::Range(2, 10000))->capture_default_str();
  app.add_option("--rate", o.peak_rate, "peak of the one-cycle learning rate")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--qat-rate", o.qat_rate, "first learning rate of the fine-tuning")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--train-images", o.train_images, "use only the first so many training images")
      ->check(CLI::Range(100, 60000))
      ->capture_default_str();
  app.add_option("--calibration-images", o.calibration_images, "training images shown to the observers")
      ->check(CLI::Range(1, 60000))
      ->capture_default_str();
  app.add_option("--seed", o.seed, "seed of initialisation and shuffling")->capture_default_str();
  app.add_option("--threads", o.threads, "threads; 0 = all")->check(CLI::Range(0, 1024))->capture_default_str();
  return octet::tools::run_program(app, argc, argv, [&] { return octet::demo::run(o); });
}
