// SPDX-License-Identifier: Apache-2.0
// Sequences N,L,C: convolutions and pools of one dimension are those of pictures of one line, in floats, codes, training and
// firmware.
#include <algorithm>
#include <cmath>

#include "compile/program.h"
#include "engine/loss.h"
#include "engine/optimizer.h"
#include "numeric_suite/compare.h"
#include "quant/equalize.h"
#include "quant/quantize.h"
#include "tests/engine/operators.h"
#include "tests/kernels/fills.h"
#include "tests/same.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;

namespace {

/// The definition of PyTorch's Conv1d.
double conv_at(const Tensor& x, const Params& p, const Conv1d& c, int64_t n, int64_t at, int64_t o) {
  const int64_t own = c.in / c.groups, group = o / (c.out / c.groups);
  double sum = static_cast<double>(p.at("bias").data<float>()[o]);
  for (int64_t k = 0; k < c.kernel; ++k) {
    const int64_t from = at * c.stride + k * c.dilation - c.padding;
    if (from < 0 || from >= x.size(1)) continue;
    for (int64_t i = 0; i < own; ++i)
      sum += static_cast<double>(x.data<float>()[(n * x.size(1) + from) * c.in + group * own + i]) *
             static_cast<double>(p.at("weight").data<float>()[(o * c.kernel + k) * own + i]);
  }
  return sum;
}

/// The operator on the input with an axis of length 1 put in, which is taken out again.
Tensor as_pictures(const Model& line, const Tensor& x) {
  Model m;
  m.add("x", Input{{x.size(0), 1, x.size(1), x.size(2)}});
  m.add("op", line.modules[1].op);
  m.modules[1].params = line.modules[1].params;
  const Tensor y = infer(m, {{x.reshape({x.size(0), 1, x.size(1), x.size(2)})}})[0];
  return y.reshape({y.size(0), y.size(2), y.size(3)});
}

}  // namespace

TEST_CASE("Conv1d is what its definition says") {
  Generator g(3);
  for (const Conv1d& c : {Conv1d{.in = 4, .out = 6}, Conv1d{.in = 4, .out = 6, .kernel = 5, .stride = 2, .padding = 2, .groups = 2},
                          Conv1d{.in = 4, .out = 4, .kernel = 3, .dilation = 3, .padding = 4, .groups = 4}}) {
    const Tensor x = randn(g, {2, 11, 4});
    const Model m = network_of({c, {x.shape()}});
    const Tensor y = infer(m, {{x}})[0];
    const int64_t length = (11 + 2 * c.padding - c.dilation * (c.kernel - 1) - 1) / c.stride + 1;
    REQUIRE(y.shape() == Shape{2, length, c.out});
    REQUIRE(m.modules[1].params.at("weight").shape() == Shape{c.out, 1, c.kernel, c.in / c.groups});
    for (int64_t i = 0; i < y.numel(); ++i) {
      const double want = conv_at(x, m.modules[1].params, c, i / (length * c.out), i / c.out % length, i % c.out);
      if (std::abs(static_cast<double>(y.data<float>()[i]) - want) > 1e-5) REQUIRE(static_cast<double>(y.data<float>()[i]) == want);
    }
  }
}

TEST_CASE("operators of sequences give what they give of pictures of one line") {
  Generator g(5);
  const Op all[] = {
      Conv1d{.in = 4, .out = 3, .stride = 2, .padding = 1, .act = Activation::relu},
      ConvTranspose1d{.in = 4, .out = 6, .kernel = 4, .stride = 3, .padding = 1, .output_padding = 2, .groups = 2},
      Pool1d{},
      Pool1d{.kernel = 3, .stride = 1, .padding = 1},
      Pool1d{.kind = Pool::average, .kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false},
      Pool1d{.kind = Pool::adaptive_average, .output = 3}};
  for (const Op& op : all) {
    INFO(name_of(op));
    const Tensor x = randn(g, {2, 10, 4});
    const Model m = network_of({op, {x.shape()}});
    const Tensor y = infer(m, {{x}})[0];
    CHECK(y.rank() == 3);
    CHECK(same(y, as_pictures(m, x)));
    CHECK(same(Session(Program::bind(m), {x.shape()}, 2).run({&x, 1})[0], y));
  }
}

