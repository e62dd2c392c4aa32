// SPDX-License-Identifier: Apache-2.0
// What a session promises beyond its bytes: values share memory where nobody can tell, runs allocate nothing, plans are shared, and
// whatever goes wrong is a named error after which everything still works.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "compile/explain.h"
#include "compile/plan.h"
#include "kernels/parallel.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/compile/allocations.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;

namespace {

constexpr int64_t kRows = 3, kSide = 5;

Model quantized(Model m, const Tensor& data, QConfigMap qconfig = {{"", octet_qconfig()}}) {
  Generator g(3);
  initialize(m, g);
  Model p = prepare(m, qconfig);
  calibrate(p, {&data, 1});
  return convert(p);
}

Tensor pixels(Generator& g) { return randn(g, {kRows, kSide, kSide, 4}); }

void check_session(const Model& int8, const Tensor& x, QEngine engine = QEngine::reference) {
  const std::vector<Tensor> expected = infer(int8, {&x, 1});
  Session session(Program::bind(int8, engine), {x.shape()});
  for (int repeat = 0; repeat < 2; ++repeat) {
    const std::span<const Tensor> got = session.run({&x, 1});
    REQUIRE(got.size() == expected.size());
    for (size_t o = 0; o < got.size(); ++o) {
      INFO("output " << o << ", repeat " << repeat);
      CHECK(same(got[o], expected[o]));
      CHECK(got[o].qparams() == expected[o].qparams());
    }
  }
}

Conv2d conv(int64_t in, int64_t out) { return {.in = in, .out = out, .padding = pad_all(1)}; }

Plan::How how(const Session& session, const Model& model, std::string_view path) {
  return session.plan().steps[static_cast<size_t>(model.index(path))].how;
}

const Plan::Value& value(const Session& session, const Model& model, std::string_view path) {
  return session.plan().values[static_cast<size_t>(session.plan().steps[static_cast<size_t>(model.index(path))].first_value)];
}

/// Any wiring: convolutions, clamps, concatenations, sums, copies of random earlier values; one to three outputs, repeats allowed.
Model random_graph(Generator& g) {
  struct Size {
    int64_t rows, channels;
    bool operator==(const Size&) const = default;
  };
  const auto below = [&](size_t n) { return g.next32() % n; };
  Model m;
  m.add("x", Input{{1, kSide, kSide, 4}});
  std::vector<Size> sizes{{1, 4}};
  for (size_t i = 4 + below(12); i > 0; --i) {
    const size_t a = below(sizes.size()), b = below(sizes.size());
    const std::string path = (below(2) != 0 ? "left." : "right.") + std::to_string(i);
    const std::vector<Wire> one{{static_cast<int>(a), 0}}, two{{static_cast<int>(a), 0}, {static_cast<int>(b), 0}};
    const Size &x = sizes[a], &y = sizes[b];
    Size size = x;
    const size_t kind = below(9);
    if (kind == 0) {
      constexpr UnaryFn kFunctions[] = {UnaryFn::relu, UnaryFn::sigmoid, UnaryFn::hard_swish,
                                        UnaryFn::tanh, UnaryFn::abs,     UnaryFn::elu};
      m.add(path, Unary{kFunctions[below(std::size(kFunctions))]}, one);
    } else if (kind == 1) {
      m.add(path, Pool2d{.kernel = {3, 3}, .stride = {1, 1}, .padding = pad_all(1)}, one);
    } else if (kind == 2) {
      const Op moves[] = {Dropout{}, Flip{{1}}, Slice{{3}, {1}, {x.channels}}, ChannelShuffle{x.channels % 2 == 0 ? 2 : 1}};
      const Op& op = moves[x.channels > 1 ? below(std::size(moves)) : 0];
      size.channels -= std::holds_alternative<Slice>(op);
      m.add(path, op, one);
    } else if (kind == 3 && x == y) {
      constexpr BinaryFn kFunctions[] = {BinaryFn::add, BinaryFn::sub, BinaryFn::mul, BinaryFn::minimum, BinaryFn::maximum};
      m.add(path, Binary{kFunctions[below(std::size(kFunctions))], Activation::relu}, two);
    } else if (kind == 4 && x == y) {
      Conv2d op = conv(x.channels, x.channels);
      op.residual = true;
      m.add(path, op, two);
    } else if (kind == 5 && x.rows == y.rows) {
      m.add(path, Concat{3}, two), size.channels += y.channels;
    } else if (kind == 6 && x.channels == y.channels) {
      m.add(path, Concat{0}, two), size.rows += y.rows;
    } else {
      size.channels = 3 + static_cast<int64_t>(below(2));
      m.add(path, conv(x.channels, size.channels), one);
    }
    sizes.push_back(size);
  }
  for (size_t o = 1 + below(3); o > 0; --o) m.outputs.push_back({static_cast<int>(below(sizes.size())), 0});
  return m;
}

/// All codes mean the same, so that a concatenation only copies.
void share_qparams(Model& int8) {
  for (Module& module : int8.modules)
    if (module.out_q.size() == 1 && module.out_q[0]) module.out_q = int8.modules[0].out_q;
}

}  // namespace

