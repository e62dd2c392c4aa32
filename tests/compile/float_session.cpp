// SPDX-License-Identifier: Apache-2.0
// Float modules as kernels on planned memory: whatever the wiring, the bytes of infer(), without allocations, with weights packed
// once.
#include <algorithm>
#include <cmath>
#include <thread>

#include "compile/plan.h"
#include "kernels/f32/f32.h"
#include "kernels/parallel.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/compile/allocations.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;

namespace octet::float_sessions {  // its neighbour session.cpp has the same names
namespace {

constexpr int64_t kSide = 6;

/// Which of octet's own and a library's convolutions are in use, and back.
struct Provider {
  explicit Provider(bool on) { f32::use_provider(on); }
  ~Provider() { f32::use_provider(true); }
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;
};

Plan::How how(const Session& session, const Model& model, std::string_view path) {
  return session.plan().steps[static_cast<size_t>(model.index(path))].how;
}

const Plan::Value& value(const Session& session, const Model& model, std::string_view path) {
  return session.plan().values[static_cast<size_t>(session.plan().steps[static_cast<size_t>(model.index(path))].first_value)];
}

/// NaN, infinities, both zeros, a subnormal.
void spoil(Generator& g, Tensor& x) {
  constexpr float kOdd[] = {NAN, INFINITY, -INFINITY, -0.0F, 0.0F, 1e-42F, 3e38F};
  for (float& v : x.mutable_data<float>())
    if (g.next32() % 40 == 0) v = kOdd[g.next32() % std::size(kOdd)];
}

void check_session(const Model& model, const std::vector<Tensor>& x, int threads, const std::shared_ptr<const Program>& program) {
  const ThreadsScope scope(threads);
  const std::vector<Tensor> expected = infer(model, x);
  std::vector<Shape> shapes;
  for (const Tensor& t : x) shapes.push_back(t.shape());
  Session session(program, shapes, threads);
  for (int repeat = 0; repeat < 2; ++repeat) {
    const std::span<const Tensor> got = session.run(x);
    REQUIRE(got.size() == expected.size());
    for (size_t o = 0; o < got.size(); ++o) {
      INFO("output " << o << ", repeat " << repeat << ", " << threads << " threads");
      CHECK(same(got[o], expected[o]));
      CHECK(got[o].qparams() == expected[o].qparams());
    }
  }
}

/// Any wiring of every operator on one or two inputs, with calls of earlier layers; one to three outputs, repeats and inputs
/// allowed.
Model random_graph(Generator& g, bool residuals) {
  const auto below = [&](size_t n) { return g.next32() % n; };
  Model m;
  m.add("x", Input{{1, kSide, kSide, 4}});
  std::vector<Wire> wires{{0, 0}};
  if (below(2) != 0) m.add("y", Input{{1, kSide, kSide, 4}}), wires.push_back({1, 0});
  const auto shape = [&](const Wire& w) { return m.modules[static_cast<size_t>(w.module)].nominal[static_cast<size_t>(w.port)]; };
  for (size_t i = 6 + below(12); i > 0; --i) {
    const Wire a = wires[below(wires.size())], b = wires[below(wires.size())];
    const std::vector<Wire> one{a};
    const Shape x = shape(a), y = shape(b);
    const std::string path = (below(2) != 0 ? "left." : "right.") + std::to_string(i);
    const int64_t c = x[3];
    const Activation act = std::vector{Activation::none, Activation::relu, Activation::relu6, Activation{-1, 1}}[below(4)];
    const size_t kind = below(19);
    int made = -1;
    if (kind == 0) made = m.add(path, Unary{static_cast<UnaryFn>(below(3))}, one);
    if (kind == 1) made = m.add(path, Pool2d{static_cast<Pool>(below(2)), {3, 2}, {1, 1}, {1, 0, 1, 1}}, one);
    if (kind == 2) made = m.add(path, Dropout{}, one);
    if (kind == 3 && x == y) made = m.add(path, Binary{BinaryFn::add, act}, {a, b});
    if (kind == 4 && x == y && residuals)
      made = m.add(path, Conv2d{.in = c, .out = c, .padding = pad_all(1), .bias = below(2) != 0, .act = act, .residual = true},
                   {a, b});
    if (kind == 5 && x[0] == y[0] && x[1] == y[1] && x[2] == y[2]) made = m.add(path, Concat{3}, {a, b});
    if (kind == 6 && x[0] == y[0] && x[2] == y[2] && c == y[3]) made = m.add(path, Concat{1}, {a, b});
    if (kind == 16 && x[1] == y[1] && x[2] == y[2] && c == y[3]) made = m.add(path, Concat{0}, {a, b});
    if (kind == 7) made = m.add(path, BatchNorm{c}, one);
    if (kind == 8) made = m.add(path, Linear{c, 5, below(2) != 0, act}, one);
    if (kind == 9) made = m.add(path, Transpose{{0, 2, 1, 3}}, one);
    if (kind == 10 && c > 1) made = m.add(path, Split{3, {1, c - 1}}, one);
    if (kind == 11 && x[1] > 1) made = m.add(path, Split{1, {x[1] - 1, 1}}, one);
    if (kind == 12) made = m.add(path, Reshape{{0, x[2], x[1], -1}}, one);
    if (kind == 13) made = m.add(path, Conv2d{.in = c, .out = c, .padding = pad_all(1), .groups = c, .act = act}, one);
    if (kind == 14)
      made = m.add(path, ConvBn2d{.conv = {.in = c, .out = 6, .padding = pad_all(1), .bias = below(2) != 0, .act = act}}, one);
    if (kind == 18 && x[0] == y[0] && (x[1] == y[1] || x[1] == 1 || y[1] == 1) && c == y[3])
      made = m.add(path, MatMul{.transpose_b = true}, {a, b});
    if (kind == 15) {  // a second call of an earlier layer
      const auto may = [&](const Module& module) {
        const auto* conv = module.as<Conv2d>();
        return conv && module.tied_to.empty() && conv->in == c && !conv->residual && module.path[0] == path[0];
      };
      if (const auto found = std::ranges::find_if(m.modules, may); found != m.modules.end())
        made = m.add_tied(path, std::string(found->path), one);
    }
    if (made < 0)
      made = m.add(path, Conv2d{.in = c, .out = 3 + static_cast<int64_t>(below(6)), .padding = pad_all(1), .act = act}, one);
    for (int port = 0; port < static_cast<int>(m.modules.back().nominal.size()); ++port) wires.push_back({made, port});
  }
  for (size_t o = 1 + below(3); o > 0; --o) m.outputs.push_back(wires[below(wires.size())]);
  return m;
}

/// Statistics that are not those of a fresh batch norm.
void settle(Generator& g, Model& m) {
  for (Module& module : m.modules)
    for (auto& [name, tensor] : module.params)
      if (name.ends_with("running_mean") || name.ends_with("running_var"))
        for (float& v : tensor.mutable_data<float>()) v = 0.5F + static_cast<float>(g.uniform());
}

/// Codes on some wires, of any meaning: whatever reads or writes them computes in float between conversions.
void scatter_codes(Generator& g, Model& m) {
  for (Module& module : m.modules) {
    if (g.next32() % 3 != 0) continue;
    module.out_q.resize(module.nominal.size());
    for (std::optional<QParams>& q : module.out_q)
      if (g.next32() % 4 != 0) {
        const bool is_signed = g.next32() % 2 != 0;
        q = QParams{{0.01F + 0.05F * static_cast<float>(g.uniform())},
                    {is_signed ? -20 : 100},
                    -1,
                    0,
                    is_signed ? -128 : 0,
                    is_signed ? 127 : 255};
      }
  }
}

Model small_network() {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("stem", Conv2d{.in = 3, .out = 8, .padding = pad_all(1), .act = Activation::relu});
  m.add("depthwise", Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .groups = 8, .act = Activation::relu6});
  m.add("dense", Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .residual = true}, {2, 1});
  m.add("norm", BatchNorm{8});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("sum", Binary{}, {5, 3});
  m.add("turned", Transpose{{0, 2, 1, 3}});
  m.add("both", Concat{3}, {6, 7});
  m.add("halves", Split{3, {6, 10}});
  m.add("pool", Pool2d{.kind = Pool::adaptive_average}, {{9, 1}});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{10, 7, true, Activation::relu});
  m.add("drop", Dropout{});
  m.add("head", Linear{7, 3});
  Generator g(3);
  initialize(m, g);
  settle(g, m);
  return m;
}

}  // namespace

