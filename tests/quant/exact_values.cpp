// SPDX-License-Identifier: Apache-2.0
// Values that may not be rounded: numbers of rows and truths. What reads them and what they are made of stays in float, everything
// around becomes codes.
#include <cmath>

#include "numeric_suite/compare.h"
#include "quant/equalize.h"
#include "quant/observers/fixed.h"
#include "quant/observers/range.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/same.h"

using namespace octet;
using octet::testing::same;

namespace octet::exact_values {
namespace {

Model quantized(const Model& m, const Batches& data, const QConfig& config = octet_qconfig()) {
  Model prepared = prepare(m, {{"", config}});
  calibrate(prepared, data);
  return convert(prepared);
}

bool is_float(const Model& m, std::string_view path) { return m[path].out_q.empty() || !m[path].out_q[0]; }

/// ids, with or without places added, through a table and a linear layer.
Model language(bool with_places) {
  Model m;
  const int ids = m.add("ids", Input{{2, 4}});
  int row = ids;
  if (with_places) {
    const int places = m.add("places", Constant{{4}});
    m.add("sum", Binary{}, {ids, places});
    row = m.add("flat", Reshape{{-1, 4}});
  }
  m.add("table", Embedding{1000, 8}, {row});
  m.add("fc", Linear{8, 3});
  Generator g(1);
  initialize(m, g);
  if (with_places) m["places"].params["value"] = Tensor::of<float>({4}, std::vector<float>{0, 100, 200, 300});
  return m;
}

/// A user's own operator that finds rows by the numbers that it reads.
class Rows final : public CustomFunction {
 public:
  explicit Rows(std::optional<int> exact) : exact_(exact) {}
  std::string_view kind() const override { return "rows"; }
  std::optional<int> exact() const override { return exact_; }
  std::vector<Shape> shapes(std::span<const Shape> inputs) const override { return {inputs[0]}; }
  std::vector<Var> forward(std::span<const Var> inputs) const override {
    Tensor y = inputs[0].value();
    for (float& v : y.mutable_data<float>()) v = std::fmod(v, 7.0F);
    return {Var(y)};
  }