TEST_CASE("a reshape is its input's memory, an output the caller's") {
  Generator g(1);
  Model m;
  m.add("x", Input{{1, kSide, kSide, 4}});
  m.add("conv", conv(4, 2));
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{kSide * kSide * 2, 3});
  const Tensor x = pixels(g);
  const Model int8 = quantized(m, x);
  REQUIRE(summarize(int8).int8_kernels == 2);
  check_session(int8, x);
  const Session session(Program::bind(int8), {x.shape()});
  CHECK(how(session, int8, "rows") == Plan::How::alias);
  CHECK(value(session, int8, "rows").block == value(session, int8, "conv").block);
  CHECK(session.plan().blocks[static_cast<size_t>(value(session, int8, "fc").block)].output == 0);
  const MemoryReport memory = session.memory();
  CHECK(memory.outputs == kRows * 3);
  CHECK(memory.values == kRows * (kSide * kSide * (4 + 2 + 2) + 3));
  CHECK(memory.lower_bound <= memory.arena);
  CHECK(memory.arena < memory.values);
  CHECK(memory.optimal);
}

TEST_CASE("a clamp overwrites its input only where nobody reads it later") {
  Generator g(1);
  const Tensor x = pixels(g);
  for (const bool read_later : {false, true}) {
    Model m;
    m.add("x", Input{{1, kSide, kSide, 4}});
    m.add("conv", conv(4, 4));
    m.add("relu", Unary{UnaryFn::relu});
    if (read_later)
      m.add("sum", Binary{}, {m.index("relu"), m.index("conv")});
    else
      m.add("next", conv(4, 4));
    const Model int8 = quantized(m, x);
    REQUIRE(runs_quantized(int8, int8.index("relu")));
    check_session(int8, x);
    const Session session(Program::bind(int8, QEngine::reference), {x.shape()});
    CHECK((value(session, int8, "relu").block == value(session, int8, "conv").block) != read_later);
  }
}

TEST_CASE("parts of a concatenation that are copied unchanged are computed in place") {
  Generator g(1);
  Model m;
  m.add("x", Input{{1, kSide, kSide, 4}});
  m.add("a", conv(4, 4));
  m.add("b", conv(4, 4), {0});
  m.add("both", Concat{0}, {1, 2});
  m.add("next", conv(4, 2));
  const Tensor x = pixels(g);
  const Model int8 = quantized(m, x);
  const bool equal = int8["a"].out_q == int8["both"].out_q && int8["b"].out_q == int8["both"].out_q;
  check_session(int8, x);
  const Session session(Program::bind(int8, QEngine::reference), {x.shape()});
  CHECK((how(session, int8, "both") == Plan::How::alias) == equal);
  // With one meaning of all codes nothing is left to compute.
  Model shared = int8;
  for (const std::string_view path : {"a", "b"}) shared[path].out_q = shared["both"].out_q;
  check_session(shared, x);
  const Session in_place(Program::bind(shared, QEngine::reference), {x.shape()});
  CHECK(how(in_place, shared, "both") == Plan::How::alias);
  CHECK(value(in_place, shared, "b").block == value(in_place, shared, "both").block);
  CHECK(value(in_place, shared, "b").offset == kRows * kSide * kSide * 4);
}

