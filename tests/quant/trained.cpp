// SPDX-License-Identifier: Apache-2.0
// After quantization-aware training: the float model that the trained one stands for, and what is compared with and corrected by
// it.
#include <cmath>

#include "engine/loss.h"
#include "engine/optimizer.h"
#include "numeric_suite/compare.h"
#include "numeric_suite/diagnose.h"
#include "quant/correct_bias.h"
#include "quant/data_free.h"
#include "tests/catch.h"
#include "tests/quant/support.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;

namespace {

struct Trained {
  Model untrained, prepared, int8;
  std::vector<Tensor> data;
};

/// conv-bn-relu, depthwise conv-bn, pool, linear; a few steps of training with rounding.
Trained trained() {
  Trained t;
  Model& m = t.untrained;
  m.add("x", Input{{1, 6, 6, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 8, .padding = pad_all(1)});
  m.add("bn", BatchNorm{8});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("depthwise", Conv2d{.in = 8, .out = 8, .groups = 8, .bias = false});
  m.add("bn2", BatchNorm{8});
  m.add("pool", Pool2d{.kind = Pool::adaptive_average});
  m.add("rows", Reshape{{0, -1}});
  m.add("hidden", Linear{8, 12});
  m.add("bn3", BatchNorm{12});
  m.add("relu3", Unary{UnaryFn::relu});
  m.add("fc", Linear{12, 4});
  m = drawn(std::move(m), 7);
  Generator g(9);
  for (int i = 0; i < 4; ++i) t.data.push_back(randn(g, {16, 6, 6, 3}));
  t.prepared = prepare(fuse(m, Aim::training), {{"", octet_qat_qconfig()}});
  REQUIRE(t.prepared["conv"].as<ConvBn2d>());
  REQUIRE(t.prepared["hidden"].as<LinearBn>());
  Sgd sgd({.momentum = 0.9});
  for (int step = 0; step < 12; ++step) {
    Tensor labels(Shape{16}, DType::i32);
    for (int32_t& label : labels.mutable_data<int32_t>()) label = static_cast<int32_t>(g.integer(0, 4));
    sgd.step(t.prepared, backward(cross_entropy(forward(t.prepared, {&t.data[step % 4], 1}, Mode::train)[0], labels)), 0.05);
  }
  t.int8 = convert(t.prepared);
  REQUIRE(summarize(t.int8).int8_kernels == 4);
  return t;
}

}  // namespace

TEST_CASE("to_float gives what a trained model computes without rounding") {
  const Trained t = trained();
  const Model floats = to_float(t.prepared);
  for (const Module& m : floats.modules) {
    CHECK(m.hooks.empty());
    CHECK((!m.as<ConvBn2d>() && !m.as<LinearBn>()));
  }
  CHECK(floats["conv"].as<Conv2d>()->act == Activation::relu);
  CHECK_FALSE(t.prepared["conv"].hooks.empty());  // the argument stays what it was
  Model unrounded = t.prepared;
  disable_fake_quant(unrounded);
  CHECK(same(infer(floats, {&t.data[0], 1})[0], infer(unrounded, {&t.data[0], 1})[0]));
  CHECK_FALSE(same(infer(floats, {&t.data[0], 1})[0], infer(t.prepared, {&t.data[0], 1})[0]));
  CHECK(same(infer(to_float(floats), {&t.data[0], 1})[0], infer(floats, {&t.data[0], 1})[0]));
  CHECK_THROWS_WITH(to_float(t.int8), Contains("this one is converted"));
}

TEST_CASE("a trained model is compared with its own float weights, prepared or converted") {
  const Trained t = trained();
  const Model floats = to_float(t.prepared);
  CHECK_THROWS_WITH(diagnose(floats, t.prepared, t.data), Contains("convert it first"));
  CHECK(!diagnose(floats, t.int8, t.data).layers.empty());
  for (const Model* reference : {&floats, &t.untrained})
    for (const Model* test : {&t.prepared, &t.int8}) {
      const ModelComparison c = compare(*reference, *test, t.data);
      const bool own = reference == &floats;
      INFO((own ? "own" : "untrained") << " reference, " << (test == &t.int8 ? "converted" : "prepared"));
      int weights = 0;
      for (const LayerComparison& row : c.layers)
        if (row.weight) {
          ++weights;
          REQUIRE(std::isfinite(row.weight->sqnr_db));
          CHECK((row.op == "conv2d" || row.op == "linear"));
          CHECK((row.weight->sqnr_db > 30) == own);
        }
      CHECK(weights == 4);
      REQUIRE(std::isfinite(c.output.sqnr_db));
      CHECK((c.output.sqnr_db > 25) == own);
    }
}

TEST_CASE("a batch norm that is still beside its layer pairs with the folded one") {
  const Trained t = trained();
  // The prepared model itself as the reference: its ConvBn2d stand for the converted convolutions.
  const std::vector<MeanError> by_prepared = own_mean_errors(t.prepared, t.int8, t.data),
                               by_floats = own_mean_errors(to_float(t.prepared), t.int8, t.data);
  REQUIRE(by_prepared.size() == 4);
  for (size_t i = 0; i < by_floats.size(); ++i) CHECK(by_prepared[i].error == by_floats[i].error);
}

TEST_CASE("biases are corrected by the model that was converted and by no other") {
  const Trained t = trained();
  CHECK_THROWS_WITH(correct_bias(t.untrained, t.int8, t.data),
                    Contains("conv: its int8 weights do not come from this float model") && Contains("to_float()"));
  CHECK_THROWS_WITH(correct_bias_analytic(fuse(t.untrained, Aim::inference), t.int8, {}, InputPrior{-4, 4, {}, {}}),
                    Contains("do not come from this float model"));
  const Model floats = to_float(t.prepared), corrected = correct_bias(floats, t.int8, t.data);
  const auto worst = [&](const Model& m) {
    double w = 0;
    for (const MeanError& e : own_mean_errors(floats, m, t.data)) w = std::max(w, e.worst());
    return w;
  };
  CHECK(worst(t.int8) > 1e-5);
  CHECK(worst(corrected) < 1e-6);
  // One weight that is another's is enough.
  Model touched = floats;
  touched["fc"].params.at("weight").mutable_data<float>()[5] += 3 * t.int8["fc"].params.at("weight").qparams()->scale[0];
  CHECK_THROWS_WITH(correct_bias(touched, t.int8, t.data), Contains("fc: its int8 weights") && Contains("element 5"));
  CHECK_NOTHROW(correct_bias(touched, t.int8, t.data, {.layers = {"conv"}}));
}