TEST_CASE("any wiring of float modules, alone and between codes, gives infer's bytes") {
  Generator g(21);
  int in_place = 0, aliases = 0, kernels = 0, tensors = 0, crossings = 0, absorbed = 0;
  for (int round = 0; round < 250; ++round) {
    INFO("round " << round);
    const Provider provider(round % 2 == 0);
    const bool quantized = round % 5 >= 2;
    Model model = random_graph(g, !quantized || round % 5 == 2);
    initialize(model, g);
    settle(g, model);
    std::vector<Tensor> x;
    for (const Module& module : model.modules)
      if (std::holds_alternative<Input>(module.op)) x.push_back(randn(g, {3, kSide, kSide, 4}));
    if (quantized) {  // some modules float in between
      QConfigMap qconfig{{"", octet_qconfig()}};
      for (const char* part : {"left", "right"})
        if (g.next32() % 2 == 0 && std::ranges::any_of(model.modules, [&](const Module& m) { return octet::below(m.path, part); }))
          qconfig[part] = std::nullopt;
      Model p = prepare(model, qconfig);
      calibrate(p, std::vector<std::vector<Tensor>>{x});
      if (round % 5 == 3) {  // hooks: the operator's own forward, mixed with kernels
        check_session(p, x, 2, Program::bind(p));
        const Session session(Program::bind(p), std::vector<Shape>(x.size(), x[0].shape()));
        for (const Plan::Step& step : session.plan().steps) tensors += step.how == Plan::How::floats;
      }
      model = convert(p);
      if (round % 5 != 2) model.rounding = static_cast<Rounding>(round % 4);
    }
    if (round % 10 == 1 || round % 10 == 5) scatter_codes(g, model);
    const auto program = Program::bind(model);
    for (const int64_t batch : {3, 1, 0}) {
      std::vector<Tensor> rows;
      for (const Tensor& t : x) rows.push_back(slice_rows(t, 0, batch));
      for (Tensor& t : rows) spoil(g, t);
      for (const int threads : {1, 2, 3}) check_session(model, rows, threads, program);
    }
    const Session session(program, std::vector<Shape>(x.size(), x[0].shape()));
    const Plan& plan = session.plan();
    for (size_t i = 0; i < model.modules.size(); ++i) {
      const Plan::Step& step = plan.steps[i];
      const bool floats = std::ranges::any_of(step.runs, &Plan::Run::floats);
      CHECK(step.how != Plan::How::floats);
      kernels += floats, aliases += step.how == Plan::How::alias && model.modules[i].out_q.empty();
      crossings += floats && step.runs.size() > 1;
      for (const Plan::Run& run : step.runs)
        if (run.floats && step.runs.size() == 1) {
          const Plan::Value &out = plan.values[static_cast<size_t>(run.outputs[0].value)],
                            &in = plan.values[static_cast<size_t>(run.inputs[0].value)];
          in_place += out.block == in.block && out.offset == in.offset;
          absorbed += out.bytes < plan.blocks[static_cast<size_t>(out.block)].bytes;
        }
    }
  }
  CAPTURE(in_place, aliases, kernels, tensors, crossings, absorbed);
  CHECK(in_place > 30);
  CHECK(aliases > 100);
  CHECK(kernels > 800);
  CHECK(tensors > 50);
  CHECK(crossings > 100);
  CHECK(absorbed > 10);
}

