// SPDX-License-Identifier: Apache-2.0
// Programs and sessions give the bytes that infer gives, for every batch split and number of threads.
#include "compile/program.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "compile/plan.h"
#include "kernels/f32/f32.h"
#include "kernels/parallel.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/numerics/reference_models.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;

namespace {

struct Fixture {
  Model model, int8;
  Tensor data;
};

Fixture fixture() {
  Generator g(3);
  Fixture f{reference::multiple_ops_no_avg_pool(), {}, {}};
  initialize(f.model, g);
  f.data = reference::pictures(g, 32);
  Model p = prepare(fuse(f.model, Aim::inference), {{"", octet_qconfig()}});
  calibrate(p, {&f.data, 1});
  f.int8 = convert(p);
  return f;
}

}  // namespace

TEST_CASE("a session gives infer's bytes for 1 to 7 threads and every batch split") {
  const Fixture f = fixture();
  REQUIRE(summarize(f.int8).int8_kernels == 4);
  const auto program = Program::bind(f.int8);
  const Tensor expected = infer(f.int8, {&f.data, 1})[0];
  CHECK(expected.dtype() == DType::u8);
  for (int n = 1; n <= 7; ++n) {
    const ThreadsScope scope(n);
    Session session(program, {f.data.shape()});
    CHECK(same(session.run({&f.data, 1})[0], expected));
    CHECK(same(session.run({&f.data, 1})[0], expected));  // buffers are reused
  }
}

TEST_CASE("cutting the data into batches does not change a byte") {
  Generator g(5);
  Model m;
  m.add("x", Input{{1, 9, 7, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 16, .stride = {2, 2}, .padding = {1, 0, 0, 1}, .act = Activation::relu});
  m.add("pool", Pool2d{.kind = Pool::adaptive_average});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{16, 4});
  initialize(m, g);
  const Tensor data = randn(g, {32, 9, 7, 3});
  Model p = prepare(m, {{"", octet_qconfig()}});
  calibrate(p, {&data, 1});
  const Model int8 = convert(p);
  REQUIRE(summarize(int8).int8_kernels == 2);
  const Tensor expected = dequantize(infer(int8, {&data, 1})[0]);
  for (const int64_t batch : {1, 5, 10, 31, 32, 64}) CHECK(same(run_batched(Program::bind(int8), data, batch), expected));
  Model joined;  // five rows and one of its own
  const int rows = joined.add("x", Input{{2, 3}}), own = joined.add("own", Constant{{1, 3}});
  joined.add("all", Concat{0}, {rows, own});
  Generator random(1);
  initialize(joined, random);
  CHECK_THROWS_WITH(run_batched(Program::bind(joined), Tensor::zeros({5, 3}), 2),
                    Contains("for 2 rows came an output of shape [3, 3]"));
}

TEST_CASE("float models run as programs too") {
  const Fixture f = fixture();
  const auto program = Program::bind(f.model);
  Session session(program, {f.data.shape()});
  CHECK(same(session.run({&f.data, 1})[0], infer(f.model, {&f.data, 1})[0]));
  const std::string own = f32::isa();
  int kernels = 0;
  for (const Placement& p : program->placements()) {
    INFO(p.path);
    CHECK(p.engine.has_value() == (!p.floats && p.implementation != "same memory"));
    if (p.op == "linear") CHECK(p.implementation == own + " linear");
    if (p.op == "batch_norm") CHECK(p.implementation == own + " affine");
    if (p.op == "input" || p.op == "reshape") CHECK(p.implementation == "same memory");
    kernels += p.floats;
  }
  CHECK(kernels >= 8);
  Model prepared = prepare(f.model, {{"", octet_qconfig()}});
  calibrate(prepared, {&f.data, 1});
  const auto with_hooks = Program::bind(prepared);
  CHECK(same(Session(with_hooks, {f.data.shape()}).run({&f.data, 1})[0], infer(prepared, {&f.data, 1})[0]));
  CHECK(
      std::ranges::any_of(with_hooks->placements(), [](const Placement& p) { return p.implementation == "tensors" && p.floats; }));
}

