// SPDX-License-Identifier: Apache-2.0
// What a report claims: figures say how many samples they are from, stopping stops, advice is given where something is wrong and
// keeps what it promises.
#include <cmath>
#include <iostream>
#include <regex>

#include "numeric_suite/cause.h"
#include "numeric_suite/correlation.h"
#include "numeric_suite/report.h"
#include "quant/correct_bias.h"
#include "quant/observers/range.h"
#include "tests/catch.h"
#include "tests/numeric_suite/support.h"

using namespace octet;
using namespace octet::suite_test;
using Catch::Matchers::Contains;

namespace {

int32_t best(const Tensor& logits, int64_t row) {
  const auto r = logits.data<float>().subspan(row * logits.size(1), logits.size(1));
  return static_cast<int32_t>(std::ranges::max_element(r) - r.begin());
}

/// 8-bit weights by channel; activations with codes 0..top.
QConfig coarse_activations(int32_t top) {
  QConfig q;
  q.activation.emplace(std::make_unique<MinMaxObserver>(ObserverSpec{.quant_range = std::pair{0, top}}), true, false);
  q.weight.emplace(*octet_qconfig().weight);
  return q;
}

Model quantized(const Model& model, const std::vector<Tensor>& data, const QConfigMap& map) {
  Model prepared = prepare(fuse(model, Aim::inference), map);
  calibrate(prepared, data);
  return convert(prepared);
}

}  // namespace

TEST_CASE("Headline figures are of all samples, those of the causes say how few they are from") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({8, 8, 8, 3}, 6, 2);
  const Model int8 = post_training(m, data);
  REQUIRE(summarize(int8).int8_kernels == 5);
  // What the float network says is right in the first batch and wrong in all others.
  std::vector<Tensor> labels;
  int64_t right_float = 0, right_int8 = 0;
  double signal = 0, noise = 0;
  for (size_t b = 0; b < data.size(); ++b) {
    const Tensor x = infer(m, {&data[b], 1})[0], y = dequantize(infer(int8, {&data[b], 1})[0]);
    Tensor l(Shape{8}, DType::i32);
    for (int64_t i = 0; i < 8; ++i) {
      const int32_t label = (best(x, i) + (b > 0)) % 5;
      l.mutable_data<int32_t>()[i] = label;
      right_float += best(x, i) == label, right_int8 += best(y, i) == label;
    }
    for (int64_t i = 0; i < x.numel(); ++i) {
      const double t = static_cast<double>(x.data<float>()[i]);
      signal += t * t, noise += std::pow(t - static_cast<double>(y.data<float>()[i]), 2);
    }
    labels.push_back(l);
  }
  const Report r = make_report(m, int8, data, {.labels = labels, .diagnosis_batches = 1});
  CHECK(right_float == 8);
  CHECK(r.comparison.output.samples == 48);
  CHECK(r.comparison.output.float_accuracy == 8 / 48.0);
  CHECK(r.comparison.output.quantized_accuracy == static_cast<double>(right_int8) / 48);
  CHECK(r.comparison.output.sqnr_db == Approx(10 * std::log10(signal / noise)).epsilon(1e-6));
  CHECK(r.diagnosis.output.samples == 8);
  CHECK(r.diagnosis.output.float_accuracy == 1.0);
  CHECK(r.diagnosis.output.sqnr_db != r.comparison.output.sqnr_db);
  CHECK(!r.comparison.stopped);
  const std::string table = to_table(r), html = to_html(r), json = to_json(r);
  CHECK_THAT(table, Contains("all data: output SQNR " + decibels(r.comparison.output.sqnr_db)) &&
                        Contains("accuracy 16.67 % float") && Contains("(48 samples)") && Contains("causes from: output SQNR") &&
                        Contains("(8 samples)"));
  CHECK_THAT(html, Contains("<b>16.67 %</b>accuracy, float, 48 samples") && Contains("SQNR of the output, 48 samples") &&
                       Contains("samples; causes from 8") &&
                       Contains("noise share are from 8 samples, estimated from 8, all else from 48"));
  CHECK_THAT(json, Contains("\"samples\": 48") && Contains("\"samples\": 8") && Contains("\"estimated_samples\": 8"));
}

TEST_CASE("What is worth a look stands in the report") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({8, 8, 8, 3}, 2, 2);
  Model int8 = post_training(m, data);
  CHECK(make_report(m, int8, data).notes.empty());
  // As if one absurd weight had left the others a code or two.
  for (int8_t& code : int8["head"].params.at("weight").mutable_data<int8_t>()) code = static_cast<int8_t>(code > 0);
  const Report r = make_report(m, int8, data);
  REQUIRE(r.notes.size() == 1);
  CHECK_THAT(r.notes[0], Contains("head: its weights use"));
  for (const std::string& text : {to_table(r), to_html(r), to_json(r)}) CHECK_THAT(text, Contains(r.notes[0]));
}