TEST_CASE("any wiring gives infer's bytes on every engine") {
  Generator g(11);
  int clamps_in_place = 0, aliases = 0, kernels = 0, floats = 0;
  for (int round = 0; round < 300; ++round) {
    INFO("round " << round);
    const Tensor x = pixels(g);
    const Model model = random_graph(g);
    QConfigMap qconfig{{"", octet_qconfig()}};
    const bool has_left =
        std::ranges::any_of(model.modules, [](const Module& module) { return octet::below(module.path, "left"); });
    if (round % 3 == 0 && has_left) qconfig["left"] = std::nullopt;  // float modules in between
    Model int8 = quantized(model, x, qconfig);
    if (round % 2 == 0 && int8.modules[0].out_q.size() == 1) share_qparams(int8);
    for (const QEngineInfo& e : qengines())
      if (e.available) check_session(int8, x, e.engine);
    const Session session(Program::bind(int8, QEngine::reference), {x.shape()});
    for (size_t i = 0; i < int8.modules.size(); ++i) {
      const Plan::Step& step = session.plan().steps[i];
      aliases += step.how == Plan::How::alias, floats += std::ranges::any_of(step.runs, &Plan::Run::floats);
      kernels += step.how == Plan::How::kernels;
      if (step.how == Plan::How::kernels && std::holds_alternative<Unary>(int8.modules[i].op)) {
        const Plan::Value& out = session.plan().values[static_cast<size_t>(step.first_value)];
        const Plan::Value& in = session.plan().values[static_cast<size_t>(step.runs[0].inputs[0].value)];
        clamps_in_place += out.block == in.block;
      }
    }
  }
  CAPTURE(clamps_in_place, aliases, kernels, floats);
  CHECK(clamps_in_place > 20);
  CHECK(aliases > 50);
  CHECK(kernels > 500);
  CHECK(floats > 50);
}

TEST_CASE("an output that the caller keeps is not overwritten by the next run") {
  Generator g(1);
  Model m;
  m.add("x", Input{{1, kSide, kSide, 4}});
  m.add("conv", conv(4, 4));
  const Tensor x = pixels(g), y = pixels(g);
  const Model int8 = quantized(m, x);
  Session session(Program::bind(int8), {x.shape()});
  const Tensor kept = session.run({&x, 1})[0];
  const Tensor before = Tensor::of<uint8_t>(kept.shape(), kept.data<uint8_t>());
  CHECK_FALSE(same(session.run({&y, 1})[0], kept));
  CHECK(same(kept.without_qparams(), before));
}

TEST_CASE("a run of integer kernels allocates nothing") {
  Generator g(1);
  Model m;
  m.add("x", Input{{1, kSide, kSide, 4}});
  m.add("conv", conv(4, 8));
  m.add("more", conv(8, 8));
  m.add("sum", Binary{}, {1, 2});
  m.add("pool", Pool2d{.kind = Pool::adaptive_average});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{8, 3});
  const Tensor x = pixels(g);
  const Model int8 = quantized(m, x);
  REQUIRE(summarize(int8).int8_kernels == 3);
  for (const int n : {1, 2}) {
    Session session(Program::bind(int8, QEngine::reference), {x.shape()}, n);
    session.run({&x, 1});
    const int64_t before = allocations::count();
    for (int i = 0; i < 10; ++i) session.run({&x, 1});
    CHECK(allocations::count() == before);
  }
}

TEST_CASE("sessions that agree in shapes and threads share one plan, and all plans share their tables") {
  Generator g(1);
  Model m;
  m.add("x", Input{{1, kSide, kSide, 4}});
  m.add("conv", conv(4, 8));
  const Model int8 = quantized(m, pixels(g));
  const auto program = Program::bind(int8);
  const Shape two{2, kSide, kSide, 4}, three{3, kSide, kSide, 4};
  Session a(program, {two}, 1), b(program, {two}, 1), c(program, {three}, 1), d(program, {two}, 2);
  CHECK(&a.plan() == &b.plan());
  CHECK(&a.plan() != &c.plan());
  CHECK(&a.plan() != &d.plan());
  CHECK(a.plan().tables[1][0] != nullptr);
  CHECK(a.plan().tables[1][0] == c.plan().tables[1][0]);
  CHECK(d.plan().threads == 2);
}

TEST_CASE("a session runs on the threads it was made for, whatever the caller's are by then") {
  Model m;
  m.add("x", Input{{1, 64, 64, 16}});
  m.add("conv", Conv2d{.in = 16, .out = 32, .padding = pad_all(1)});
  Generator g(1);
  initialize(m, g);
  const Tensor x = randn(g, {1, 64, 64, 16});
  Model p = prepare(m, {{"", octet_qconfig()}});
  calibrate(p, {&x, 1});
  const auto program = Program::bind(convert(p), QEngine::reference);
  const auto tasks = [] {
    namespace fs = std::filesystem;
    return std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator());
  };
  Session one(program, {x.shape()}, 1);
  const auto before = tasks();
  const ThreadsScope many(before + 8);  // more than the pool has
  one.run({&x, 1});
  CHECK(tasks() == before);
  Session own(program, {x.shape()});
  own.run({&x, 1});
  CHECK(tasks() > before);
}

