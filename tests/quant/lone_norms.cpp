// SPDX-License-Identifier: Apache-2.0
// Batch norms that no layer takes in: what data-free quantization knows of the layers around them, their weights under presets per
// tensor; averages that are to stay float; channels of weights whose scales lie along their inputs.
#include <algorithm>
#include <cmath>

#include "compile/program.h"
#include "engine/ops/channels.h"
#include "io/model_file.h"
#include "numeric_suite/compare.h"
#include "quant/data_free.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;

namespace octet::lone_norms {
namespace {

Tensor filled(const Shape& shape, const std::vector<float>& values) { return Tensor::of<float>(shape, values); }

void set_norm(Module& norm, float gamma, float beta, float mean, float variance) {
  const Shape shape{std::get<BatchNorm>(norm.op).channels};
  norm.params["weight"] = Tensor::full(shape, static_cast<double>(gamma));
  norm.params["bias"] = Tensor::full(shape, static_cast<double>(beta));
  norm.params["running_mean"] = Tensor::full(shape, static_cast<double>(mean));
  norm.params["running_var"] = Tensor::full(shape, static_cast<double>(variance));
}

void set_identity(Module& conv, int64_t channels, float bias = 0) {
  Tensor w = Tensor::zeros({channels, 1, 1, channels});
  for (int64_t c = 0; c < channels; ++c) w.mutable_data<float>()[static_cast<size_t>(c * channels + c)] = 1;
  conv.params["weight"] = w;
  conv.params["bias"] = Tensor::full({channels}, static_cast<double>(bias));
}

double largest_difference(const Tensor& a, const Tensor& b) {
  double most = 0;
  for (size_t i = 0; i < a.data<float>().size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i])));
  return most;
}

}  // namespace

TEST_CASE("data-free quantization computes what the network does where a layer's own activation stands before its batch norm") {
  Model m;
  m.add("x", Input{{4, 4, 4, 2}});
  m.add("conv", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}, .act = Activation::relu});
  m.add("norm", BatchNorm{2});
  m.add("conv2", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}});
  m.add("norm2", BatchNorm{2});
  Generator g(1);
  initialize(m, g);
  set_identity(m["conv"], 2), set_identity(m["conv2"], 2);
  set_norm(m["norm"], 1, 10, 0.5F, 1.0F / 12), set_norm(m["norm2"], 1, 10, 10, 1);
  const StatisticsByPath known = batch_norm_statistics(m);
  CHECK(!known.contains("conv"));  // what the norm saw is behind the layer's activation
  REQUIRE(known.contains("norm"));
  CHECK(known.at("norm").mean == std::vector<double>{10, 10});
  CHECK(known.contains("conv2"));
  const Tensor x = rand(g, {4, 4, 4, 2}), real = infer(m, {&x, 1})[0];
  // Without the input's moments nothing is known of the first layer: that is said, not guessed.
  CHECK_THROWS_WITH(data_free(m), Contains("conv: the range of its output is not known"));
  const DataFree result = data_free(m, {.input = {.min = 0, .max = 1, .mean = 0.5, .deviation = std::sqrt(1.0 / 12)}});
  CHECK(largest_difference(infer(result.reference, {&x, 1})[0], real) < 1e-3);
  CHECK(compare(m, result.quantized, std::vector<Tensor>{x}).output.sqnr_db > 25);
}

TEST_CASE("a layer that several read has the range that its batch norm saw come in") {
  Model m;
  m.add("x", Input{{4, 4, 4, 2}});
  const int conv = m.add("conv", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}});
  m.add("norm", BatchNorm{2}, {conv});
  m.add("relu", Unary{UnaryFn::relu});
  const int other = m.add("conv2", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}});
  m.add("sum", Binary{}, {conv, other});
  Generator g(2);
  initialize(m, g);
  set_identity(m["conv"], 2, 100), set_identity(m["conv2"], 2);
  set_norm(m["norm"], 1, 0, 100.5F, 1.0F / 12);
  const StatisticsByPath known = batch_norm_statistics(m);
  REQUIRE(known.contains("conv"));
  CHECK(known.at("conv").mean[0] == Approx(100.5));
  CHECK(known.at("conv").deviation[0] == Approx(std::sqrt(1.0 / 12)));
  const Tensor x = rand(g, {4, 4, 4, 2});
  const DataFree result = data_free(m);
  CHECK(compare(m, result.quantized, std::vector<Tensor>{x}).output.sqnr_db > 30);
}