TEST_CASE("other inputs than f32 into a float input: computed as by infer, or refused by name") {
  Generator g(1);
  const Tensor x = randn(g, {2, 4, 4, 2});
  Model bare;  // nothing of it is f32
  bare.add("x", Input{{1, 4, 4, 2}});
  bare.add("relu", Unary{UnaryFn::relu});
  Model conv = bare;
  conv.add("conv", Conv2d{.in = 2, .out = 3});
  initialize(conv, g);
  const Tensor wide = x.to(DType::f64), codes = quantize(x, {{0.02F}, {128}, -1, 0, 0, 255}), whole = x.to(DType::i32);
  for (const Model* m : {&bare, &conv}) {
    Session session(Program::bind(*m), {x.shape()});
    for (int repeat = 0; repeat < 2; ++repeat) {
      CHECK(same(session.run({&x, 1})[0], infer(*m, {&x, 1})[0]));
      CHECK(same(session.run({&codes, 1})[0], infer(*m, {&codes, 1})[0]));
      if (m == &bare) {
        REQUIRE(infer(bare, {&wide, 1})[0].dtype() == DType::f64);
        CHECK(same(session.run({&wide, 1})[0], infer(bare, {&wide, 1})[0]));
        CHECK(session.time({&wide, 1}, 2).size() == 2);
      } else {
        CHECK_THROWS_WITH(session.run({&wide, 1}), Contains("conv: input is f64, weight is f32"));
      }
      CHECK_THROWS_WITH(session.run({&whole, 1}), Contains("x: expected a float tensor or codes"));
    }
  }
  const Tensor high = Tensor::full(x.shape(), 255, DType::u8).with({{0.02F}, {3}, -1, 0, 0, 127});
  CHECK_THROWS_WITH(Session(Program::bind(conv), {x.shape()}).run({&high, 1}), Contains("code 255"));
  Session given(Program::bind(Model(conv)), {x.shape()});
  CHECK_THROWS_WITH(given.run({&wide, 1}), Contains("expected f32, got f64"));
  const Model doubles = cast(conv, DType::f64);
  Session session(Program::bind(doubles), {x.shape()});
  CHECK(session.plan().steps[static_cast<size_t>(doubles.index("conv"))].how == Plan::How::floats);
  CHECK(same(session.run({&wide, 1})[0], infer(doubles, {&wide, 1})[0]));
}

TEST_CASE("a program is a snapshot: editing the model afterwards changes nothing") {
  Fixture f = fixture();
  const auto program = Program::bind(f.int8);
  const Tensor expected = infer(f.int8, {&f.data, 1})[0];
  f.int8["fc"].params["bias"].mutable_data<float>()[0] += 100;
  CHECK(same(Session(program, {f.data.shape()}).run({&f.data, 1})[0], expected));
  CHECK_FALSE(same(Session(Program::bind(f.int8), {f.data.shape()}).run({&f.data, 1})[0], expected));
}

TEST_CASE("sessions of one program run in several threads at once") {
  const Fixture f = fixture();
  const auto program = Program::bind(f.int8);
  const Tensor expected = infer(f.int8, {&f.data, 1})[0];
  std::vector<int> good(4);
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i)
    workers.emplace_back([&, i] {
      Session session(program, {f.data.shape()});
      for (int run = 0; run < 20; ++run) good[i] += same(session.run({&f.data, 1})[0], expected);
    });
  for (std::thread& w : workers) w.join();
  CHECK(good == std::vector<int>{20, 20, 20, 20});
}

TEST_CASE("placements name the kernel of every module") {
  const Fixture f = fixture();
  int kernels = 0;
  for (const Placement& p : Program::bind(f.int8, QEngine::reference)->placements()) {
    INFO(p.path);
    if (p.op == "reshape" || p.op == "transpose") {  // the mean of each channel: one position
      CHECK(p.implementation == "same memory");
      continue;
    }
    CHECK(p.implementation.find("reference ") == 0);
    if (p.op == "conv2d" || p.op == "linear") CHECK(p.implementation == "reference " + p.op);
    CHECK(p.engine == QEngine::reference);
    CHECK(p.why.empty());
    kernels += p.macs > 0;
  }
  CHECK(kernels == 4);
}

TEST_CASE("binding refuses parameters that are missing, misshapen or not finite") {
  Fixture f = fixture();
  Model bare = f.model;
  bare["fc"].params.clear();
  CHECK_THROWS_WITH(Program::bind(bare), Contains("fc: parameter \"weight\" is missing, expected shape [6, 12]"));
  Model shape = f.model;
  shape["fc"].params["bias"] = Tensor::zeros({1});
  CHECK_THROWS_WITH(Program::bind(shape), Contains("fc: expected bias of shape [6], got [1]"));
  CHECK_THROWS_WITH(infer(shape, {&f.data, 1}), Contains("fc: expected bias of shape [6], got [1]"));
  Model nan = f.model;
  nan["fc"].params["bias"].mutable_data<float>()[2] = NAN;
  CHECK_THROWS_WITH(Program::bind(nan), Contains("fc.bias: element 2 is nan"));
  Model plain = f.int8;
  plain["fc"].params["weight"] = plain["fc"].params["weight"].without_qparams();
  CHECK_THROWS_WITH(Program::bind(plain), Contains("fc: expected weight of floats or codes"));
  CHECK_THROWS_WITH(infer(plain, {&f.data, 1}), Contains("without quantization parameters"));
}

