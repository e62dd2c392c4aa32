// SPDX-License-Identifier: Apache-2.0
// Checkpoints: a run that stops anywhere and goes on in another process ends with the bytes of one that did not stop; what is
// damaged or belongs to something else is refused and changes nothing.
#include "io/checkpoint.h"

#include <algorithm>
#include <cmath>

#include "engine/data.h"
#include "engine/loss.h"
#include "engine/optimizer.h"
#include "io/safetensors.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/io/temp_dir.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;

namespace {

/// Momentum, weight decay, batch norms, dropout: everything that a training step moves.
Model network() {
  Model m;
  m.add("image", Input{{1, 6, 6, 2}});
  m.add("conv", Conv2d{.in = 2, .out = 4, .padding = pad_all(1), .bias = false});
  m.add("bn", BatchNorm{4});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("flatten", Reshape{{0, -1}});
  m.add("hidden", Linear{.in = 144, .out = 8, .act = Activation::relu});
  m.add("drop", Dropout{0.3});
  m.add("head", Linear{8, 3});
  Generator random(5);
  initialize(m, random);
  return m;
}

DataLoader data() {
  Generator random(3);
  Tensor labels(Shape{48}, DType::i32);
  for (int32_t& l : labels.mutable_data<int32_t>()) l = static_cast<int32_t>(random.integer(0, 3));
  return {randn(random, {48, 6, 6, 2}), labels, {.batch = 12, .shuffle = true, .seed = 9}};
}

/// What a run holds in memory.
struct Run {
  Model model = prepare(fuse(network(), Aim::training), {{"", octet_qat_qconfig()}});
  Sgd sgd{{.momentum = 0.9, .weight_decay = 1e-3, .nesterov = true}};
  Generator dropout{7};

  Checkpoint checkpoint(int64_t epoch, int64_t step) const {
    return {.model = model, .states = {{"sgd", sgd.state()}, {"dropout", dropout.state()}}, .epoch = epoch, .step = step};
  }
  void resume(Checkpoint c) {
    model = std::move(c.model);
    sgd.load(c.state("sgd")), dropout.load(c.state("dropout"));
  }
  void step(DataLoader& loader, int64_t batch, int64_t number, int64_t all) {
    const Batch b = loader.batch(batch);
    dropout.normal();  // keeps the second of a pair for the next step
    Var loss = cross_entropy(forward(model, {&b.inputs, 1}, Mode::train, {.random = &dropout})[0], b.labels);
    sgd.step(model, backward(std::move(loss)), cosine_rate(number, all, 0.05));
  }
  /// Epochs [c.epoch, kEpochs), the first of them from step c.step; stops before step `stop` of them all and says where.
  std::optional<Checkpoint> train(int64_t epoch, int64_t step, int64_t stop) {
    DataLoader loader = data();
    const int64_t batches = loader.batches(), all = kEpochs * batches;
    for (; epoch < kEpochs; ++epoch, step = 0) {
      loader.start(epoch);
      if (step == 0 && epoch == kEpochs - 1) disable_observer(model), freeze_bn_stats(model);
      for (; step < batches; ++step) {
        if (epoch * batches + step == stop) return checkpoint(epoch, step);
        this->step(loader, step, epoch * batches + step, all);
      }
    }
    return std::nullopt;
  }
  static constexpr int64_t kEpochs = 3;
};

}  // namespace

TEST_CASE("quantization-aware training interrupted before any step ends with the same bytes", "[checkpoint]") {
  Run whole;
  const Bytes begin = model_bytes(whole.model, "begin");
  REQUIRE(!whole.train(0, 0, -1));
  const Bytes trained = model_bytes(whole.model, "m"), int8 = model_bytes(convert(whole.model), "m");
  REQUIRE((trained != begin));  // the run moved something
  const int64_t steps = Run::kEpochs * data().batches();
  REQUIRE(steps == 12);
  TempDir dir;
  for (int64_t stop = 0; stop < steps; ++stop) {
    INFO("stopped before step " << stop);
    Run first;
    const std::optional<Checkpoint> at = first.train(0, 0, stop);
    REQUIRE(at.has_value());
    save_checkpoint(dir / "run", *at);
    Run second;
    second.dropout.skip(stop + 1);  // nothing of what it was made with may count
    second.sgd = Sgd({});
    Checkpoint loaded = load_checkpoint(dir / "run", make_hook);
    CHECK(loaded.notes.empty());
    const int64_t epoch = loaded.epoch, step = loaded.step;
    REQUIRE(epoch * data().batches() + step == stop);
    second.resume(std::move(loaded));
    REQUIRE(!second.train(epoch, step, -1));
    CHECK((model_bytes(second.model, "m") == trained));
    CHECK((model_bytes(convert(second.model), "m") == int8));
    CHECK((checkpoint_bytes(second.checkpoint(0, 0), "c") == checkpoint_bytes(whole.checkpoint(0, 0), "c")));
  }
  CHECK(dir.entries() == 1);
}

