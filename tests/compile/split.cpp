// SPDX-License-Identifier: Apache-2.0
// Split, the first operator with several outputs: values, gradients, files, programs on every engine; pieces that are memory are
// not copied. On devices: tests/runtime/views.cpp.
#include "compile/plan.h"
#include "engine/loss.h"
#include "io/model_file.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;

namespace {

/// A split along an axis, a relu on its second piece, and a concatenation that puts the pieces in reverse.
Model network(int64_t axis, const Shape& sizes) {
  Model m;
  m.add("x", Input{{2, 6, 4, 8}});
  m.add("split", Split{axis, sizes});
  m.add("relu", Unary{UnaryFn::relu}, {{1, 1}});
  std::vector<Wire> wires;
  for (int i = static_cast<int>(sizes.size()); i-- > 0;) wires.push_back(i == 1 ? Wire{2, 0} : Wire{1, i});
  m.add("joined", Concat{axis}, wires);
  m.outputs = {{3, 0}, {1, 0}};
  return m;
}

float at(const Tensor& x, int64_t n, int64_t h, int64_t w, int64_t c) {
  return x.data<float>()[((n * x.size(1) + h) * x.size(2) + w) * x.size(3) + c];
}

}  // namespace

TEST_CASE("a product with a repeated piece of its own input does not write over what it still reads") {
  Generator g(8);
  int pieces = 0;
  for (const bool first : {false, true}) {
    Model m;
    m.add("x", Input{{1, 4, 5, 8}});
    const int conv = m.add("conv", Conv2d{.in = 8, .out = 8, .kernel = {1, 1}});
    const int row = m.add("row", Slice{{1}, {0}, {1}}, {{conv, 0}});  // the same memory, from the same place on
    const std::vector<Wire> wires = first ? std::vector<Wire>{{row, 0}, {conv, 0}} : std::vector<Wire>{{conv, 0}, {row, 0}};
    m.add("product", Binary{BinaryFn::mul}, wires);
    initialize(m, g);
    Model prepared = prepare(m, {{"", octet_qconfig()}});
    const Tensor x = randn(g, {1, 4, 5, 8});
    calibrate(prepared, {&x, 1});
    const Model int8 = convert(prepared);
    const Tensor expected = infer(int8, {{x}})[0];
    for (const QEngineInfo& e : qengines()) {
      if (!e.available) continue;
      Session session(Program::bind(int8, e.engine), {x.shape()});
      CHECK(same(session.run({&x, 1})[0], expected));
      pieces += session.plan().steps[2].how == Plan::How::alias;
    }
  }
  CHECK(pieces >= 2);
}

TEST_CASE("split gives pieces in order, and their gradients come back to where they were") {
  Generator g(1);
  const Tensor x = randn(g, {2, 6, 4, 8});
  for (int64_t axis = 0; axis < 4; ++axis) {
    const int64_t length = x.size(static_cast<size_t>(axis));
    CAPTURE(axis);
    Model m;
    m.add("x", Input{{2, 6, 4, 8}});
    m.add("split", Split{axis, {1, length - 1}});
    REQUIRE(m.modules[1].nominal.size() == 2);
    const std::vector<Tensor> y = infer_module(m, 1, {&x, 1});
    REQUIRE(y.size() == 2);
    for (int64_t i = 0; i < y[1].numel(); ++i) {
      int64_t rest = i, place[4];
      for (int a = 4; a-- > 0;) place[a] = rest % y[1].size(static_cast<size_t>(a)), rest /= y[1].size(static_cast<size_t>(a));
      place[axis] += 1;
      REQUIRE(y[1].data<float>()[i] == at(x, place[0], place[1], place[2], place[3]));
    }
    const Var leaf = Var::leaf("x", x);
    const std::vector<Var> out = run_module(m, 1, {&leaf, 1}, Mode::train);
    const Grads grads = backward(mse_loss(out[1], Tensor::zeros(out[1].shape())));
    const Tensor& dx = grads.at("x");
    int64_t nonzero = 0;
    for (int64_t i = 0; i < x.numel(); ++i) {
      const float d = dx.data<float>()[i], expected = 2 * x.data<float>()[i] / static_cast<float>(y[1].numel());
      if (d == 0) continue;
      REQUIRE(d == Approx(expected));
      ++nonzero;
    }
    CHECK(nonzero == y[1].numel());
  }
}

TEST_CASE("split codes are the codes of the pieces on every engine, and pieces of memory are not copied") {
  Generator g(2);
  const Tensor x = randn(g, {2, 6, 4, 8});
  for (const auto& [axis, sizes] :
       {std::pair<int64_t, Shape>{0, {1, 1}}, {1, {2, 1, 3}}, {2, {3, 1}}, {3, {4, 4}}, {3, {1, 2, 5}}}) {
    CAPTURE(axis, sizes);
    Model p = prepare(network(axis, sizes), {{"", octet_qconfig()}});
    REQUIRE(p["split"].hooks.empty());
    calibrate(p, {&x, 1});
    const Model int8 = convert(p);
    REQUIRE(runs_quantized(int8, int8.index("split")));
    REQUIRE(int8["split"].out_q.size() == sizes.size());
    const std::vector<Tensor> expected = infer(int8, {&x, 1});
    // Against codes moved by hand: the first piece is the input's codes.
    const Tensor codes = quantize(x, *int8["x"].out_q[0]);
    Model whole;
    whole.add("x", Input{{2, 6, 4, 8}});
    whole.add("split", Split{axis, sizes});
    const Tensor first = infer_module(whole, 1, std::vector<Tensor>{dequantize(codes)})[0];
    CHECK(same(dequantize(expected[1]), first));
    for (const QEngineInfo& info : qengines()) {
      if (!info.available) continue;
      for (const int threads : {1, 2}) {
        Session session(Program::bind(int8, info.engine), {x.shape()}, threads);
        const auto got = session.run({&x, 1});
        REQUIRE(got.size() == 2);
        CHECK(same(got[0], expected[0]));
        CHECK(same(got[1], expected[1]));
        CHECK((session.plan().steps[1].how == Plan::How::alias) == (axis == 0));
      }
    }
    const Model loaded = parse_model(model_bytes(int8, "split"), "split").model;
    CHECK(same(infer(loaded, {&x, 1})[0], expected[0]));
  }
}

TEST_CASE("a split that does not fit its input is refused by name") {
  Model m;
  m.add("x", Input{{1, 4, 4, 6}});
  CHECK_THROWS_WITH(m.add("s", Split{4, {1, 3}}), Contains("s: axis 4 of shape [1, 4, 4, 6]"));
  CHECK_THROWS_WITH(m.add("s", Split{-1, {1, 3}}), Contains("s: axis -1"));
  CHECK_THROWS_WITH(m.add("s", Split{3, {}}), Contains("s: 0 pieces, expected 1 to 64"));
  CHECK_THROWS_WITH(m.add("s", Split{3, {2, 3}}), Contains("leave 1 of axis 3"));
  CHECK_THROWS_WITH(m.add("s", Split{3, {6, 1}}), Contains("s: pieces [6, 1] of axis 3"));
  CHECK_THROWS_WITH(m.add("s", Split{3, {0, 6}}), Contains("s: pieces [0, 6] of axis 3"));
  m.add("s", Split{3, {2, 4}});
  CHECK_THROWS_WITH(m.add("r", Unary{}, {{1, 2}}), Contains("port 2 of s, which has 2"));
}
