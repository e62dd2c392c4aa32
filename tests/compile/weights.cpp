// SPDX-License-Identifier: Apache-2.0
// A program that was given its model holds weights once, in the form its kernels read, and still makes plans for other shapes,
// threads and engines: every byte as before.
#include <algorithm>
#include <set>

#include "compile/plan.h"
#include "kernels/f32/f32.h"
#include "kernels/parallel.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/same.h"

using namespace octet;
using octet::testing::same;

namespace {

/// Layers of every kind of packed weights, and two calls that share theirs.
Model network(const Tensor& data) {
  Model m;
  m.add("x", Input{{1, 9, 9, 3}});
  m.add("stem", Conv2d{.in = 3, .out = 40, .kernel = {3, 3}, .stride = {2, 2}, .act = Activation::relu});
  m.add("depthwise", Conv2d{.in = 40, .out = 40, .padding = pad_all(1), .groups = 40});
  m.add("dilated", Conv2d{.in = 40, .out = 72, .dilation = {1, 2}, .padding = {1, 2, 1, 2}});
  m.add("strided", Conv2d{.in = 72, .out = 72, .kernel = {5, 3}, .stride = {1, 2}, .padding = pad_all(2), .groups = 72});
  m.add("grouped", Conv2d{.in = 72, .out = 24, .kernel = {1, 1}, .groups = 8});
  m.add("wide", Conv2d{.in = 24, .out = 160, .padding = pad_all(1)});
  m.add("wider", Conv2d{.in = 160, .out = 16, .padding = pad_all(1)});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("fc", Linear{16, 16});
  m.add("again", Linear{16, 16});
  m.modules.back().tied_to = "fc";
  Generator g(5);
  initialize(m, g);
  Model p = prepare(m, {{"", octet_qconfig()}});
  calibrate(p, {&data, 1});
  return convert(p);
}

int64_t held(const Program& program) {
  int64_t bytes = 0;
  for (const Module& m : program.model().modules)
    for (const auto& [name, tensor] : m.params) bytes += tensor.qparams() && tensor.raw() != nullptr ? tensor.numel() : 0;
  return bytes;
}

}  // namespace

TEST_CASE("a program that was given its model lets go of plain weights and makes every plan from what it has") {
  Generator g(2);
  const Tensor data = randn(g, {4, 9, 9, 3});
  const Model int8 = network(data);
  REQUIRE(summarize(int8).int8_kernels >= 9);
  for (const QEngineInfo& info : qengines()) {
    if (!info.available) continue;
    CAPTURE(to_string(info.engine));
    Model given = int8;
    for (Module& m : given.modules)  // memory of its own
      for (auto& [name, tensor] : m.params)
        if (tensor.qparams()) tensor = Tensor::of<int8_t>(tensor.shape(), tensor.data<int8_t>()).with(*tensor.qparams());
    const int64_t weights = parameter_bytes(given);
    const auto program = Program::bind(std::move(given), info.engine);
    CHECK(given.modules.empty());
    CHECK(held(*program) == 0);
    for (const int64_t batch : {1, 3, 8})
      for (const int count : {1, 2}) {
        Generator draws(static_cast<uint64_t>(batch));
        const Tensor x = randn(draws, {batch, 9, 9, 3});
        Session session(program, {x.shape()}, count);
        INFO("batch " << batch << ", " << count << " threads");
        CHECK(same(session.run({&x, 1})[0], infer(int8, {&x, 1})[0]));
        const MemoryReport memory = session.memory();
        CHECK(memory.parameters < weights / 10);  // biases
        CHECK(memory.packed > 0);
      }
    const Tensor released = program->model()["wide"].params.at("weight");
    CHECK(released.shape() == Shape{160, 3, 3, 24});
    CHECK_THROWS_WITH(released.data<int8_t>(), Catch::Matchers::Contains("whose elements were released"));
  }
}

TEST_CASE("a program that shares its caller's model leaves it as it is") {
  Generator g(2);
  const Tensor data = randn(g, {4, 9, 9, 3});
  Model int8 = network(data);
  const Tensor before = infer(int8, {&data, 1})[0];
  const auto program = Program::bind(int8);
  CHECK(held(*program) > 0);
  for (Module& m : int8.modules)  // edits of the model reach no kernel
    for (auto& [name, tensor] : m.params)
      if (tensor.qparams()) std::ranges::fill(tensor.mutable_data<int8_t>(), int8_t{1});
  Session session(program, {data.shape()});
  CHECK(same(session.run({&data, 1})[0], before));
  CHECK_FALSE(same(infer(int8, {&data, 1})[0], before));
}

TEST_CASE("codes that a float layer reads are dequantized once, and a program that is given them lets go of them") {
  Generator g(4);
  Model m;
  m.add("x", Input{{1, 4, 4, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 8, .padding = pad_all(1)});
  m.add("norm", BatchNorm{8});
  m.add("head", Conv2d{.in = 8, .out = 4, .kernel = {1, 1}});
  initialize(m, g);
  const Tensor x = randn(g, {2, 4, 4, 3});
  QConfig weights_alone = octet_qconfig();
  weights_alone.activation.reset();
  Model p = prepare(m, {{"", octet_qconfig()}, {"head", weights_alone}});
  calibrate(p, {&x, 1});
  const Model int8 = convert(p);
  REQUIRE_FALSE(runs_quantized(int8, int8.index("head")));
  REQUIRE(int8["head"].params.at("weight").dtype() == DType::i8);
  const Tensor expected = infer(int8, {&x, 1})[0];
  Model given = int8;
  const auto program = Program::bind(std::move(given));
  Session session(program, {x.shape()});
  CHECK(same(session.run({&x, 1})[0], expected));
  CHECK(held(*program) == 0);
  CHECK(session.plan().tables[3][0]->floats.size() == 32);
  CHECK(same(Session(Program::bind(int8), {x.shape()}).run({&x, 1})[0], expected));
}

TEST_CASE("packed weights serve only the products that read them in that order") {
  using Size = std::pair<int64_t, int64_t>;
  // Layers whose panels differ from batch to batch; which do depends on the caches. A panel begins at a multiple of 16 floats: with
  // an odd number of inputs the same weights in larger panels lie elsewhere.
  int packed_twice = 0;
  for (const auto& [in, out] : {Size{101, 300}, Size{67, 1000}, Size{33, 2000}, Size{1201, 300}}) {
    Generator g(8);
    Model m;
    m.add("x", Input{{1, in}});
    m.add("fc", Linear{in, out});
    initialize(m, g);
    const auto program = Program::bind(m);
    std::set<Size> orders;
    for (const int threads : {1, 3})
      for (const int64_t batch : {1, 2, 7, 60, 700, 3000}) {
        CAPTURE(in, out, batch, threads);
        const ThreadsScope scope(threads);
        const f32::Panels how = f32::matmul_panels({.m = batch, .n = out, .k = in, .transpose_b = true});
        if (how != f32::Panels{}) orders.emplace(how.kc, how.mc);
        const Tensor x = randn(g, {batch, in});
        CHECK(same(Session(program, {x.shape()}, threads).run({&x, 1})[0], infer(m, {&x, 1})[0]));
      }
    packed_twice += orders.size() > 1;
  }
  CHECK(packed_twice > 0);
}