TEST_CASE("a run that goes on without the optimizer's or the generator's state ends elsewhere", "[checkpoint]") {
  Run whole;
  whole.train(0, 0, -1);
  const Bytes trained = model_bytes(whole.model, "m");
  for (const bool lose_velocity : {true, false}) {
    Run first, second;
    Checkpoint c = *first.train(0, 0, 6);
    second.resume(c);
    if (lose_velocity)
      second.sgd = Sgd({.momentum = 0.9, .weight_decay = 1e-3, .nesterov = true});
    else
      second.dropout = Generator(7);
    second.train(c.epoch, c.step, -1);
    CHECK((model_bytes(second.model, "m") != trained));
  }
}

TEST_CASE("a calibration interrupted after any batch ends with the same bytes", "[checkpoint]") {
  Generator random(4);
  std::vector<Tensor> batches;
  for (int i = 0; i < 6; ++i) {
    batches.push_back(uniform(random, {8, 6, 6, 2}, -1 - i, 1 + i));  // every batch widens the ranges
    if (i == 3) batches.back().mutable_data<float>()[5] = 1e30F;      // for the guard, which remembers, too
  }
  for (const QConfig& qconfig : {octet_qconfig(), default_per_channel_qconfig(), octet_qat_qconfig()}) {
    const Model prepared = prepare(fuse(network(), Aim::inference), {{"", qconfig}});
    Model whole = prepared;
    REQUIRE(calibrate(whole, batches) == 6);
    const Bytes expected = model_bytes(whole, "m"), int8 = model_bytes(convert(whole), "m");
    for (int64_t stop = 1; stop < 6; ++stop) {
      INFO("stopped after batch " << stop);
      Model first = prepared;
      const Batches all = batches;
      REQUIRE(calibrate(first, all, [&](int64_t done, int64_t) { return done < stop; }) == stop);
      const Bytes file = checkpoint_bytes({.model = first, .step = stop}, "c");
      CHECK((model_bytes(first, "m") != expected));
      Checkpoint loaded = parse_checkpoint(file, "c", make_hook);
      REQUIRE(calibrate(loaded.model, all.rest(loaded.step)) == 6 - stop);
      CHECK((model_bytes(loaded.model, "m") == expected));
      CHECK((model_bytes(convert(loaded.model), "m") == int8));
    }
  }
}

TEST_CASE("a generator draws on from its state, whatever it drew before", "[checkpoint]") {
  for (const int64_t skipped : {0, 1, 623, 624, 625, 1300})
    for (const bool pair : {false, true}) {
      Generator a(11);
      a.skip(skipped);
      if (pair) a.normal();
      Generator b(99);
      b.normal();
      b.load(a.state());
      CHECK(a.normal() == b.normal());
      for (int i = 0; i < 700; ++i) REQUIRE(a.next32() == b.next32());
    }
}

TEST_CASE("a state that is none, or another's, is refused and changes nothing", "[checkpoint]") {
  Run run;
  run.train(0, 0, 3);
  const StateDict sgd = run.sgd.state(), random = run.dropout.state();
  REQUIRE(sgd.size() > 5);
  const auto refused = [&](auto& holder, StateDict bad, const char* what) {
    const Bytes before = checkpoint_bytes(run.checkpoint(0, 0), "c");
    CHECK_THROWS_WITH(holder.load(bad), Contains(what));
    CHECK((checkpoint_bytes(run.checkpoint(0, 0), "c") == before));
  };
  const auto with = [](StateDict s, const std::string& key, Tensor t) {
    s.insert_or_assign(key, std::move(t));
    return s;
  };
  refused(run.sgd, {}, "Sgd state: \"options\" is missing");
  refused(run.sgd, random, "Sgd state: \"options\" is missing");
  refused(run.sgd, with(sgd, "options", Tensor::zeros({2}, DType::f64)), "has 2 values, expected 3");
  refused(run.sgd, with(sgd, "options", Tensor::full({3}, -1, DType::f64)), "options");
  refused(run.sgd, with(sgd, "options", Tensor::full({3}, NAN, DType::f64)), "options");
  refused(run.sgd, with(sgd, "momentum", Tensor::zeros({2})), "\"momentum\" is no part of it");
  refused(run.sgd, with(sgd, "velocity/x", Tensor::zeros({2}, DType::i32)), "\"velocity/x\" is i32, expected floats");
  refused(run.dropout, sgd, "Generator state: \"words\" is missing");
  refused(run.dropout, with(random, "words", Tensor::zeros({624}, DType::i32)), "all words are zero");
  refused(run.dropout, with(random, "words", Tensor::zeros({623}, DType::i32)), "623 words");
  refused(run.dropout, with(random, "words", Tensor::zeros({624})), "\"words\" is f32, expected i32");
  refused(run.dropout, with(random, "next", Tensor::full({1}, 625, DType::i32)), "place 625 of 624");
  refused(run.dropout, with(random, "next", Tensor::full({1}, -1, DType::i32)), "place -1 of 624");
  refused(run.dropout, with(random, "normal", Tensor::zeros({2}, DType::f64)), "2 normals");
  refused(run.dropout, with(random, "normal", Tensor::full({1}, INFINITY, DType::f64)), "a normal of inf");
}