TEST_CASE("what reaches beyond a line is refused by name") {
  const Shape line{1, 8, 3};
  CHECK_THROWS_WITH(network_of({Conv2d{.in = 3, .out = 2}, {line}}), Contains("op: a kernel of height 3") && Contains("N,L,C"));
  CHECK_THROWS_WITH(network_of({Pool2d{}, {line}}), Contains("a kernel of height 2"));
  CHECK_THROWS_WITH(network_of({Pool2d{.kind = Pool::adaptive_average, .output = {2, 2}}, {line}}), Contains("height 2"));
  CHECK_THROWS_WITH(network_of({Conv2d{.in = 3, .out = 2, .kernel = {1, 3}, .padding = {1, 0, 0, 0}}, {line}}),
                    Contains("padding 1"));
  CHECK_THROWS_WITH(
      network_of({ConvTranspose2d{.in = 3, .out = 2, .kernel = {1, 3}, .stride = {2, 2}, .output_padding = {1, 0}}, {line}}),
      Contains("output padding 1 below"));
  CHECK_THROWS_WITH(network_of({Conv1d{.in = 3, .out = 2}, {{8, 3}}}), Contains("expected an N,H,W,C input, or N,L,C"));
}

TEST_CASE("a network of sequences is fused, equalized, trained and quantized like one of pictures") {
  Model m;
  m.add("x", Input{{1, 20, 3}});
  m.add("norm", BatchNorm{3});
  m.add("conv", Conv1d{.in = 3, .out = 8, .kernel = 5, .padding = 2});
  m.add("bn", BatchNorm{8});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("pool", Pool1d{});
  m.add("dw", Conv1d{.in = 8, .out = 8, .padding = 1, .groups = 8});
  m.add("mean", Pool1d{.kind = Pool::adaptive_average});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{8, 4});
  Generator g(9);
  initialize(m, g);
  const Tensor x = randn(g, {16, 20, 3});
  for (const Rounding rounding : kRoundings) {
    CAPTURE(to_string(rounding));
    Model net = m;
    net.rounding = rounding;
    const Model fused = equalize(fuse(net, Aim::inference));
    REQUIRE(fused["norm"].as<Conv2d>() != nullptr);
    Model prepared = prepare(fused, {{"", octet_qconfig()}});
    calibrate(prepared, {&x, 1});
    const Model int8 = convert(prepared);
    CHECK(summarize(int8).int8_kernels == 4);
    const double db = sqnr(infer(m, {&x, 1})[0], dequantize(infer(int8, {&x, 1})[0]));
    REQUIRE(std::isfinite(db));
    CHECK(db > 30);
    for (const QEngineInfo& info : qengines())
      if (info.available)
        CHECK(same(Session(Program::bind(int8, info.engine), {x.shape()}, 2).run({&x, 1})[0], infer(int8, {&x, 1})[0]));
  }
  Model qat = prepare(fuse(m, Aim::training), {{"", octet_qat_qconfig()}});
  REQUIRE(qat["conv"].as<ConvBn2d>() != nullptr);
  const Tensor labels = Tensor::full({16}, 1, DType::i32);
  Sgd sgd({});
  const auto step = [&] {
    Var loss = cross_entropy(forward(qat, {&x, 1}, Mode::train)[0], labels);
    const double value = loss.value().item();
    sgd.step(qat, backward(std::move(loss)), 0.1);
    return value;
  };
  const double first = step();
  for (int i = 0; i < 10; ++i) step();
  CHECK(step() < 0.75 * first);
  CHECK(summarize(convert(qat)).int8_kernels == 3);
}