TEST_CASE("a batch norm that became a layer keeps its channels apart under presets per tensor") {
  Model m;
  m.add("x", Input{{2, 6, 6, 4}});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("pool", Pool2d{});
  m.add("norm", BatchNorm{4});
  Generator g(3);
  initialize(m, g);
  m["norm"].params["running_var"] = filled({4}, {0.3F, 0.3F, 0.3F, 0});
  Tensor x = randn(g, {8, 6, 6, 4});
  for (size_t i = 3; i < x.data<float>().size(); i += 4) x.mutable_data<float>()[i] = 0;  // a dead channel
  const Model fused = fuse(m, Aim::inference);
  REQUIRE(fused["norm"].as<Conv2d>());
  for (const QConfig& config :
       {default_qconfig(), get_default_qconfig("qnnpack"), default_symmetric_qnnpack_qconfig(), octet_qconfig()}) {
    Model prepared = prepare(fused, {{"", config}});
    calibrate(prepared, {&x, 1});
    const Model int8 = convert(prepared);
    REQUIRE(runs_quantized(int8, int8.index("norm")));
    CHECK(weight_of(int8["norm"].params)->qparams()->axis == 0);
    CHECK(compare(m, int8, std::vector<Tensor>{x}).output.sqnr_db > 28);
  }
}

TEST_CASE("an average without a configuration stays float, and a prepared model that was stored says so, too") {
  Model m;
  m.add("x", Input{{4, 100}});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("mean", Reduce{ReduceFn::mean, {1}, true});
  m.add("fc", Linear{1, 2});
  Generator g(4);
  initialize(m, g);
  Tensor x = Tensor::zeros({4, 100});
  for (size_t i = 0; i < 400; i += 20) x.mutable_data<float>()[i] = 6 * g.uniform();
  const auto converted = [&](const QConfigMap& map, bool stored) {
    Model prepared = prepare(m, map);
    if (stored) prepared = parse_model(model_bytes(prepared, "m"), "m", make_hook).model;
    calibrate(prepared, {&x, 1});
    return convert(prepared);
  };
  for (const bool stored : {false, true}) {
    const Model own = converted({{"", octet_qconfig()}}, stored);
    const Model kept = converted({{"", octet_qconfig()}, {"mean", std::nullopt}, {"fc", std::nullopt}}, stored);
    const Model crossed = converted({{"", octet_qconfig()}, {"mean", std::nullopt}}, stored);
    CHECK(runs_quantized(own, own.index("mean")));
    for (const Model* model : {&kept, &crossed}) {
      CHECK(!runs_quantized(*model, model->index("mean")));
      CHECK((*model)["mean"].out_q.empty());
    }
    CHECK(runs_quantized(crossed, crossed.index("fc")));
    const auto sqnr = [&](const Model& model) { return compare(m, model, std::vector<Tensor>{x}).output.sqnr_db; };
    CHECK(sqnr(kept) > sqnr(own));
    CHECK(std::isfinite(sqnr(own)));
  }
}

TEST_CASE("channels are taken out of weights with scales along their inputs, too") {
  Module layer;
  layer.path = "fc";
  layer.op = Linear{.in = 3, .out = 5, .bias = false};
  const QParams q{{1, 2, 3}, {0, 0, 0}, 1, 0, -128, 127};
  layer.params["weight"] = Tensor::zeros({5, 3}, DType::i8).with(q);
  keep_channels(layer, {0, 1, 2, 3, 4}, {0, 2});
  CHECK(weight_of(layer.params)->shape() == Shape{5, 2});
  CHECK(weight_of(layer.params)->qparams()->scale == std::vector<float>{1, 3});
}

TEST_CASE("a transposed convolution is left by the analytic correction, which says so and corrects the others") {
  Model m;
  m.add("x", Input{{2, 6, 6, 2}});
  m.add("conv", Conv2d{.in = 2, .out = 4, .kernel = {1, 1}});
  m.add("up", ConvTranspose2d{.in = 4, .out = 4});
  m.add("last", Conv2d{.in = 4, .out = 2, .kernel = {1, 1}});
  Generator g(8);
  initialize(m, g);
  const Tensor x = rand(g, {2, 6, 6, 2});
  Model prepared = prepare(m, {{"", octet_qconfig()}});
  calibrate(prepared, {&x, 1});
  Model int8 = convert(prepared);
  for (float& b : bias_of(int8["conv"].params)->mutable_data<float>()) b += 0.5F;
  std::vector<std::string> notes;
  const Model corrected = correct_bias_analytic(m, int8, {}, {.min = 0, .max = 1, .mean = 0.5, .deviation = 0.3}, &notes);
  CHECK(std::ranges::any_of(notes, [](const std::string& n) { return n.starts_with("up: bias not corrected"); }));
  CHECK(same(*bias_of(corrected["up"].params), *bias_of(int8["up"].params)));
  const float wanted = bias_of(m["conv"].params)->data<float>()[0];
  CHECK(std::abs(bias_of(corrected["conv"].params)->data<float>()[0] - wanted) < 0.05F);
}

}  // namespace octet::lone_norms