TEST_CASE("a run of float kernels, and of floats between codes, allocates nothing") {
  const Model m = small_network();
  Generator g(5);
  const Tensor x = randn(g, {2, 8, 8, 3});
  QConfigMap qconfig{{"", octet_qconfig()}};
  for (const char* path : {"depthwise", "sum", "both", "fc"}) qconfig[path] = std::nullopt;
  Model p = prepare(m, qconfig);
  calibrate(p, {&x, 1});
  const Model mixed = convert(p);
  REQUIRE(summarize(mixed).int8_kernels > 2);
  for (const Model* model : {&m, &mixed})
    for (const bool library : {false, true})
      for (const int n : {1, 2}) {
        const Provider provider(library);
        INFO((model == &m ? "float" : "mixed") << (library ? ", library, " : ", ") << n << " threads");
        Session session(Program::bind(*model, QEngine::reference), {x.shape()}, n);
        REQUIRE(std::ranges::none_of(session.plan().steps, [](const Plan::Step& s) { return s.how == Plan::How::floats; }));
        for (int i = 0; i < 3; ++i) session.run({&x, 1});  // which thread computes what is not the same every time
        const int64_t before = allocations::count();
        for (int i = 0; i < 10; ++i) session.run({&x, 1});
        CHECK(allocations::count() == before);
      }
}

