// SPDX-License-Identifier: Apache-2.0
// prepare, calibrate, convert: where hooks go, what stays float, how crossings appear, and every wrong order refused.
#include <algorithm>
#include <cmath>

#include "engine/loss.h"
#include "engine/optimizer.h"
#include "numeric_suite/compare.h"
#include "quant/quantize.h"
#include "tests/catch.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

constexpr double kGoodSqnr = 30;  // dB: far below what these small networks reach, far above a broken one

Model network() {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("block.conv", Conv2d{.in = 3, .out = 8, .bias = false});
  m.add("block.bn", BatchNorm{8});
  const int relu = m.add("block.relu", Unary{UnaryFn::relu});
  m.add("dw", Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .groups = 8});
  m.add("sum", Binary{}, {static_cast<int>(m.modules.size()) - 1, relu});
  m.add("act", Unary{UnaryFn::relu6});
  m.add("pool", Pool2d{.kind = Pool::adaptive_average, .output = {2, 2}});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{32, 5});
  Generator g(4);
  initialize(m, g);
  return m;
}

Tensor batch(uint64_t seed, int64_t n = 16) {
  Generator g(seed);
  return rand(g, {n, 8, 8, 3});
}

Model quantized(const Model& model, const QConfigMap& map) {
  Model p = prepare(fuse(model, Aim::inference), map);
  const Tensor x = batch(1, 64);
  calibrate(p, {&x, 1});
  return convert(p);
}

double quality(const Model& reference, const Model& int8) {
  const Tensor x = batch(2);
  return sqnr(infer(reference, {&x, 1})[0], infer(int8, {&x, 1})[0]);
}

}  // namespace

TEST_CASE("the whole workflow leaves an int8 model close to float, and the float model untouched") {
  const Model m = network();
  const Model int8 = quantized(m, {{"", octet_qconfig()}});
  const QuantizationSummary s = summarize(int8);
  REQUIRE(s.weighted == 3);
  REQUIRE(s.int8_kernels == 3);
  REQUIRE(s.quantized_outputs == static_cast<int>(int8.modules.size()));
  const double db = quality(m, int8);
  REQUIRE(std::isfinite(db));
  CHECK(db > kGoodSqnr);
  CHECK(s.parameter_bytes < parameter_bytes(m) / 2);
  CHECK(summarize(m).int8_weights == 0);
  const Tensor x = batch(3);
  const Tensor out = infer(int8, {&x, 1})[0];
  CHECK(out.dtype() == DType::u8);
  CHECK(out.qparams().has_value());
}

TEST_CASE("all presets for post-training quantization give good int8 models") {
  const Model m = network();
  for (const auto& [name, qconfig] :
       std::map<std::string, QConfig>{{"default", default_qconfig()},
                                      {"per channel", default_per_channel_qconfig()},
                                      {"x86", get_default_qconfig("x86")},
                                      {"qnnpack", get_default_qconfig("qnnpack")},
                                      {"onednn", get_default_qconfig("onednn")},
                                      {"symmetric", default_symmetric_qnnpack_qconfig()},
                                      {"symmetric per channel", default_per_channel_symmetric_qnnpack_qconfig()}}) {
    INFO(name);
    const Model int8 = quantized(m, {{"", qconfig}});
    REQUIRE(summarize(int8).int8_kernels == 3);
    CHECK(quality(m, int8) > kGoodSqnr);
  }
}

TEST_CASE("every rounding mode runs the same model with nearly the same result") {
  const Model m = network();
  for (const Rounding rounding : {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single}) {
    INFO(to_string(rounding));
    Model p = prepare(fuse(m, Aim::inference, {.residual = false}), {{"", default_per_channel_symmetric_qnnpack_qconfig()}});
    const Tensor x = batch(1, 64);
    calibrate(p, {&x, 1});
    Model int8 = convert(p);
    int8.rounding = rounding;
    REQUIRE(summarize(int8).int8_kernels == 3);
    CHECK(quality(m, int8) > kGoodSqnr);
  }
  Model residual = quantized(m, {{"", octet_qconfig()}});
  residual.rounding = Rounding::fixed_double;
  CHECK_THROWS_WITH(quality(m, residual), Contains("fuse without residuals"));
}

