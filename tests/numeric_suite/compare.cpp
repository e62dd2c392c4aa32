// SPDX-License-Identifier: Apache-2.0
// compare() against its definition on tensors that are kept, PyTorch's entry points and keys, and input that cannot be compared.
#include "numeric_suite/compare.h"

#include <cmath>

#include "numeric_suite/diagnose.h"
#include "numeric_suite/eager.h"
#include "numeric_suite/report.h"
#include "quant/correct_bias.h"
#include "quant/pairing.h"
#include "quant/runner.h"
#include "tests/catch.h"
#include "tests/numeric_suite/support.h"
#include "tests/same.h"

using namespace octet;
using namespace octet::suite_test;

namespace {

std::string message(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("Metrics of two tensors follow their definitions") {
  const Tensor x = Tensor::of<float>({2, 2}, std::vector<float>{1, 2, 3, -4});
  const QParams q{{0.5F}, {4}, -1, 0, 0, 8};  // -2 .. 2
  Statistics s;
  s.add(x, quantize(x, q), "x");
  const Metrics m = s.metrics();
  // 1 and 2 are exact, 3 becomes 2 and -4 becomes -2.
  CHECK(m.sqnr_db == Approx(10 * std::log10(30.0 / 5.0)));
  CHECK(m.cosine == Approx((1 + 4 + 6 + 8) / std::sqrt(30.0 * 13.0)));
  CHECK(m.max_abs_error == 2);
  CHECK(m.mean_error == std::vector<double>{-0.5, 1.0});
  CHECK(m.saturated_high == 0.25);
  CHECK(m.saturated_low == 0.25);
  CHECK(m.at_limits == 0.75);  // 2 is the highest code without being cut
  CHECK(m.codes_used == Approx(3 / 9.0));
  CHECK(m.clip_power == Approx(5.0 / 4));
  CHECK(m.effective_bits == Approx((m.sqnr_db - 1.76) / 6.02));
  CHECK(m.channel_min == std::vector<float>{1, -4});
  CHECK(m.channel_max == std::vector<float>{3, 2});
  CHECK((m.grid_min == -2 && m.grid_max == 2 && m.step == 0.5));
  int64_t counted = 0;
  for (const int64_t n : m.histogram.test) counted += n;
  CHECK(counted == 4);
}

TEST_CASE("sqnr takes codes of every scheme, whichever axis has the scales") {
  Generator g(2);
  for (const Shape& shape : {Shape{4, 17}, Shape{17, 4}, Shape{3, 5, 4}, Shape{4}}) {
    const Tensor x = randn(g, shape);
    for (int axis = -1; axis < static_cast<int>(shape.size()); ++axis) {
      const size_t channels = axis < 0 ? 1 : static_cast<size_t>(shape[static_cast<size_t>(axis)]);
      QParams q{{}, {}, axis, 0, -128, 127};
      for (size_t c = 0; c < channels; ++c) q.scale.push_back(0.02F + 0.01F * static_cast<float>(c)), q.zero_point.push_back(0);
      const Tensor codes = quantize(x, q);
      CAPTURE(to_string(shape), axis);
      CHECK(sqnr(x, codes) == Approx(sqnr(x, dequantize(codes))).epsilon(1e-9));
      CHECK(sqnr(x, codes) > 20);
    }
  }
}

TEST_CASE("A signed grid gives the same metrics as the unsigned one") {
  Generator g(3);
  const Tensor x = randn(g, {64, 6});
  Statistics u8, i8;
  u8.add(x, quantize(x, {{0.02F}, {130}, -1, 0, 0, 255}), "x");
  i8.add(x, quantize(x, {{0.02F}, {2}, -1, 0, -128, 127}), "x");
  const Metrics a = u8.metrics(), b = i8.metrics();
  CHECK(a.sqnr_db == b.sqnr_db);
  CHECK(a.codes_used == b.codes_used);
  CHECK(a.at_limits == b.at_limits);
  CHECK(a.histogram.test == b.histogram.test);
  CHECK(a.histogram.reference == b.histogram.reference);
}

TEST_CASE("Equal, constant and zero references are said to be so and give no NaN") {
  Statistics equal, constant, zero;
  const Tensor five = Tensor::full({3, 2}, 5.0), nothing = Tensor::zeros({3, 2});
  equal.add(five, five, "x");
  CHECK(equal.metrics().sqnr_db == INFINITY);
  CHECK(decibels(equal.metrics().sqnr_db) == "inf");
  CHECK(equal.metrics().note == "equal, the reference is constant");
  zero.add(nothing, five, "x");
  CHECK(decibels(zero.metrics().sqnr_db) == "-inf");
  CHECK(zero.metrics().cosine == 0);
  CHECK(zero.metrics().note == "the reference is all zero");
  constant.add(five, Tensor::full({3, 2}, 4.0), "x");
  CHECK(std::isfinite(constant.metrics().sqnr_db));
  CHECK_THROWS_AS(Statistics().metrics(), Error);
  CHECK(message([&] { Statistics().add(five, Tensor::full({3, 2}, NAN), "conv1"); }).find("conv1: element 0") == 0);
}

TEST_CASE("A channel that the codes cannot show is dead") {
  Tensor x = Tensor::zeros({4, 2});
  for (int i = 0; i < 4; ++i)
    x.mutable_data<float>()[2 * i] = static_cast<float>(i), x.mutable_data<float>()[2 * i + 1] = 0.01F * i;
  Statistics s;
  s.add(x, quantize(x, {{0.1F}, {0}, -1, 0, 0, 255}), "x");
  CHECK(s.metrics().dead_channels == std::vector<int>{1});
}

TEST_CASE("Any cut of the data into batches gives the same comparison") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({4, 8, 8, 3}, 3, 2);
  const Model int8 = post_training(m, data);
  const ModelComparison parts = compare(m, int8, data);
  const Tensor all = concat(data, 0);
  const ModelComparison whole = compare(m, int8, {&all, 1});
  REQUIRE(parts.layers.size() == int8.modules.size());
  CHECK(parts.samples == 12);
  for (size_t i = 0; i < parts.layers.size(); ++i) {
    INFO(parts.layers[i].path);
    if (std::isinf(parts.layers[i].shadow->sqnr_db)) continue;
    CHECK(parts.layers[i].output->sqnr_db == Approx(whole.layers[i].output->sqnr_db).epsilon(1e-9));
    CHECK(parts.layers[i].shadow->sqnr_db == Approx(whole.layers[i].shadow->sqnr_db).epsilon(1e-9));
    CHECK(parts.layers[i].output->codes_used == whole.layers[i].output->codes_used);
  }
}

TEST_CASE("A shadow separates a layer's own error from what it inherited") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({8, 8, 8, 3}, 2, 2);
  Model int8 = post_training(m, data);
  const ModelComparison before = compare(m, int8, data);
  // Zeroed weights ruin the pointwise layer; what follows inherits the error and has none of its own.
  Tensor& w = int8["pw"].params.at("weight");
  for (int8_t& code : w.mutable_data<int8_t>()) code = 0;
  const ModelComparison after = compare(m, int8, data);
  CHECK(row(after, "pw").shadow->sqnr_db < row(before, "pw").shadow->sqnr_db - 10);
  CHECK(row(after, "last").output->sqnr_db < row(before, "last").output->sqnr_db - 5);
  CHECK(row(after, "last").shadow->sqnr_db > 30);
  CHECK(row(after, "pw").weight->sqnr_db == Approx(0).margin(1e-9));
  CHECK(row(after, "stem.conv").output->sqnr_db == row(before, "stem.conv").output->sqnr_db);
}