TEST_CASE("float inputs are read where they lie, and never written to") {
  Model m;
  m.add("x", Input{{1, 4, 4, 2}});
  m.add("flat", Reshape{{0, -1}});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("twice", Binary{}, {1, 1});
  m.outputs = {{0, 0}, {1, 0}, {2, 0}, {3, 0}, {2, 0}};
  Generator g(1);
  const Tensor x = randn(g, {3, 4, 4, 2});
  const Tensor before = Tensor::of<float>(x.shape(), x.data<float>());
  const std::vector<Tensor> expected = infer(m, {&x, 1});
  Session session(Program::bind(m), {x.shape()});
  const int block = value(session, m, "x").block;
  CHECK(session.plan().blocks[static_cast<size_t>(block)].input == 0);
  CHECK(value(session, m, "flat").block == block);
  CHECK(how(session, m, "flat") == Plan::How::alias);
  CHECK(value(session, m, "relu").block != block);
  for (int repeat = 0; repeat < 2; ++repeat) {
    const auto got = session.run({&x, 1});
    for (size_t o = 0; o < expected.size(); ++o) CHECK(same(got[o], expected[o]));
  }
  CHECK(same(x, before));
  // What one run gave, as the input of the next: by itself, and as a copy.
  Model chain;
  chain.add("x", Input{{1, 4, 4, 2}});
  chain.add("conv", Conv2d{.in = 2, .out = 2, .padding = pad_all(1)});
  initialize(chain, g);
  Session again(Program::bind(chain), {x.shape()});
  Tensor y = x;
  for (int step = 0; step < 3; ++step) y = infer(chain, {&y, 1})[0];
  std::span<const Tensor> out = again.run({&x, 1});
  for (int step = 0; step < 2; ++step) out = again.run(out);
  CHECK(same(out[0], y));
  out = again.run({&x, 1});
  for (int step = 0; step < 2; ++step) {
    const Tensor copy = out[0];
    out = again.run({&copy, 1});
  }
  CHECK(same(out[0], y));
}

TEST_CASE("parts of a float concatenation are computed in place") {
  Model m;
  m.add("x", Input{{1, 5, 5, 4}});
  m.add("a", Conv2d{.in = 4, .out = 4, .padding = pad_all(1)});
  m.add("b", Conv2d{.in = 4, .out = 4, .padding = pad_all(1)}, {0});
  m.add("both", Concat{0}, {1, 2});
  m.add("relu", Unary{UnaryFn::relu});
  Generator g(1);
  m.add("next", Conv2d{.in = 4, .out = 2, .padding = pad_all(1)});
  initialize(m, g);
  const Tensor x = randn(g, {3, 5, 5, 4});
  const auto program = Program::bind(m);
  check_session(m, {x}, 1, program);
  const Session session(program, {x.shape()});
  CHECK(how(session, m, "both") == Plan::How::alias);
  CHECK(value(session, m, "a").block == value(session, m, "both").block);
  CHECK(value(session, m, "b").offset == 3 * 5 * 5 * 4 * 4);
  CHECK(value(session, m, "relu").block == value(session, m, "both").block);
  CHECK(session.memory().values == 4 * 3 * 25 * (4 + 4 + 8 + 8 + 4));
}