TEST_CASE("the longest prefix decides, and a float island gets its crossings") {
  const Model m = network();
  const Model int8 = quantized(m, {{"", octet_qconfig()}, {"dw", std::nullopt}});
  const QuantizationSummary s = summarize(int8);
  CHECK(s.int8_kernels == 2);
  CHECK(int8["dw"].out_q.empty());
  CHECK(int8["dw"].params.at("weight").dtype() == DType::f32);
  REQUIRE(int8.find("rows.quant").has_value());  // pool and rows pass dw's floats on; fc needs codes
  CHECK(int8["fc"].inputs[0].module == int8.index("rows.quant"));
  CHECK(quality(m, int8) > kGoodSqnr);

  const Model head = quantized(m, {{"", std::nullopt}, {"fc", octet_qconfig()}});
  CHECK(summarize(head).int8_kernels == 1);
  CHECK(head["x"].out_q.empty());
  CHECK(quality(m, head) > kGoodSqnr);

  const Model tail = quantized(m, {{"", octet_qconfig()}, {"fc", std::nullopt}});
  const Tensor x = batch(3);
  CHECK(infer(tail, {&x, 1})[0].dtype() == DType::f32);
  CHECK(quality(m, tail) > kGoodSqnr);
}

TEST_CASE("operators that move or limit values follow their input whatever the configuration says, averages may stay float") {
  const Model m = network();
  const double all = quality(m, quantized(m, {{"", octet_qconfig()}}));
  for (const char* path : {"pool", "rows", "act"}) {
    INFO(path);
    // Unfused, so that the activation is a module of its own.
    Model p = prepare(m, {{"", octet_qconfig()}, {path, std::nullopt}});
    const Tensor x = batch(1, 64);
    calibrate(p, {&x, 1});
    const Model int8 = convert(p);
    const bool average = path == std::string_view("pool");
    CHECK(int8[path].out_q.size() == (average ? 0 : 1));
    CHECK(runs_quantized(int8, int8.index("fc")));
    CHECK_FALSE(int8.find(std::string(path) + ".quant").has_value());
    CHECK(quality(m, int8) > all - 6);
  }
}

TEST_CASE("an operator whose output's codes mean something else than its input's is rescaled, not copied") {
  const Model m = network();
  Model int8 = quantized(m, {{"", octet_qconfig()}});
  const double before = quality(m, int8);
  QParams wider = *int8["rows"].out_q[0];
  wider.scale[0] *= 1.5F;
  int8["rows"].out_q[0] = wider;
  CHECK_FALSE(runs_quantized(int8, int8.index("rows")));
  CHECK(quality(m, int8) > before - 6);
  CHECK_THROWS_WITH(lower(int8, int8.index("rows"), std::vector<Shape>{{1, 2, 2, 8}}), Contains("rows: its output's codes"));
}

TEST_CASE("a tied call cannot be float while its owner is quantized") {
  Model m;
  m.add("x", Input{{1, 4}});
  m.add("fc", Linear{4, 4});
  m.add_tied("again", m.modules[1].path);
  CHECK(m["again"].tied_to == "fc");
  Generator g(1);
  initialize(m, g);
  for (const Ties ties : {Ties::own, Ties::shared})
    CHECK_THROWS_WITH(prepare(m, {{"", octet_qconfig()}, {"again", std::nullopt}}, ties), Contains("again: a call of fc"));
  // The other way round, the call has an observer of its own.
  const Model p = prepare(m, {{"", octet_qconfig()}, {"fc", std::nullopt}}, Ties::shared);
  CHECK(p["again"].hooks.contains("output"));
}

TEST_CASE("a crossing finds a free name and tied conv_bn2d modules convert") {
  Model m;
  m.add("x", Input{{1, 6, 6, 2}});
  m.add("x.quant", Unary{UnaryFn::identity});
  m.add("c", ConvBn2d{.conv = {.in = 2, .out = 2, .padding = pad_all(1)}});
  CHECK_THROWS_WITH(m.add("c.bn", BatchNorm{2}), Contains("c.bn: its parameters"));
  m.add_tied("again", "c");
  Generator g(1);
  initialize(m, g);
  Model later = m;  // the name is taken by a module behind the crossing
  later.add("x.quant.quant", Unary{UnaryFn::relu});
  CHECK(prepare(later, {{"c", octet_qconfig()}, {"again", octet_qconfig()}}).find("x.quant.quant2").has_value());
  const Tensor x = rand(g, {4, 6, 6, 2});
  Model p = prepare(m, {{"c", octet_qconfig()}, {"again", octet_qconfig()}});
  REQUIRE(p.find("x.quant.quant").has_value());
  calibrate(p, {&x, 1});
  const Model int8 = convert(p);
  REQUIRE(summarize(int8).int8_kernels == 2);
  CHECK(sqnr(infer(m, {&x, 1})[0], infer(int8, {&x, 1})[0]) > kGoodSqnr);
}

