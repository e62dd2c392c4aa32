// SPDX-License-Identifier: Apache-2.0
// Whole models: the same bytes on every engine, for every batch split and 1 to 3 threads; engines by path; what programs report.
#include <cstring>
#include <thread>

#include "compile/program.h"
#include "kernels/parallel.h"
#include "tests/numerics/reference_models.h"
#include "tests/onednn/support.h"
#include "tests/same.h"

namespace octet::testing {
namespace {

using Catch::Matchers::Contains;

/// First layer, depthwise, pointwise, a residual, linear: what mobile networks are made of.
Model small_network() {
  Model m;
  m.add("x", Input{{1, 17, 15, 3}});
  m.add("stem", Conv2d{.in = 3, .out = 32, .stride = {2, 2}, .padding = {1, 0, 0, 1}, .act = Activation::relu});
  const int stem = m.add("expand", Conv2d{.in = 32, .out = 32, .kernel = {1, 1}, .act = Activation::relu6});
  m.add("depthwise", Conv2d{.in = 32, .out = 32, .padding = pad_all(1), .groups = 32, .act = Activation::relu6});
  const int project = m.add("project", Conv2d{.in = 32, .out = 32, .kernel = {1, 1}});
  m.add("sum", Binary{BinaryFn::add}, {project, stem});
  m.add("pool", Pool2d{.kind = Pool::adaptive_average});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{32, 10});
  return m;
}

struct Quantized {
  const char* name;
  Model int8;
  Tensor data;
};

Quantized quantized(const char* name, Model model, uint64_t seed, const std::function<Tensor(Generator&)>& data) {
  Generator g(seed);
  initialize(model, g);
  const Tensor x = data(g);
  Model p = prepare(fuse(model, Aim::inference), {{"", octet_qconfig()}});
  calibrate(p, {&x, 1});
  return {name, convert(p), x};
}

std::vector<Quantized> models() {
  const auto pictures = [](Generator& g) { return reference::pictures(g, 12); };
  return {quantized("multiple ops", reference::multiple_ops(), 11, pictures),
          quantized("multiple ops without an average pool", reference::multiple_ops_no_avg_pool(), 12, pictures),
          quantized("small network", small_network(), 13, [](Generator& g) {
            return randn(g, {12, 17, 15, 3});
          })};
}

TEST_CASE("whole models give the same bytes on every engine, for 1 to 3 threads and every batch split") {
  int by_onednn = 0;
  const auto check = [&](const Quantized& m, bool native) {
    INFO(m.name << ", native " << native);
    const auto without = native ? nullptr : std::make_unique<WithoutNative>();
    const Tensor expected = Session(Program::bind(m.int8, QEngine::reference), {m.data.shape()}).run({&m.data, 1})[0];
    CHECK(same(expected, infer(m.int8, {&m.data, 1})[0]));
    const auto program = Program::bind(m.int8);
    if (!native)
      for (const Placement& p : program->placements()) by_onednn += p.engine == QEngine::onednn;
    for (const int n : {1, 2, 3}) {
      const ThreadsScope scope(n);
      Session session(program, {m.data.shape()});
      for (int run = 0; run < 2; ++run) CHECK(same(session.run({&m.data, 1})[0], expected));
      for (const int64_t batch : {2, 4, 12}) {
        std::vector<Tensor> parts;
        for (int64_t begin = 0; begin < 12; begin += batch) {
          const Tensor x = slice_rows(m.data, begin, begin + batch);
          parts.push_back(dequantize(Session(program, {x.shape()}).run({&x, 1})[0]));
        }
        if (std::string(m.name) == "small network") CHECK(same(concat(parts, 0), dequantize(expected)));
      }
    }
  };
  for (const Quantized& m : models())
    for (const bool native : {true, false}) check(m, native);
  std::printf("onednn: %d modules of the models\n", by_onednn);
  CHECK((by_onednn >= 5) == onednn_info().available);
}

TEST_CASE("sessions of one program on one engine run in several threads at once") {
  const Quantized m = models()[2];
  const auto program = Program::bind(m.int8);
  const Tensor expected = Session(Program::bind(m.int8, QEngine::reference), {m.data.shape()}).run({&m.data, 1})[0];
  std::vector<int> good(4);
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back([&, i] {
      Session session(program, {m.data.shape()});
      for (int run = 0; run < 20; ++run) good[static_cast<size_t>(i)] += same(session.run({&m.data, 1})[0], expected);
    });
  for (std::thread& w : workers) w.join();
  CHECK(good == std::vector<int>{20, 20, 20, 20});
}

TEST_CASE("one kernel runs in several threads at once") {
  Rng rng(4);
  kernels::Conv2dArgs a = args_of(kConvShapes[0]);
  a.output = {0.01f, 3, 0, 255};
  auto blobs = std::make_shared<Blobs>();
  blobs->weight = std::vector<int8_t>(static_cast<size_t>(a.out_c * 9 * a.in_c), 3),
  blobs->scale.assign(static_cast<size_t>(a.out_c), 1.0f);
  const auto x = codes(rng, Fill::random, static_cast<size_t>(a.batch * a.in_h * a.in_w * a.in_c), 0, 255, 0);
  const auto kernel = make(a, blobs, QEngine::automatic).kernel;
  const size_t n = static_cast<size_t>(output_bytes(a));
  std::vector<uint8_t> expected(n);
  const void* inputs[] = {x.data()};
  make(a, blobs, QEngine::reference).kernel->run(inputs, expected.data());
  std::vector<int> good(4);
  std::vector<std::thread> workers;
  for (size_t i = 0; i < 4; ++i)
    workers.emplace_back([&, i] {
      std::vector<uint8_t> y(n);
      for (int run = 0; run < 50; ++run) {
        y.assign(n, 0);
        kernel->run(inputs, y.data());
        good[i] += y == expected;
      }
    });
  for (std::thread& w : workers) w.join();
  CHECK(good == std::vector<int>{50, 50, 50, 50});
}

TEST_CASE("engines are chosen by path, the longest prefix wins and an unknown one is refused") {
  const WithoutNative guard;
  const Quantized m = models()[2];
  const auto program = Program::bind(m.int8, QEngine::automatic, {{"fc", QEngine::reference}, {"project", QEngine::reference}});
  const bool can = onednn_info().available;
  for (const Placement& p : program->placements()) {
    INFO(p.path << ": " << p.implementation << " " << p.why);
    if (p.path == "fc" || p.path == "project") {
      CHECK(p.engine == QEngine::reference);
      CHECK(p.why.empty());
    }
    if (p.path == "stem") {
      CHECK(p.engine == (can ? QEngine::onednn : QEngine::reference));
      CHECK(p.why.empty() == can);
    }
    if (p.path == "pool") CHECK_THAT(p.why, Contains("only convolution and linear"));
  }
  const auto inverse = Program::bind(m.int8, QEngine::automatic, {{"", QEngine::reference}, {"stem", QEngine::automatic}});
  for (const Placement& p : inverse->placements())
    if (p.macs > 0 && p.path != "stem") CHECK(p.engine == QEngine::reference);
  CHECK(inverse->engine("stem") == QEngine::automatic);
  CHECK(inverse->engine("stem2") == QEngine::reference);
  CHECK_THROWS_WITH(Program::bind(m.int8, QEngine::automatic, {{"nowhere", QEngine::reference}}),
                    Contains("\"nowhere\" matches no module"));
}

TEST_CASE("asking for onednn gives it, with the reference behind it, or says why it is not there") {
  const Quantized m = models()[2];
  if (!onednn_info().available) {
    CHECK_THROWS_WITH(Program::bind(m.int8, QEngine::onednn), Contains("the engine onednn is not available: onednn: "));
    CHECK_THROWS_WITH(Program::bind(m.int8, QEngine::reference, {{"fc", QEngine::onednn}}), Contains("is not available"));
    return;
  }
  Session session(Program::bind(m.int8, QEngine::onednn), {m.data.shape()});
  CHECK(same(session.run({&m.data, 1})[0], infer(m.int8, {&m.data, 1})[0]));
}

}  // namespace
}  // namespace octet::testing
