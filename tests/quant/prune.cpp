// SPDX-License-Identifier: Apache-2.0
// Dead channels taken out of int8 models: fewer channels, the same codes.
#include "quant/prune.h"

#include <cmath>

#include "compile/program.h"
#include "numeric_suite/compare.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/kernels/fills.h"
#include "tests/quant/support.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

/// conv-relu, depthwise-relu, pointwise-relu, pool, flattened picture, linear-relu, linear.
Model pruned_network() {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 8, .padding = pad_all(1), .act = Activation::relu});
  m.add("dw", Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .groups = 8, .act = Activation::relu});
  m.add("pw", Conv2d{.in = 8, .out = 6, .kernel = {1, 1}, .act = Activation::relu});
  m.add("pool", Pool2d{});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{.in = 96, .out = 10, .act = Activation::relu});
  m.add("head", Linear{10, 4});
  return drawn(std::move(m), 3);
}

/// Nothing but a bias is left of the layer's channel.
void kill(Model& m, const std::string& path, int64_t channel, float bias) {
  Params& p = m[path].params;
  const int64_t row = p.at("weight").numel() / p.at("weight").size(0);
  for (int64_t i = 0; i < row; ++i) p.at("weight").mutable_data<float>()[channel * row + i] = 0;
  p.at("bias").mutable_data<float>()[channel] = bias;
}

Model in_codes(Model m, Rounding rounding, const Tensor& x, const QConfig& config = octet_qconfig()) {
  m.rounding = rounding;
  Model p = prepare(m, {{"", config}});
  calibrate(p, {&x, 1});
  return convert(p);
}

void check_same_codes(const Model& before, const Model& after, Generator& g) {
  for (int i = 0; i < 3; ++i) {
    Shape shape = before.modules[0].nominal[0];
    shape[0] = 1 + i;
    const Tensor x = i == 2 ? uniform(g, shape, -100, 100) : randn(g, shape);
    const Tensor want = infer(before, {&x, 1})[0];
    CHECK(octet::testing::same(infer(after, {&x, 1})[0], want));
    for (const QEngineInfo& info : qengines())
      if (info.available)
        CHECK(octet::testing::same(Session(Program::bind(after, info.engine), {x.shape()}, 2).run({&x, 1})[0], want));
  }
}

int64_t outputs_of(const Model& m, const std::string& path) { return m[path].params.at("weight").size(0); }

}  // namespace

TEST_CASE("dead channels go from a layer, the depthwise layers behind it and what reads them, and no code changes") {
  Generator g(5);
  const Tensor x = randn(g, {8, 8, 8, 3});
  for (const Rounding rounding : octet::testing::kRoundings)
    for (const QConfig& config : {octet_qconfig(), octet_device_qconfig(), default_qconfig()}) {
      CAPTURE(to_string(rounding));
      Model m = pruned_network();
      kill(m, "conv", 2, -1), kill(m, "conv", 5, 0);
      m["dw"].params.at("bias").mutable_data<float>()[2] = -0.5F;  // dead as well
      m["dw"].params.at("bias").mutable_data<float>()[5] = 0.75F;  // a constant that is read
      m["pw"].params.at("bias").mutable_data<float>()[1] = -1000;  // never reached
      kill(m, "fc", 0, -2), kill(m, "fc", 9, 0);
      kill(m, "head", 1, 0);  // an output stays whatever it is
      const Model int8 = in_codes(m, rounding, x, config);
      REQUIRE(summarize(int8).int8_kernels == 5);
      PruneReport report;
      const Model pruned = prune_exact(int8, &report);
      CHECK(outputs_of(pruned, "conv") == 7);
      CHECK(pruned["dw"].as<Conv2d>()->groups == 7);
      CHECK(pruned["pw"].as<Conv2d>()->in == 7);
      CHECK(outputs_of(pruned, "pw") == 5);
      CHECK(pruned["fc"].as<Linear>()->in == 80);
      CHECK(outputs_of(pruned, "fc") == 8);
      CHECK(outputs_of(pruned, "head") == 4);
      CHECK(summarize(pruned).int8_kernels == 5);
      check_same_codes(int8, pruned, g);
      CHECK(report.layers.size() == 4);
      CHECK(report.macs_before == 64 * 8 * 27 + 64 * 8 * 9 + 64 * 6 * 8 + 96 * 10 + 40);
      CHECK(report.macs_after == 64 * 7 * 27 + 64 * 7 * 9 + 64 * 5 * 7 + 80 * 8 + 32);
      CHECK(report.bytes_after < report.bytes_before);
      CHECK_THAT(to_string(report), Contains("4 layers lost 5 of") && Contains("MACs, then"));
      // Nothing more to take.
      PruneReport again;
      const Model twice = prune_exact(pruned, &again);
      CHECK(again.layers.empty());
      CHECK(twice["conv"].op == pruned["conv"].op);
    }
}

TEST_CASE("channels that somebody would miss stay") {
  Generator g(6);
  const Tensor x = randn(g, {8, 8, 8, 3});
  // Read by a sum; called twice; of a layer that computes in float; a number that an operator names.
  for (const int kind : {0, 1, 2, 3, 4}) {
    CAPTURE(kind);
    Model m;
    m.add("x", Input{{1, 8, 8, 3}});
    m.add("a", Conv2d{.in = 3, .out = 4, .padding = pad_all(1), .act = Activation::relu});
    switch (kind) {
      case 0: m.add("sum", Binary{}, {1, 1}); break;
      case 1:
        m.add("b", Conv2d{.in = 4, .out = 4, .padding = pad_all(1), .act = Activation::relu});
        m.add_tied("again", "b");
        break;
      case 2: m.add("f", Unary{UnaryFn::silu}); break;
      case 3: m.add("named", Reshape{{1, 256}}); break;
      default: m.add("turned", Transpose{{0, 3, 1, 2}}); break;
    }
    if (kind == 3)
      m.add("end", Linear{256, 3});
    else if (kind == 4)
      m.add("end", Linear{8, 3});
    else
      m.add("end", Conv2d{.in = 4, .out = 3, .kernel = {1, 1}});
    m = drawn(std::move(m), 4);
    kill(m, kind == 1 ? "b" : "a", 1, -1);
    const Model int8 = in_codes(m, Rounding::real, slice_rows(x, 0, kind == 3 ? 1 : 8));
    PruneReport report;
    const Model pruned = prune_exact(int8, &report);
    CHECK(report.layers.empty());
    CHECK(report.macs_after == report.macs_before);
    CHECK(pruned.modules.size() == int8.modules.size());
    for (size_t i = 0; i < pruned.modules.size(); ++i) CHECK(pruned.modules[i].op == int8.modules[i].op);
  }
  Model all = drawn([] {
    Model m;
    m.add("x", Input{{1, 4}});
    m.add("a", Linear{.in = 4, .out = 3, .act = Activation::relu});
    m.add("b", Linear{3, 2});
    return m;
  }());
  for (int64_t c = 0; c < 3; ++c) kill(all, "a", c, -1);
  const Tensor rows = randn(g, {16, 4});
  all["a"].params.at("weight").mutable_data<float>()[0] = 1e-3F;  // or there is no range to observe
  Model int8 = in_codes(all, Rounding::real, rows);
  CHECK(outputs_of(prune_exact(int8), "a") == 1);  // one stays
  CHECK_THROWS_WITH(prune_exact(all), Contains("not converted"));
}