TEST_CASE("models with several inputs are calibrated by the list") {
  Model m;
  const int a = m.add("a", Input{{1, 4}}), b = m.add("b", Input{{1, 4}});
  m.add("sum", Binary{}, {a, b});
  m.add("fc", Linear{4, 3});
  Generator g(1);
  initialize(m, g);
  Model p = prepare(m, {{"", octet_qconfig()}});
  const std::vector<Tensor> x{rand(g, {64, 4}), rand(g, {64, 4})};
  CHECK(calibrate(p, {1, [&](int64_t) { return x; }}) == 1);
  const Model int8 = convert(p);
  REQUIRE(summarize(int8).int8_kernels == 1);
  CHECK(sqnr(infer(m, x)[0], infer(int8, x)[0]) > kGoodSqnr);
}

TEST_CASE("a post-training model can be simulated before it is converted") {
  Model p = prepare(fuse(network(), Aim::inference), {{"", octet_qconfig()}});
  const Tensor x = batch(1, 64);
  CHECK_THROWS_WITH(
      [&] {
        Model unseen = p;
        enable_fake_quant(unseen);
        infer(unseen, {&x, 1});
      }(),
      Contains("x: the histogram observer has seen no data"));
  calibrate(p, {&x, 1});
  enable_fake_quant(p);
  CHECK(sqnr(infer(convert(p), {&x, 1})[0], infer(p, {&x, 1})[0]) > kGoodSqnr);
}

TEST_CASE("f64 models are refused by hooks and by int8, with the module's name") {
  const Model m = network();
  Generator g(1);
  const Tensor x = rand(g, {2, 8, 8, 3}, DType::f64);
  Model p = prepare(cast(m, DType::f64), {{"", octet_qconfig()}});
  CHECK_THROWS_WITH(calibrate(p, {&x, 1}), Contains("x: observers and fake quantization need f32, got f64"));
  const Model int8 = quantized(m, {{"", octet_qconfig()}});
  CHECK_THROWS_WITH(infer(int8, {&x, 1}), Contains("x: expected f32, got f64"));
}

TEST_CASE("a batch norm that was not fused stays float, unobserved, and codes begin behind it") {
  const Model m = network();
  Model p = prepare(m, {{"", octet_qconfig()}});
  CHECK(p["block.bn"].hooks.empty());
  REQUIRE(p.modules.size() == m.modules.size() + 1);  // one crossing, where its relu's readers want codes
  CHECK(p["block.relu.quant"].hooks.size() == 1);
  CHECK(p.modules[static_cast<size_t>(p["block.bn"].inputs[0].module)].path == "block.conv");
  const Tensor x = batch(1, 64);
  calibrate(p, {&x, 1});
  const Model int8 = convert(p);
  REQUIRE(summarize(int8).int8_kernels == 3);
  CHECK_FALSE(runs_quantized(int8, int8.index("block.bn")));
  CHECK(int8["block.bn"].out_q.empty());
  CHECK(int8["block.relu"].out_q.empty());
  CHECK(int8["block.relu.quant"].out_q.size() == 1);
  CHECK(quality(m, int8) > kGoodSqnr);
}

TEST_CASE("prepare refuses configurations that would do nothing or mean something else") {
  const Model m = network();
  CHECK_THROWS_WITH(prepare(m, {}), Contains("empty"));
  CHECK_THROWS_WITH(prepare(m, {{"", octet_qconfig()}, {"blok", std::nullopt}}), Contains("\"blok\" matches no module"));
  CHECK_THROWS_WITH(prepare(m, {{"bloc", octet_qconfig()}}), Contains("matches no module"));  // no dot boundary
  CHECK_THROWS_WITH(prepare(m, {{"", std::nullopt}}), Contains("no hook"));
  const Model p = prepare(m, {{"", octet_qconfig()}});
  CHECK_THROWS_WITH(prepare(p, {{"", octet_qconfig()}}), Contains("is prepared"));
  CHECK_THROWS_WITH(prepare(quantized(m, {{"", octet_qconfig()}}), {{"", octet_qconfig()}}), Contains("converted"));
}