TEST_CASE("float weights are packed once for all shapes and calls, and held once in a program that was given its model") {
  Generator g(4);
  Model m;
  m.add("x", Input{{1, 20, 20, 3}});
  m.add("stem", Conv2d{.in = 3, .out = 16, .padding = pad_all(1)});
  m.add("depthwise", Conv2d{.in = 16, .out = 16, .padding = pad_all(1), .groups = 16});
  m.add_tied("again", "depthwise");
  m.add("dense", Conv2d{.in = 16, .out = 32, .padding = pad_all(1)});
  m.add("folded", ConvBn2d{.conv = {.in = 32, .out = 16, .kernel = {1, 1}}});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{16, 16});
  m.add_tied("fc2", "fc");
  initialize(m, g);
  settle(g, m);
  for (const bool library : {false, true}) {
    const Provider provider(library);
    CAPTURE(library);
    Model given = m;
    for (Module& module : given.modules)  // memory of its own
      for (auto& [name, tensor] : module.params) tensor = Tensor::of<float>(tensor.shape(), tensor.data<float>());
    const int64_t all = parameter_bytes(given);
    const auto shared = Program::bind(m), program = Program::bind(std::move(given));
    int64_t packed = 0;
    for (const int64_t batch : {1, 4, 2}) {
      const Tensor x = randn(g, {batch, 20, 20, 3});
      const Tensor expected = infer(m, {&x, 1})[0];
      Session session(program, {x.shape()}, 1), other(shared, {x.shape()}, 1);
      CHECK(same(session.run({&x, 1})[0], expected));
      CHECK(same(other.run({&x, 1})[0], expected));
      const auto& tables = session.plan().tables;
      CHECK(tables[2][0] == tables[3][0]);
      CHECK(tables[8][0] == tables[9][0]);
      const MemoryReport memory = session.memory();
      CHECK(memory.parameters < all / 10);  // biases and statistics
      if (!library)                         // one form of each, and one for single rows
        CHECK(memory.parameters + memory.packed < all + 4 * (16 * 8 + 32 + 16 * 16));
      CHECK((batch != 2 || library || packed == memory.packed));
      packed = memory.packed;
      CHECK(other.memory().parameters == all);
      CHECK(other.memory().packed > 0);
      if (!library) CHECK(other.memory().packed < all + 4 * 16 * 32);
    }
    CHECK(program->model()["dense"].params.at("weight").raw() == nullptr);
    CHECK(program->model()["dense"].params.at("bias").raw() != nullptr);
    CHECK(shared->model()["dense"].params.at("weight").raw() != nullptr);
  }
}

TEST_CASE("sessions of one float program run in several threads at once") {
  const Model m = small_network();
  Generator g(6);
  const Tensor x = randn(g, {2, 8, 8, 3});
  const auto program = Program::bind(m);
  const ThreadsScope one(1);
  const Tensor expected = infer(m, {&x, 1})[0];
  std::vector<int> good(4);
  std::vector<std::thread> workers;
  for (size_t i = 0; i < 4; ++i)
    workers.emplace_back([&, i] {
      Session session(program, {x.shape()}, 1);
      for (int run = 0; run < 50; ++run) good[i] += same(session.run({&x, 1})[0], expected);
    });
  for (std::thread& w : workers) w.join();
  CHECK(good == std::vector<int>{50, 50, 50, 50});
}

}  // namespace octet::float_sessions