TEST_CASE("The report's wiring says of every module whether it computes on codes and where floats and codes meet") {
  for (const bool codes_first : {true, false}) {
    Model m;
    m.add("x", Input{{1, 4}});
    m.add("a", Linear{4, 4}, {0});
    m.add("b", Linear{4, 4}, {0});
    m.add("sum", Binary{}, codes_first ? std::initializer_list<int>{1, 2} : std::initializer_list<int>{2, 1});
    Generator g(1);
    initialize(m, g);
    const std::vector<Tensor> data = batches({8, 4}, 1, 2);
    Model prepared = prepare(m, {{"", std::nullopt}, {"x", octet_qconfig()}, {"a", octet_qconfig()}});
    calibrate(prepared, data);
    const Report r = make_report(m, convert(prepared), data);
    std::vector<std::string> rows;
    for (const WiringRow& w : r.wiring)
      rows.push_back(w.path + (w.integer ? " codes" : " floats") + (w.crossing ? " crossing" : ""));
    CHECK(rows == std::vector<std::string>{"x codes crossing", "a codes", "b floats crossing", "sum floats crossing"});
  }
  Model m;
  m.add("x", Input{{1, 4}});
  m.add("a", Linear{4, 4});
  Generator g(1);
  initialize(m, g);
  const std::vector<Tensor> data = batches({8, 4}, 1, 2);
  Model prepared = prepare(m, {{"", std::nullopt}, {"a", octet_qconfig()}});
  calibrate(prepared, data);
  const Report r = make_report(m, convert(prepared), data);
  REQUIRE(r.wiring.size() == 3);
  CHECK((r.wiring[0].path == "x" && !r.wiring[0].integer && !r.wiring[0].crossing));
  CHECK((r.wiring[1].path == "x.quant" && r.wiring[1].integer && r.wiring[1].crossing));
  CHECK((r.wiring[2].path == "a" && r.wiring[2].integer));
}

TEST_CASE("Equal values share the mean of their ranks") {
  CHECK(spearman({1, 2, 2, 4}, {1, 3, 2, 4}) == Approx(4.5 / std::sqrt(22.5)));
  CHECK(spearman({2, 4, 1, 2}, {2, 4, 1, 3}) == Approx(4.5 / std::sqrt(22.5)));  // whatever their order
  CHECK(spearman({2, 1, 4, 2}, {3, 1, 4, 2}) == Approx(4.5 / std::sqrt(22.5)));
  CHECK(spearman({0, 0, 0, 1}, {0, 0, 0, 7}) == Approx(1));
  CHECK(spearman({1, 2, 3}, {9, 8, 7}) == Approx(-1));
  CHECK(std::isnan(spearman({1, 1, 1}, {1, 2, 3})));
  CHECK(std::isnan(spearman({1, 2}, {1, 2})));
}

TEST_CASE("Whoever says stop is not asked again, and within a batch") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({4, 8, 8, 3}, 3, 2);
  const Model int8 = post_training(m, data);
  Model prepared = prepare(fuse(m, Aim::inference), {{"", octet_qconfig()}});
  // Every call that takes a Progress: how often it asks, and that it ends after any answer of false.
  const std::vector<std::pair<const char*, std::function<void(const Progress&)>>> calls{
      {"calibrate", [&](const Progress& p) { calibrate(prepared, data, p); }},
      {"compare", [&](const Progress& p) { compare(m, int8, data, {.progress = p}); }},
      {"diagnose", [&](const Progress& p) { diagnose(m, int8, data, {.progress = p}); }},
      {"correct_bias", [&](const Progress& p) { static_cast<void>(correct_bias(m, int8, data, {.progress = p})); }},
      {"make_report", [&](const Progress& p) { make_report(m, int8, data, {.progress = p}); }}};
  const std::map<std::string, int> expected{
      {"calibrate", 3}, {"compare", 3}, {"diagnose", 3 * 8}, {"correct_bias", 3 * 8}, {"make_report", 3 + 3 * 8}};
  for (const auto& [name, call] : calls) {
    INFO(name);
    int all = 0;
    int64_t last = 0;
    call([&](int64_t done, int64_t total) {
      CHECK((done >= last && done <= total));
      last = done;
      return ++all, true;
    });
    CHECK(all == expected.at(name));
    for (int stop = 1; stop <= all; ++stop) {
      int asked = 0;
      call([&](int64_t, int64_t) { return ++asked < stop; });
      CHECK(asked == stop);
    }
  }
}