TEST_CASE("Every engine gives the same comparison") {
  const Model m = small_network(4);
  const std::vector<Tensor> data = batches({4, 8, 8, 3}, 2, 2);
  const Model int8 = post_training(m, data);
  const ModelComparison a = compare(m, int8, data, {.engine = QEngine::reference}), b = compare(m, int8, data);
  for (size_t i = 0; i < a.layers.size(); ++i) {
    CHECK(a.layers[i].output->noise_power == b.layers[i].output->noise_power);
    CHECK(a.layers[i].shadow->histogram.test == b.layers[i].shadow->histogram.test);
  }
}

TEST_CASE("The runner gives the bytes of infer, and new ones after a parameter has changed") {
  const Model m = small_network(5);
  const std::vector<Tensor> data = batches({4, 8, 8, 3}, 1, 2);
  Model int8 = post_training(m, data);
  ModuleRunner runner(int8);
  const auto bytes = [&] {
    ModuleWalk walk(runner, data);
    while (!walk.done()) walk.next();
    const Tensor y = dequantize(walk.output());
    return std::vector<float>(y.data<float>().begin(), y.data<float>().end());
  };
  const auto expected = [&] {
    const Tensor y = dequantize(infer(int8, data)[0]);
    return std::vector<float>(y.data<float>().begin(), y.data<float>().end());
  };
  const std::vector<float> first = expected();
  CHECK(bytes() == first);
  Tensor bias = int8["pw"].params.at("bias");
  for (float& b : bias.mutable_data<float>()) b += 0.25F;
  int8["pw"].params.at("bias") = bias;
  runner.set_param(int8.index("pw"), "bias", bias);
  CHECK(bytes() == expected());
  CHECK(expected() != first);
}