TEST_CASE("convert refuses what was not prepared or not calibrated, by name") {
  const Model m = network();
  CHECK_THROWS_WITH(convert(m), Contains("prepare it first"));
  CHECK_THROWS_WITH(convert(prepare(m, {{"", octet_qconfig()}})), Contains("x: the histogram observer has seen no data"));
  CHECK_THROWS_WITH(convert(quantized(m, {{"", octet_qconfig()}})), Contains("converted"));
}

TEST_CASE("calibration refuses an empty set, a model without observers and data that is not finite") {
  Model m = network();
  const Tensor x = batch(1), none(Shape{0, 8, 8, 3}, DType::f32);
  CHECK_THROWS_WITH(calibrate(m, {&x, 1}), Contains("prepare the model first"));
  Model p = prepare(m, {{"", octet_qconfig()}});
  CHECK_THROWS_WITH(calibrate(p, std::span<const Tensor>{}), Contains("calibration set is empty"));
  Model still = p;
  disable_observer(still);
  CHECK_THROWS_WITH(calibrate(still, {&x, 1}), Contains("no observer is switched on"));
  CHECK_THROWS_WITH(calibrate(p, {&none, 1}), Contains("batch 0 is empty"));
  Tensor bad = x;
  bad.mutable_data<float>()[5] = NAN;
  CHECK_THROWS_WITH(calibrate(p, std::vector<Tensor>{x, bad}), Contains("x: observed value nan at element 5"));
  CHECK_THROWS_WITH(convert(p), Contains("has seen no data"));  // the good batch before it left no trace
}

TEST_CASE("weights that are not finite are refused by name at convert") {
  Model m = fuse(network(), Aim::inference);
  m["fc"].params["weight"].mutable_data<float>()[3] = NAN;
  CHECK_THROWS_WITH(prepare(m, {{"fc", default_weight_only_qconfig()}}), Contains("fc.weight: element 3 is nan"));
  Model p = prepare(network(), {{"fc", default_weight_only_qconfig()}});
  p["fc"].params["weight"].mutable_data<float>()[3] = NAN;
  CHECK_THROWS_WITH(convert(p), Contains("fc.weight: element 3 is nan"));
}

TEST_CASE("calibration reports progress and can be stopped") {
  Model p = prepare(network(), {{"", octet_qconfig()}});
  const std::vector<Tensor> data{batch(1), batch(2), batch(3)};
  int64_t seen = 0;
  CHECK(calibrate(p, data, [&](int64_t done, int64_t total) {
          CHECK(total == 3);
          seen = done;
          return done < 2;
        }) == 2);
  CHECK(seen == 2);
}

TEST_CASE("switches reach the modules below their prefix and refuse one that reaches none") {
  Model p = prepare(fuse(network(), Aim::training), {{"", octet_qat_qconfig()}});
  disable_observer(p, "block");
  CHECK_FALSE(fake_quantize_at(p["block.conv"].hooks.at("output"))->observe);
  CHECK(fake_quantize_at(p["fc"].hooks.at("output"))->observe);
  disable_fake_quant(p);
  CHECK_FALSE(fake_quantize_at(p["fc"].hooks.at("weight"))->round);
  CHECK_THROWS_WITH(disable_observer(p, "nothing"), Contains("\"nothing\""));
  freeze_bn_stats(p);
  CHECK(p["block.conv"].params.at("bn.frozen").item() == 1);
  update_bn_stats(p);
  CHECK(p["block.conv"].params.at("bn.frozen").item() == 0);
  Model plain = network();
  CHECK_THROWS_WITH(freeze_bn_stats(plain, "fc"), Contains("no batch norm below \"fc\""));
}