TEST_CASE("no threads, another rounding direction and a second thread are refused by name") {
  Generator g(1);
  Model m;
  m.add("x", Input{{1, 32, 32, 4}});
  m.add("conv", conv(4, 32));
  const Tensor x = randn(g, {8, 32, 32, 4});
  const Model int8 = quantized(m, x);
  const auto program = Program::bind(int8, QEngine::reference);
  CHECK_THROWS_WITH(Session(program, {x.shape()}, 0), Contains("at least 1 thread, got 0"));
  CHECK_THROWS_WITH(Session(program, {x.shape()}, -3), Contains("got -3"));
  Session session(program, {x.shape()}, 1);
  const Tensor expected = session.run({&x, 1})[0];
  CHECK_THROWS_WITH(session.time({&x, 1}, 0), Contains("at least 1 repeat"));

  std::atomic<int> refused{0}, wrong{0};
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto work = [&] {
    while (refused == 0 && std::chrono::steady_clock::now() < until) try {
        session.run({&x, 1});
      } catch (const Error& e) {
        ++refused;
        wrong += std::string(e.what()).find("already running in another thread") == std::string::npos;
      }
  };
  std::thread other(work);
  work();
  other.join();
  CHECK(refused > 0);
  CHECK(wrong == 0);
  CHECK(same(session.run({&x, 1})[0], expected));
}

TEST_CASE("a program survives plans that fail: wrong shapes, and memory that runs out at any point") {
  Generator g(1);
  Model m;
  m.add("x", Input{{1, kSide, kSide, 4}});
  m.add("conv", conv(4, 8));
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{kSide * kSide * 8, 3});
  const Tensor x = pixels(g);
  const Model int8 = quantized(m, x);
  const auto program = Program::bind(int8, QEngine::reference);
  const Tensor expected = infer(int8, {&x, 1})[0];
  CHECK_THROWS_WITH(Session(program, {Shape{3, 7, 7, 4}}), Contains("x: expected an input like [1, 5, 5, 4]"));
  int failures = 0;
  for (int64_t n = 1;; ++n) {
    std::string message;
    std::vector<Shape> shapes{x.shape()};
    allocations::fail_after(n);
    try {
      Session session(program, std::move(shapes), 1);
      allocations::fail_after(0);
      CHECK(same(session.run({&x, 1})[0], expected));
      break;
    } catch (const Error& e) {
      allocations::fail_after(0);
      message = e.what();
    }
    REQUIRE_THAT(message, Contains("out of memory"));
    ++failures;
  }
  CHECK(failures > 50);
}

TEST_CASE("explain tells engine, implementation, time and memory of every layer") {
  Generator g(1);
  Model m;
  m.add("x", Input{{1, kSide, kSide, 4}});
  m.add("conv", conv(4, 8));
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{kSide * kSide * 8, 3});
  const Model int8 = quantized(m, pixels(g));
  const Explanation e = explain(Program::bind(int8, QEngine::reference), {}, 3);
  REQUIRE(e.layers.size() == 4);
  CHECK(e.layers[1].placement.implementation == "reference conv2d");
  CHECK(e.layers[1].micros > 0);
  CHECK(e.layers[2].placement.implementation == "same memory");
  CHECK(e.memory.arena > 0);
  const std::string text = to_string(e);
  for (const char* part : {"layer", "conv", "reference conv2d", "same memory", "arena", "lower bound", "[1, 5, 5, 4]"})
    CHECK_THAT(text, Contains(part));
  initialize(m, g);
  const Explanation floats = explain(Program::bind(m), {}, 3);
  CHECK_THAT(floats.layers[3].placement.implementation, Contains(" linear"));
  CHECK(floats.layers[3].placement.macs == kSide * kSide * 8 * 3);
  CHECK(floats.memory.arena > 0);
  CHECK_THAT(to_string(floats), Contains("fc     linear   float   "));
  CHECK_THROWS_WITH(explain(nullptr), Contains("no program"));
}