TEST_CASE("A walk that is asked for a module runs up to it, and for one that has run it refuses") {
  const Model m = small_network(5);
  const std::vector<Tensor> data = batches({2, 8, 8, 3}, 1, 2);
  ModuleRunner runner(m);
  ModuleWalk walk(runner, data);
  const int dw = m.index("dw");
  std::vector<Tensor> tapped(m.modules.size());
  infer(m, data, [&](int index, std::span<const Tensor> out) { tapped[static_cast<size_t>(index)] = out[0]; });
  CHECK(testing::same(walk.next_to(dw)[0], tapped[static_cast<size_t>(dw)]));
  CHECK(walk.position() == dw + 1);
  CHECK_THROWS_WITH(walk.next_to(dw), Catch::Matchers::Contains("has run already"));
  CHECK(testing::same(walk.output(), tapped.back()));
  CHECK(walk.done());
}

TEST_CASE("The runner gives every call of a layer the parameter that one of them was given") {
  Model m;
  m.add("x", Input{{4, 6}});
  m.add("fc", Linear{6, 6});
  m.add_tied("again", "fc");
  Generator g(1);
  initialize(m, g);
  const std::vector<Tensor> data{randn(g, {4, 6})};
  Model int8 = post_training(m, data);
  REQUIRE(runs_quantized(int8, 2));
  for (const char* named : {"fc", "again"}) {
    ModuleRunner runner(int8);
    const auto result = [&] {
      ModuleWalk walk(runner, data);
      while (!walk.done()) walk.next();
      return walk.output();
    };
    const Tensor before = result();
    Tensor bias = int8["fc"].params.at("bias");
    for (float& b : bias.mutable_data<float>()) b += 0.5F;
    runner.set_param(int8.index(named), "bias", bias);
    const Tensor after = result(), expected = infer(runner.model(), data)[0];
    CHECK(std::ranges::equal(after.data<uint8_t>(), expected.data<uint8_t>()));
    CHECK(!std::ranges::equal(after.data<uint8_t>(), before.data<uint8_t>()));
  }
}

TEST_CASE("A comparison is stopped by whoever says so before its end, not by a no after the last batch") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({2, 8, 8, 3}, 3, 2);
  const Model int8 = post_training(m, data);
  for (const int64_t last : {1, 2, 3}) {
    const ModelComparison c = compare(m, int8, data, {.progress = [&](int64_t done, int64_t) { return done < last; }});
    CHECK(c.stopped == (last < 3));
    CHECK(c.samples == 2 * last);
    CHECK(c.output.samples == 2 * last);
  }
}

TEST_CASE("Models that run the same modules in another order are refused") {
  const auto network = [](bool swapped) {
    Model m;
    m.add("x", Input{{1, 4}});
    m.add(swapped ? "b" : "a", Linear{4, 4}, {0});
    m.add(swapped ? "a" : "b", Linear{4, 4}, {0});
    m.add("sum", Binary{}, {1, 2});
    Generator g(1);
    initialize(m, g);
    return m;
  };
  const std::vector<Tensor> data = batches({2, 4}, 1, 2);
  const Model int8 = post_training(network(true), data);
  CHECK(message([&] { compare(network(false), int8, data); }).find("the float model runs it in another order") !=
        std::string::npos);
  CHECK(compare(network(true), int8, data).layers.size() == 4);
}

TEST_CASE("PyTorch's three entry points give its keys and lengths") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({2, 8, 8, 3}, 3, 2);
  QConfig config = octet_qconfig();
  config.averages = false;  // as in PyTorch
  const Model int8 = post_training(m, data, config);
  std::vector<std::string> keys;
  for (const auto& [key, pair] : compare_weights(state_dict(m), state_dict(int8))) {
    keys.push_back(key);
    CHECK(pair.real[0].shape() == pair.quantized[0].shape());
  }
  CHECK(keys == std::vector<std::string>{"dw.weight", "head._packed_params._packed_params", "last.weight", "pw.weight",
                                         "stem.conv.weight"});
  keys.clear();
  const std::string_view convolutions[] = {"conv2d"};
  for (const auto& [key, pair] : compare_model_stub(m, int8, convolutions, data)) {
    keys.push_back(key);
    REQUIRE((pair.real.size() == 3 && pair.quantized.size() == 3));
    CHECK(pair.real[2].shape() == pair.quantized[2].shape());
    CHECK(pair.real[2].size(0) == 2);  // PyTorch keeps the first sample only
    CHECK(pair.quantized[0].qparams());
    CHECK(sqnr(pair.real[0], pair.quantized[0]) > 25);
  }
  CHECK(keys == std::vector<std::string>{"dw.stats", "last.stats", "pw.stats", "stem.conv.stats"});
  CHECK(compare_model_stub(m, int8, convolutions, data, true).at("dw.stats").real[0].size(0) == 1);
  keys.clear();
  for (const auto& [key, pair] : compare_model_outputs(m, int8, data)) {
    keys.push_back(key);
    CHECK(sqnr(pair.real[1], pair.quantized[1]) > 20);
  }
  CHECK(keys == std::vector<std::string>{"dw.stats", "head.stats", "image.stats", "last.stats", "pw.stats", "stem.conv.stats"});
}