TEST_CASE("quantization-aware training lowers the loss, moves the running statistics, and converts to a close int8 model") {
  Model p = prepare(fuse(network(), Aim::training), {{"", octet_qat_qconfig()}});
  const Tensor x = batch(5, 32);
  Generator g(6);
  Tensor labels(Shape{32}, DType::i32);
  for (int32_t& l : labels.mutable_data<int32_t>()) l = static_cast<int32_t>(g.integer(0, 5));
  const Tensor variance = p["block.conv"].params.at("bn.running_var");
  Sgd sgd({.momentum = 0.9});
  double first = 0, last = 0;
  for (int step = 0; step < 40; ++step) {
    Var loss = cross_entropy(forward(p, {&x, 1}, Mode::train)[0], labels);
    last = loss.value().item();
    if (step == 0) first = last;
    sgd.step(p, backward(std::move(loss)), 0.05);
  }
  CHECK(last < 0.7 * first);
  CHECK_FALSE(std::ranges::equal(variance.data<float>(), p["block.conv"].params.at("bn.running_var").data<float>()));
  disable_observer(p);
  const Model int8 = convert(p);
  REQUIRE(summarize(int8).int8_kernels == 3);
  const double db = sqnr(infer(p, {&x, 1})[0], infer(int8, {&x, 1})[0]);
  CHECK(db > kGoodSqnr);
}

TEST_CASE("a layer whose sum can leave 32 bits is refused by name") {
  Model m;
  m.add("x", Input{{1, 70000}});
  m.add("fc", Linear{.in = 70000, .out = 1, .bias = false});
  m["fc"].params["weight"] = Tensor::full({1, 70000}, -1);
  Model p = prepare(m, {{"", octet_qconfig()}});
  const Tensor x = Tensor::full({1, 70000}, 1);
  calibrate(p, {&x, 1});
  const Model int8 = convert(p);
  CHECK_THROWS_WITH(infer(int8, {&x, 1}), Contains("fc: the sum of channel 0 can reach"));
}

TEST_CASE("compare_outputs tells module by module what int8 did") {
  const Model m = network();
  const Model int8 = quantized(m, {{"", octet_qconfig()}});
  const std::vector<Tensor> data{batch(7), batch(8)};
  const std::vector<OutputComparison> rows = compare_outputs(m, int8, data);
  REQUIRE(rows.size() == int8.modules.size());
  for (const OutputComparison& row : rows) {
    INFO(row.path);
    CHECK(std::isfinite(row.sqnr_db));
    CHECK(row.sqnr_db > kGoodSqnr);
    CHECK(row.dtype == "u8");
    CHECK(row.max_abs_error > 0);
  }
  const auto conv = std::ranges::find(rows, "block.conv", &OutputComparison::path);
  REQUIRE(conv != rows.end());
  CHECK(conv->float_path == "block.relu");
  CHECK(conv->elements == 2 * 16 * 6 * 6 * 8);
  CHECK(to_table(rows).find("block.conv") != std::string::npos);
  CHECK_THROWS_AS(compare_outputs(m, int8, {}), Error);
  CHECK_THROWS_AS(sqnr(data[0], Tensor::zeros({1})), Error);
  CHECK_THROWS_AS(sqnr(Tensor::full({1}, NAN), Tensor::full({1}, NAN)), Error);
  CHECK(sqnr(Tensor::full({1}, 100), Tensor::full({1}, 99)) == Approx(40));
}

TEST_CASE("a configuration for what fusion swallowed says into what") {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("block.conv", Conv2d{.in = 3, .out = 4, .bias = false});
  m.add("block.bn", BatchNorm{4});
  m.add("block.relu", Unary{UnaryFn::relu});
  Generator g(1);
  initialize(m, g);
  const Model fused = fuse(m, Aim::inference);
  REQUIRE(fused.modules.size() == 2);
  for (const std::string key : {"block.relu", "block.bn"})
    CHECK_THROWS_WITH(prepare(fused, {{"", octet_qconfig()}, {key, std::nullopt}}),
                      "prepare: \"" + key + "\" was fused into \"block.conv\"; configure \"block.conv\"");
  CHECK_NOTHROW(static_cast<void>(prepare(fused, {{"", octet_qconfig()}, {"block", octet_qconfig()}})));
  CHECK_THROWS_WITH(prepare(fused, {{"", octet_qconfig()}, {"relu", std::nullopt}}), Contains("\"relu\" matches no module"));
}