 private:
  std::optional<int> exact_;
};

}  // namespace

TEST_CASE("numbers of rows reach a table as they are, and its rows become codes") {
  for (const bool with_places : {false, true}) {
    const Model m = language(with_places);
    for (const QConfig& config : {octet_qconfig(), default_qconfig(), QConfig(get_default_qconfig("onednn"))}) {
      const Tensor seen = Tensor::of<float>({2, 4}, std::vector<float>{0, 1, 2, 3, 252, 253, 254, 255});
      const Model int8 = quantized(m, Batches(&seen, 1), config);
      CHECK(is_float(int8, "ids"));
      if (with_places) CHECK((is_float(int8, "sum") && is_float(int8, "places") && is_float(int8, "flat")));
      REQUIRE(runs_quantized(int8, int8.index("fc")));
      const Tensor x = Tensor::of<float>({2, 4}, std::vector<float>{0, 501, 671, 699, 3, 4, 5, 6});
      const double sqnr = compare(m, int8, std::vector<Tensor>{x}).output.sqnr_db;
      CHECK(sqnr > 20);
      CHECK(std::isfinite(sqnr));
    }
  }
}

TEST_CASE("a condition is no code; what was decided from codes is") {
  Model m;
  const int condition = m.add("condition", Input{{1, 4}}), x = m.add("x", Input{{1, 4}});
  m.add("a", Linear{4, 4}, {x});
  const int a = m.add("scaled", Unary{UnaryFn::tanh});
  m.add("where", Where{}, {condition, a, x});
  m.add("fc", Linear{4, 2});
  Generator g(2);
  initialize(m, g);
  const std::vector<Tensor> data{Tensor::of<float>({1, 4}, std::vector<float>{0.001F, 0, 5, -0.001F}), randn(g, {1, 4})};
  const Batches batches(1, [&](int64_t) { return data; });
  const Model int8 = quantized(m, batches);
  CHECK(is_float(int8, "condition"));
  CHECK_FALSE(is_float(int8, "x"));
  REQUIRE(runs_quantized(int8, int8.index("a")));
  CHECK(compare(m, int8, batches).output.sqnr_db > 20);

  Model decided;
  const int in = decided.add("x", Input{{1, 4}});
  const int layer = decided.add("fc", Linear{4, 4}, {in});
  decided.add("positive", Binary{BinaryFn::greater}, {layer, in});
  decided.add("where", Where{}, {2, layer, in});
  initialize(decided, g);
  const Model codes = quantized(decided, Batches(&data[1], 1));
  CHECK(runs_quantized(codes, codes.index("fc")));
  CHECK_FALSE(is_float(codes, "x"));
}

TEST_CASE("the largest values of exact numbers are exact themselves; their places are, whatever they were found in") {
  const auto network = [](int port, int64_t rows) {
    Model m;
    const int ids = m.add("ids", Input{{2, 4}});
    const int layer = port == 1 ? m.add("scores", Linear{4, 4}, {ids}) : ids;
    const int top = m.add("top", TopK{.k = 2}, {layer});
    m.add("table", Embedding{rows, 8}, {{top, port}});
    const int rest = m.add("fc", Linear{8, 3});
    if (port == 1) m.add("values", Linear{2, 3}, {{top, 0}}), m.outputs = {{rest, 0}, {rest + 1, 0}};
    Generator g(1);
    initialize(m, g);
    return m;
  };
  const Tensor x = Tensor::of<float>({2, 4}, std::vector<float>{0, 501, 670, 697, 3, 4, 5, 1020});
  const Model values = network(0, 1100), int8 = quantized(values, Batches(&x, 1));
  CHECK(is_float(int8, "ids"));
  CHECK(compare(values, int8, std::vector<Tensor>{x}).output.sqnr_db > 20);
  const Model places = quantized(network(1, 4), Batches(&x, 1));
  CHECK_FALSE(is_float(places, "ids"));
  CHECK(runs_quantized(places, places.index("scores")));
  CHECK(runs_quantized(places, places.index("values")));
}

TEST_CASE("an operator of the user's own says which input is exact, and only that input stays float") {
  const Tensor x = Tensor::of<float>({1, 4}, std::vector<float>{0, 501, 671, 999});
  for (const bool exact : {false, true}) {
    Model m;
    m.add("ids", Input{{1, 4}});
    m.add("rows", Custom{std::make_shared<const Rows>(exact ? std::optional(0) : std::nullopt)});
    m.add("fc", Linear{4, 2});
    Generator g(1);
    initialize(m, g);
    CHECK(is_float(quantized(m, Batches(&x, 1)), "ids") == exact);
  }
  for (const int wrong : {-1, 1}) {
    Model m;
    m.add("ids", Input{{1, 4}});
    CHECK_THROWS_WITH(m.add("rows", Custom{std::make_shared<const Rows>(wrong)}),
                      Catch::Matchers::Contains("rows: rows wants input " + std::to_string(wrong) + " exact, it has 1"));
  }
}

TEST_CASE("a call that gives numbers of rows keeps its owner from being quantized, and the message says so") {
  Model m;
  const int ids = m.add("ids", Input{{2, 4}}), x = m.add("x", Input{{2, 4}});
  const int act = m.add("act", PRelu{1}, {x}), again = m.add_tied("again", "act", {{ids, 0}});
  m.add("table", Embedding{1000, 8}, {again});
  m.outputs = {{act, 0}, {static_cast<int>(m.modules.size()) - 1, 0}};
  Generator g(1);
  initialize(m, g);
  for (const Ties ties : {Ties::own, Ties::shared}) {
    CHECK_THROWS_WITH(prepare(m, {{"", octet_qconfig()}}, ties),
                      Catch::Matchers::Contains("again: a call of act, whose output is quantized, gives numbers of rows or truths, "
                                                "which are never rounded; keep act float"));
    CHECK_NOTHROW(prepare(m, {{"", octet_qconfig()}, {"act", std::nullopt}}, ties));
  }
}

TEST_CASE("an interpolation without a configuration stays float, too; a relu goes on with its input's codes") {
  Model m;
  m.add("x", Input{{1, 3, 3, 2}});
  m.add("grow", ResizeLinear{{6, 6}});
  m.add("relu", Unary{UnaryFn::relu});
  Generator g(3);
  const Tensor x = randn(g, {1, 3, 3, 2});
  Model prepared = prepare(m, {{"", octet_qconfig()}, {"grow", std::nullopt}});
  calibrate(prepared, {&x, 1});
  CHECK(is_float(convert(prepared), "grow"));
  Model all = prepare(m, {{"", octet_qconfig()}, {"relu", std::nullopt}});
  calibrate(all, {&x, 1});
  const Model int8 = convert(all);
  CHECK(runs_quantized(int8, int8.index("grow")));
  CHECK(runs_quantized(int8, int8.index("relu")));
}

TEST_CASE("weights of one a channel follow training, and an observer that was set is left") {
  const auto converted = [](const FakeQuantize& weight) {
    Model m;
    m.add("x", Input{{1, 1, 1, 4}});
    m.add("conv", Conv2d{.in = 4, .out = 4, .kernel = {1, 1}, .groups = 4, .bias = false});
    m["conv"].params["weight"] = Tensor::zeros({4, 1, 1, 1});
    Model prepared = prepare(m, {{"", QConfig{.activation = octet_qconfig().activation, .weight = weight}}});
    const Tensor x = Tensor::full({1, 1, 1, 4}, 1);
    const auto step = [&](float unit) {
      prepared["conv"].params["weight"] = Tensor::of<float>({4, 1, 1, 1}, std::vector<float>{unit, 2 * unit, 3 * unit, 4 * unit});
      forward(prepared, {&x, 1}, Mode::train);
    };
    step(100);
    for (int i = 0; i < 3000; ++i) step(0.125F);
    return convert(prepared);
  };
  const ObserverSpec spec{.dtype = DType::i8, .scheme = QScheme::per_tensor_symmetric};
  const Model moving = converted(FakeQuantize(std::make_unique<MovingAverageMinMaxObserver>(spec), true, true));
  const QParams q = *weight_of(moving["conv"].params)->qparams();
  REQUIRE(q.axis == 0);
  for (int c = 0; c < 4; ++c) CHECK(q.scale[static_cast<size_t>(c)] == Approx(0.125 * (c + 1) / 127.5).epsilon(0.05));
  const Model fixed =
      converted(FakeQuantize(std::make_unique<FixedQParamsObserver>(FixedRange{-1, 1}, std::pair{-128, 127}), true, true));
  CHECK(weight_of(fixed["conv"].params)->qparams()->axis < 0);
}

TEST_CASE("biases do not move through a norm of windows") {
  Model m;
  m.add("x", Input{{4, 4, 4, 2}});
  m.add("conv", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}, .act = Activation::relu});
  const int norms = m.add("norms", LpPool2d{.p = 1});
  m.add("last", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}}, {norms});
  Generator g(4);
  initialize(m, g);
  bias_of(m["conv"].params)->mutable_data<float>()[0] = 10, bias_of(m["conv"].params)->mutable_data<float>()[1] = 10;
  StatisticsByPath statistics{{"conv", {{10, 10}, {0.5, 0.5}}}};
  int moved = -1;
  const Model absorbed = absorb_bias(m, statistics, 3, &moved);
  CHECK(moved == 0);
  m["norms"].op = Pool2d{.kind = Pool::average};
  statistics = {{"conv", {{10, 10}, {0.5, 0.5}}}};
  static_cast<void>(absorb_bias(m, statistics, 3, &moved));
  CHECK(moved == 2);
  // Nor through a crop that may read zeros outside of the picture.
  m["norms"].op = ResizeLinear{.size = {2, 2}, .coordinates = Coordinates::tf_crop_and_resize, .roi = Region{-0.5, -0.5, 1.5, 1.5}};
  statistics = {{"conv", {{10, 10}, {0.5, 0.5}}}};
  static_cast<void>(absorb_bias(m, statistics, 3, &moved));
  CHECK(moved == 0);
  m["norms"].op = ResizeLinear{.size = {2, 2}};
  statistics = {{"conv", {{10, 10}, {0.5, 0.5}}}};
  static_cast<void>(absorb_bias(m, statistics, 3, &moved));
  CHECK(moved == 2);
}

TEST_CASE("what a batch norm saw of several layers, or of a sum, is none of a layer's statistics") {
  Model m;
  const int x = m.add("x", Input{{2, 4, 4, 2}});
  const int c = m.add("c", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}}, {x});
  m.add("norm", BatchNorm{2});
  const int c2 = m.add("c2", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}}, {x});
  m.add_tied("again", "norm", {{c2, 0}});
  m.add("d", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}}, {c});
  const int sum = m.add("residual", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}, .residual = true}, {x, c});
  m.add("alone", BatchNorm{2}, {sum});
  m.add("reader", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}}, {sum});
  Generator g(5);
  initialize(m, g);
  const StatisticsByPath known = batch_norm_statistics(m);
  CHECK(known.contains("norm"));
  CHECK_FALSE(known.contains("c"));
  CHECK_FALSE(known.contains("c2"));
  CHECK_FALSE(known.contains("residual"));
}

}  // namespace octet::exact_values