TEST_CASE("PyTorch's entry points see weight-only layers") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({2, 8, 8, 3}, 3, 2);
  Model prepared = prepare(fuse(m, Aim::inference), {{"", default_weight_only_qconfig()}});
  calibrate(prepared, data);
  const Model weights = convert(prepared);
  REQUIRE(summarize(weights).int8_weights == summarize(weights).weighted);
  REQUIRE(summarize(weights).int8_kernels == 0);
  const std::string_view layers[] = {"conv2d", "linear"};
  const auto stub = compare_model_stub(m, weights, layers, data), outputs = compare_model_outputs(m, weights, data);
  CHECK(stub.size() == 5);
  CHECK(outputs.size() == 5);
  for (const auto& [key, pair] : stub) {
    CHECK_FALSE(pair.quantized[0].qparams());
    CHECK(sqnr(pair.real[0], pair.quantized[0]) > 20);
    CHECK(std::isfinite(sqnr(pair.real[0], pair.quantized[0])));
  }
}

TEST_CASE("Weight keys match by dotted components, with the fused suffix and both halves of an LSTM") {
  const Tensor a = Tensor::zeros({2, 3}), b = Tensor::full({2, 3}, 1.0);
  const auto pairs = compare_weights({{"a.bc.weight", a}, {"conv.0.weight", b}, {"lstm.weight_ih_l0", a}, {"lstm.weight_hh_l0", b}},
                                     {{"ab.c.weight", a},
                                      {"conv.weight", b},
                                      {"conv.bias", b},
                                      {"lstm._all_weight_values.0.param.weight_ih", a},
                                      {"lstm._all_weight_values.0.param.weight_hh", b}});
  REQUIRE(pairs.size() == 3);  // "ab.c" is not "a.bc", a bias is no weight
  CHECK(pairs.contains("conv.weight"));
  CHECK(pairs.at("lstm._all_weight_values.0.param.weight_hh").real[0].data<float>()[0] == 1);
  CHECK_THROWS_AS(compare_weights({{"fc.weight", a}}, {{"fc.weight", Tensor::zeros({3, 3})}}), Error);
}

TEST_CASE("Models that do not correspond are refused with what matched and the first that does not") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({2, 8, 8, 3}, 1, 2);
  const Model int8 = post_training(m, data);
  Model renamed = int8;
  renamed["last"].path = "other";
  const std::string by_name = message([&] { compare(m, renamed, data); });
  CHECK(by_name.find("matched image, stem.conv, dw, pw; other (conv2d [12, 1, 1, 8]) is the first") != std::string::npos);
  Model wider = m;
  wider["head"].op = Linear{12, 6};
  wider["head"].params.at("weight") = Tensor::zeros({6, 12});
  wider["head"].params.at("bias") = Tensor::zeros({6});
  CHECK(message([&] { compare(wider, int8, data); }).find("the float model has linear [6, 12] there") != std::string::npos);
  CHECK(message([&] { compare(m, int8, {}); }) == "compare: no data");
  const std::string swapped = "the models are swapped: the first is quantized and the second is not; the order is float, quantized";
  CHECK(message([&] { compare(int8, m, data); }) == swapped);
  CHECK(message([&] { diagnose(int8, m, data); }) == swapped);
  CHECK(message([&] { static_cast<void>(correct_bias(int8, m, data)); }) == swapped);
  int64_t steps = 0;
  const ReportOptions counted{.progress = [&](int64_t, int64_t) { return ++steps > 0; }};
  CHECK(message([&] { make_report(int8, m, data, counted); }) == swapped);
  CHECK(message([&] { make_report(m, m, data, counted); }) == "report: the second model is not quantized; convert it first");
  CHECK(steps == 0);  // refused before any work
  const Tensor empty = Tensor::zeros({0, 8, 8, 3});
  CHECK(message([&] { compare(m, int8, {&empty, 1}); }).find("batch 0 is empty") != std::string::npos);
  Tensor bad = data[0];
  bad.mutable_data<float>()[7] = NAN;
  CHECK(message([&] { compare(m, int8, {&bad, 1}); }).find("image: element 7") != std::string::npos);
}

TEST_CASE("The table shows infinity as such and lists every layer") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({2, 8, 8, 3}, 1, 2);
  Model same = m;
  const std::string table = to_table(compare(m, same, data));
  CHECK(table.find("inf") != std::string::npos);
  CHECK(table.find("nan") == std::string::npos);
  CHECK(table.find("equal") != std::string::npos);
  CHECK(table.find("stem.conv") != std::string::npos);
}