TEST_CASE("A stopped diagnosis says what whole batches said, a stopped report claims no more than it saw") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({4, 8, 8, 3}, 3, 2);
  const Model int8 = post_training(m, data);
  int asked = 0;
  const Diagnosis d = diagnose(m, int8, data, {.progress = [&](int64_t, int64_t) { return ++asked < 10; }});  // inside the second
  const Diagnosis one = diagnose(m, int8, {data.data(), 1});
  CHECK(d.stopped);
  CHECK(!one.stopped);
  CHECK(d.output.samples == 4);
  REQUIRE(d.layers.size() == one.layers.size());
  for (size_t i = 0; i < d.layers.size(); ++i) {
    CHECK(d.layers[i].path == one.layers[i].path);
    CHECK(d.layers[i].share == one.layers[i].share);
    CHECK(d.layers[i].split.own() == one.layers[i].split.own());
    CHECK(d.layers[i].words == one.layers[i].words);
  }
  const Report r = make_report(m, int8, data, {.progress = [](int64_t, int64_t) { return false; }});
  CHECK(r.comparison.samples == 4);
  CHECK((r.comparison.stopped && r.diagnosis.stopped && r.diagnosis.layers.empty()));
  CHECK_THAT(to_table(r), Contains("(4 samples), stopped early") && Contains("stopped before a batch was diagnosed"));
  CHECK_THAT(to_html(r), Contains("stopped early") && Contains("Stopped before a batch was diagnosed") && Contains("</html>"));
  CHECK_THAT(to_json(r), Contains("\"stopped\": true"));
}

TEST_CASE("Where nothing is wrong nothing is advised to run in float") {
  int layers = 0, advised = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Model m = small_network(seed);
    const std::vector<Tensor> data = batches({8, 8, 8, 3}, 2, seed + 100);
    const Diagnosis d = diagnose(m, post_training(m, data), data);
    REQUIRE(d.output.sqnr_db > 30);
    for (const LayerDiagnosis& l : d.layers) ++layers, advised += l.mend.find("nullopt") != std::string::npos;
  }
  std::cout << "healthy networks: " << advised << " of " << layers << " layers advised to run in float\n";
  REQUIRE(layers == 70);
  CHECK(advised == 0);
}

TEST_CASE("Advice to keep layers in float gives at least the gain that was measured") {
  const QConfig coarse = coarse_activations(15);
  const std::regex entry("\\{\"([^\"]+)\", std::nullopt\\}");
  double measured = 0, alone = 0, advised = 0;
  int followed = 0;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const Model m = small_network(seed);
    const std::vector<Tensor> data = batches({8, 8, 8, 3}, 3, seed + 5);
    const Model int8 = quantized(m, data, {{"", coarse}});
    REQUIRE(summarize(int8).int8_kernels == 5);
    const Diagnosis d = diagnose(m, int8, data);
    REQUIRE((std::isfinite(d.output.sqnr_db) && d.output.sqnr_db < kHealthyDb));
    for (const LayerDiagnosis& l : d.layers) {
      if (l.cause != Cause::activation_rounding || l.mend.empty() || l.gain_db < 1) continue;
      INFO(seed << " " << l.path << ": " << l.mend);
      QConfigMap map{{"", coarse}}, only{{"", coarse}, {l.path, std::nullopt}};
      for (std::sregex_iterator it(l.mend.begin(), l.mend.end(), entry), end; it != end; ++it)
        map.insert_or_assign((*it)[1], std::nullopt);
      REQUIRE(map.contains(l.path));
      const double gain = compare(m, quantized(m, data, map), data).output.sqnr_db - d.output.sqnr_db;
      CHECK(gain > 0.7 * l.gain_db);
      measured += l.gain_db, advised += gain, ++followed;
      alone += compare(m, quantized(m, data, only), data).output.sqnr_db - d.output.sqnr_db;
    }
  }
  std::cout << "gains of " << followed << " layers in 4-bit networks: measured " << measured << " dB, as advised " << advised
            << ", with the layer alone configured float " << alone << '\n';
  REQUIRE(followed >= 6);
  CHECK(advised > measured);
}

TEST_CASE("Nothing is advised to run in float where it cannot") {
  const Model m = small_network(3);
  const std::vector<Tensor> data = batches({8, 8, 8, 3}, 3, 5);
  const QConfigMap map{{"", octet_qconfig()}, {"head", coarse_activations(15)}};
  const Model int8 = quantized(m, data, map);
  REQUIRE(int8["head"].out_q[0]->qmax == 15);
  REQUIRE(diagnose(m, int8, data).layers[0].mend == "{\"head\", std::nullopt}");
  Model device = m;
  device.rounding = Rounding::fixed_double;
  Model fixed = quantized(device, data, map);
  REQUIRE(summarize(fixed).int8_kernels == 5);
  for (const Diagnosis& d : {diagnose(m, int8, data, {.float_layers = false}), diagnose(device, fixed, data)}) {
    for (const LayerDiagnosis& l : d.layers) CHECK(l.mend.find("nullopt") == std::string::npos);
    CHECK(d.layers[0].path == "head");
    CHECK_THAT(d.layers[0].mend, Contains("Aim::training"));
  }
  fixed["dw"].out_q[0]->scale[0] *= 64;
  const Diagnosis wide = diagnose(device, fixed, data);
  const auto dw = std::ranges::find(wide.layers, "dw", &LayerDiagnosis::path);
  CHECK(dw->cause == Cause::range_too_wide);
  CHECK_THAT(dw->mend, Contains("octet_device_qconfig()") && !Contains("octet_qconfig()"));
}