TEST_CASE("a checkpoint's model loads as a model with a note, a model is no checkpoint", "[checkpoint]") {
  Run run;
  run.train(0, 0, 2);
  const Bytes file = checkpoint_bytes(run.checkpoint(1, 2), "run");
  const LoadedModel loaded = parse_model(file, "run", make_hook);
  CHECK((model_bytes(loaded.model, "m") == model_bytes(run.model, "m")));
  REQUIRE(loaded.notes.size() == 1);
  CHECK_THAT(loaded.notes[0], Contains("run: is a checkpoint of a training run; only its model is read"));
  CHECK_THROWS_WITH(parse_checkpoint(model_bytes(run.model, "m"), "m", make_hook), Contains("m: is no checkpoint"));
  CHECK_THROWS_WITH(parse_checkpoint(file, "run"), Contains("run: ") && Contains("unknown hook kind"));
  const Checkpoint c = parse_checkpoint(file, "run", make_hook);
  CHECK(c.epoch == 1);
  CHECK(c.step == 2);
  CHECK_THROWS_WITH(c.state("adam"), Contains("has no state \"adam\", only dropout, sgd"));
}

TEST_CASE("what a checkpoint could not load again is not written", "[checkpoint]") {
  TempDir dir;
  Checkpoint c{.model = network()};
  save_checkpoint(dir / "good", c);
  const Bytes good = read_file(dir / "good", 1 << 20);
  const auto refused = [&](const Checkpoint& bad, const char* what) {
    CHECK_THROWS_WITH(save_checkpoint(dir / "good", bad), Contains(what));
    CHECK((read_file(dir / "good", 1 << 20) == good));
  };
  refused({.model = c.model, .epoch = -1}, "must not be negative");
  refused({.model = c.model, .states = {{"a/b", {}}}}, "'a/b' cannot name a state");
  refused({.model = c.model, .states = {{"", {}}}}, "cannot name a state");
  const QParams q{.scale = {1}, .zero_point = {0}, .qmin = 0, .qmax = 255};
  refused({.model = c.model, .states = {{"a", {{"x", Tensor::zeros({2}, DType::u8).with(q)}}}}}, "holds codes");
  Checkpoint named;
  named.model.add("image", Input{{1, 4}});
  named.model.add("checkpoint/x", Linear{4, 2});
  Generator random(1);
  initialize(named.model, random);
  refused(named, "named like a checkpoint's state");
}

TEST_CASE("a checkpoint with one byte changed, cut short or edited is refused", "[checkpoint]") {
  Run run;
  run.train(0, 0, 2);
  const Bytes file = checkpoint_bytes(run.checkpoint(0, 2), "run");
  for (size_t at = 0; at < file.size(); at += 97) {
    Bytes bad = file;
    bad[at] ^= std::byte{0x10};
    REQUIRE_THROWS_AS(parse_checkpoint(bad, "run", make_hook), Error);
  }
  for (const size_t size : {size_t{0}, size_t{7}, file.size() / 2, file.size() - 1})
    REQUIRE_THROWS_AS(parse_checkpoint(std::span(file).first(size), "run", make_hook), Error);
  const auto edited = [&](const char* json, const char* what) {
    SafeTensors parts = parse_safetensors(file, "run");
    parts.metadata["octet.checkpoint"] = json;
    CHECK_THROWS_WITH(parse_checkpoint(safetensors_bytes(parts, "run"), "run", make_hook), Contains(what));
  };
  edited("{\"version\": 2, \"epoch\": 0, \"step\": 0, \"states\": {}}", "version 2 is unknown");
  edited("{\"version\": 1, \"epoch\": -1, \"step\": 0, \"states\": {}}", "epoch: -1");
  edited("{\"version\": 1, \"epoch\": 0, \"step\": 0, \"states\": []}", "expected a JSON object, got array");
  edited("{\"version\": 1, \"epoch\": 0, \"step\": 0, \"states\": {\"sgd\": [\"x\"]}}", "has no tensor 'checkpoint/sgd/x'");
  edited("{\"version\": 1, \"epoch\": 0, \"step\": 0, \"states\": {}}", "belongs to no module");
  edited("{\"version\": 1, \"epoch\": 0, \"states\": {}}", "lacks 'step'");
}