TEST_CASE("codes that do not fit their parameters are refused at the input") {
  Generator g(3);
  Model m;
  m.add("x", Input{{1, 4}});
  m.add("fc", Linear{4, 2});
  initialize(m, g);
  const Tensor x = rand(g, {3, 4});
  Model p = prepare(m, {{"", default_qconfig()}});
  calibrate(p, {&x, 1});
  const Model int8 = convert(p);
  const Tensor high = Tensor::full({3, 4}, 255, DType::u8).with(*int8["x"].out_q[0]);  // the input's codes end at 127
  CHECK_THROWS_WITH(infer(int8, {&high, 1}), Contains("x: code 255 at element 0 is outside 0..127"));
  CHECK_THROWS_WITH(Session(Program::bind(int8), {high.shape()}).run({&high, 1}), Contains("x: code 255"));
  CHECK_THROWS_WITH(x.with(*int8["x"].out_q[0]), Contains("on a tensor of f32"));
}

TEST_CASE("wrong input is refused and codes of the right meaning pass") {
  const Fixture f = fixture();
  const auto program = Program::bind(f.int8);
  Session session(program, {f.data.shape()});
  const Tensor expected = session.run({&f.data, 1})[0];
  const Tensor fewer = slice_rows(f.data, 0, 2);
  CHECK_THROWS_WITH(session.run({&fewer, 1}), Contains("quant: expected shape [32, 15, 15, 3], got [2, 15, 15, 3]"));
  CHECK_THROWS_WITH(session.run({}), Contains("0 inputs given"));
  CHECK_THROWS_AS(Session(program, {Shape{2, 15, 15, 4}}), Error);
  const Tensor codes = quantize(f.data, *f.int8["quant"].out_q[0]);
  CHECK(same(session.run({&codes, 1})[0], expected));
  const Tensor other = quantize(f.data, {{0.004F}, {0}, -1, 0, 0, 255});  // codes of another meaning are rescaled, as by infer
  CHECK(same(session.run({&other, 1})[0], infer(f.int8, {&other, 1})[0]));
  const Tensor wrong = Tensor::zeros(f.data.shape(), DType::i32);
  CHECK_THROWS_WITH(session.run({&wrong, 1}), Contains("expected f32, got i32"));
  CHECK_THROWS_AS(Program::bind(Model{}), Error);
}

TEST_CASE("what was moved from says so, or is empty, and may be assigned to") {
  Model m;
  m.add("x", Input{{1, 4}});
  m.add("fc", Linear{4, 2});
  Generator g(1);
  initialize(m, g);
  const Tensor x = rand(g, {1, 4});
  Session first(Program::bind(m), {x.shape()});
  Session second = std::move(first);
  CHECK(second.run({&x, 1}).size() == 1);
  CHECK_THROWS_WITH(first.run({&x, 1}), Catch::Matchers::Contains("Session: moved from"));
  CHECK_THROWS_WITH(first.time({&x, 1}, 1), Catch::Matchers::Contains("Session: moved from"));
  CHECK_THROWS_WITH(first.memory(), Catch::Matchers::Contains("Session: moved from"));
  CHECK_THROWS_WITH(first.plan(), Catch::Matchers::Contains("Session: moved from"));
  first = std::move(second);
  CHECK(first.run({&x, 1}).size() == 1);

  Tensor a = rand(g, {3, 3});
  const Tensor b = std::move(a);
  CHECK(b.numel() == 9);
  CHECK(a.numel() == 0);
  CHECK(a.data<float>().empty());
  CHECK_THROWS_AS(a.item(), Error);
  const Tensor& moved = a;
  CHECK_THROWS_AS(infer(m, {&moved, 1}), Error);
  a = b;
  CHECK(a.numel() == 9);
  Model other = std::move(m);
  CHECK_THROWS_WITH(infer(m, {&x, 1}), Catch::Matchers::Contains("model"));
  CHECK(infer(other, {&x, 1}).size() == 1);
}
