// SPDX-License-Identifier: Apache-2.0
// One layer sabotaged in a known way: the diagnosis must rank it first and name the cause. And the parts it is made of.
#include "numeric_suite/diagnose.h"

#include <algorithm>
#include <cmath>
#include <iostream>

#include "engine/loss.h"
#include "quant/pairing.h"
#include "tests/catch.h"
#include "tests/numeric_suite/support.h"

using namespace octet;
using namespace octet::suite_test;

TEST_CASE("what ends in places has no first-order estimate, and is diagnosed all the same") {
  Model m;
  m.add("x", Input{{8, 6}});
  m.add("fc", Linear{6, 4});
  m.add("best", ArgReduce{});
  Generator g(1);
  initialize(m, g);
  const std::vector<Tensor> data{randn(g, {8, 6})};
  Model prepared = prepare(m, {{"", octet_qconfig()}});
  calibrate(prepared, data);
  const Diagnosis found = diagnose(m, convert(prepared), data);
  REQUIRE(!found.layers.empty());
}

namespace {

constexpr int kNetworks = 20;

/// Histogram activations with all 256 codes, per-tensor weights.
QConfig plain_qconfig() {
  const QConfig activations = octet_qconfig(), weights = default_qconfig();
  QConfig q;
  q.activation.emplace(*activations.activation);
  q.weight.emplace(*weights.weight);
  return q;
}

struct Case {
  Model model, int8;
  std::vector<Tensor> data;
};

Case make_case(uint64_t seed, Model model) {
  std::vector<Tensor> data = batches({8, 8, 8, 3}, 4, seed + 100);
  Model int8 = post_training(model, data, plain_qconfig());
  return {std::move(model), std::move(int8), {data.begin(), data.begin() + 2}};
}

/// Layers with weights of the fused network, by path.
const std::vector<std::string> kLayers{"stem.conv", "dw", "pw", "last", "head"};

float width(const QParams& q) { return q.scale[0] * static_cast<float>(q.qmax - q.qmin); }

/// Everything downstream that keeps its input's parameters follows it.
void set_output(Model& int8, const std::string& path, const QParams& q) {
  const QParams old = *int8[path].out_q[0];
  const int begin = int8.index(path);
  int8.modules[begin].out_q[0] = q;
  for (size_t i = begin + 1; i < int8.modules.size(); ++i) {
    Module& m = int8.modules[i];
    if (keeps_qparams(m.op) && m.out_q[0] == old && int8.modules[m.inputs[0].module].out_q[0] == q) m.out_q[0] = q;
  }
}

/// Sabotages `path` and gives the float model, which one of the five ways changes too.
Case sabotage(Cause cause, uint64_t seed, const std::string& path) {
  if (cause == Cause::channel_span) {
    Model model = fuse(small_network(seed), Aim::inference);
    Module& layer = model[path];
    const auto weight = layer.params.at("weight").mutable_data<float>();
    const int64_t rows = layer.params.at("weight").size(0), row = static_cast<int64_t>(weight.size()) / rows;
    const auto channel = static_cast<int64_t>(seed % static_cast<uint64_t>(rows));
    for (int64_t i = 0; i < row; ++i) weight[channel * row + i] *= 100;
    return make_case(seed, std::move(model));
  }
  Case c = make_case(seed, small_network(seed));
  Module& layer = c.int8[path];
  QParams q = *layer.out_q[0];
  if (cause == Cause::range_too_narrow) {
    q.scale[0] /= 8;
    set_output(c.int8, path, q);
  } else if (cause == Cause::range_too_wide) {
    q.scale[0] *= 64;
    set_output(c.int8, path, q);
  } else if (cause == Cause::zero_point) {
    q.zero_point[0] = std::clamp(q.zero_point[0] + (q.zero_point[0] < 100 ? 180 : -150), 0, 255);
    set_output(c.int8, path, q);
  } else {
    for (float& b : layer.params.at("bias").mutable_data<float>()) b += 0.3F * width(q);
  }
  return c;
}

}  // namespace

TEST_CASE("A sabotaged layer is ranked first and its cause is named, over twenty networks") {
  const auto cause = GENERATE(Cause::range_too_narrow, Cause::range_too_wide, Cause::zero_point, Cause::bias, Cause::channel_span);
  int first = 0, named = 0, both = 0;
  std::string missed;
  for (uint64_t seed = 0; seed < kNetworks; ++seed) {
    const std::string& path = kLayers[seed % kLayers.size()];
    const Case c = sabotage(cause, seed, path);
    const Diagnosis d = diagnose(c.model, c.int8, c.data);
    const auto row = std::ranges::find(d.layers, path, &LayerDiagnosis::path);
    REQUIRE(row != d.layers.end());
    const bool top = row == d.layers.begin(), right = row->cause == cause;
    first += top, named += right, both += top && right;
    if (!top || !right)
      missed += "\n  network " + std::to_string(seed) + ", " + path + ": rank " + std::to_string(row - d.layers.begin() + 1) +
                ", " + std::string(to_string(row->cause)) + ": " + row->words + "; first is " + d.layers[0].path;
  }
  std::cout << "sabotage \"" << to_string(cause) << "\": ranked first " << first << "/" << kNetworks << ", cause named " << named
            << "/" << kNetworks << ", both " << both << missed << '\n';
  CHECK(both >= 18);
}

TEST_CASE("The measured gain is that of a network with the layer really in float") {
  const Case c = make_case(3, small_network(3));
  const Diagnosis d = diagnose(c.model, c.int8, c.data);
  // The last layer in float: its input codes, float weights, float output.
  Model other = c.int8;
  const Model fused = pair_up(c.model, c.int8).reference;
  other["head"].params = fused["head"].params;
  other["head"].out_q.clear();
  double base = 0, without = 0;
  for (const Tensor& x : c.data) {
    const Tensor truth = infer(c.model, {&x, 1})[0], y = dequantize(infer(c.int8, {&x, 1})[0]), z = infer(other, {&x, 1})[0];
    for (int64_t i = 0; i < truth.numel(); ++i) {
      base += std::pow(static_cast<double>(truth.data<float>()[i]) - static_cast<double>(y.data<float>()[i]), 2);
      without += std::pow(static_cast<double>(truth.data<float>()[i]) - static_cast<double>(z.data<float>()[i]), 2);
    }
  }
  const auto head = std::ranges::find(d.layers, "head", &LayerDiagnosis::path);
  REQUIRE(head != d.layers.end());
  CHECK(head->share == Approx(1 - without / base).epsilon(1e-4));
  CHECK(head->gain_db == Approx(10 * std::log10(base / without)).epsilon(1e-4));
  CHECK(d.layers.size() == 6);  // the input and five layers, worst first
  for (size_t i = 1; i < d.layers.size(); ++i) CHECK(d.layers[i - 1].share >= d.layers[i].share);
}

TEST_CASE("The first-order estimate ranks layers as the measurement does") {
  double sum = 0, total = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Case c = make_case(seed, small_network(seed));
    const Diagnosis d = diagnose(c.model, c.int8, c.data);
    REQUIRE(std::isfinite(d.rank_correlation));
    sum += d.rank_correlation;
    for (const LayerDiagnosis& l : d.layers) total += l.estimated / 10;
  }
  std::cout << "first-order estimate: rank correlation with the measurement " << sum / 10 << " (mean of ten networks)\n";
  CHECK(sum / 10 > 0.6);
  CHECK(total == Approx(1).margin(0.25));  // to first order the layers' errors add up to the output's
}

TEST_CASE("The parts of a layer's error are what they are called") {
  Case c = make_case(2, small_network(2));
  const Diagnosis clean = diagnose(c.model, c.int8, c.data);
  for (float& b : c.int8["pw"].params.at("bias").mutable_data<float>()) b += 0.125F;
  const Diagnosis d = diagnose(c.model, c.int8, c.data);
  const auto at = [&](std::string_view path) { return std::ranges::find(d.layers, path, &LayerDiagnosis::path)->split; };
  const double inherited = std::ranges::find(clean.layers, "pw", &LayerDiagnosis::path)->split.inherited;
  REQUIRE(inherited > 0);
  CHECK(at("pw").inherited == Approx(inherited));  // what the layer itself does wrong is not inherited
  CHECK(at("pw").bias == Approx(0.125 * 0.125).epsilon(0.1));
  CHECK(at("stem.conv").inherited < at("last").inherited);
  const double step = static_cast<double>(c.int8["pw"].out_q[0]->scale[0]);
  CHECK(at("pw").rounding == Approx(step * step / 12).epsilon(0.1));
  CHECK(at("image").weight == 0);
  // A bias moves the mean alone: what rounding does to the weights is what it was.
  const double weight = std::ranges::find(clean.layers, "pw", &LayerDiagnosis::path)->split.weight;
  REQUIRE(weight > 0);
  CHECK(at("pw").weight == Approx(weight).epsilon(0.01));
}

TEST_CASE("Accuracies come with labels, and labels must fit") {
  const Case c = make_case(1, small_network(1));
  std::vector<Tensor> labels;
  for (const Tensor& x : c.data) {
    const Tensor y = infer(c.model, {&x, 1})[0];
    Tensor best(Shape{y.size(0)}, DType::i32);
    for (int64_t r = 0; r < y.size(0); ++r) {
      const auto row = y.data<float>().subspan(r * y.size(1), y.size(1));
      best.mutable_data<int32_t>()[r] = static_cast<int32_t>(std::ranges::max_element(row) - row.begin());
    }
    labels.push_back(best);
  }
  const Diagnosis d = diagnose(c.model, c.int8, c.data, {.labels = labels});
  CHECK(d.output.float_accuracy == 1.0);
  CHECK(*d.output.quantized_accuracy <= 1.0);
  CHECK(d.layers[0].accuracy.has_value());
  for (const int32_t wrong : {5, -1}) {  // there are five classes
    std::vector<Tensor> bad = labels;
    bad[1].mutable_data<int32_t>()[3] = wrong;
    const std::string said = "diagnose: batch 1 has label " + std::to_string(wrong) + " at index 3, the model has 5 classes";
    CHECK_THROWS_WITH(diagnose(c.model, c.int8, c.data, {.labels = bad}), said);
  }
  labels.pop_back();
  CHECK_THROWS_WITH(diagnose(c.model, c.int8, c.data, {.labels = labels}), "diagnose: 1 label tensors for 2 batches");
  CHECK_THROWS_WITH(diagnose(c.model, c.int8, {}), "diagnose: no data");
  CHECK_THROWS_WITH(diagnose(c.model, c.model, c.data), Catch::Matchers::Contains("no module with codes"));
}

TEST_CASE("A pair is unbalanced from a quarter of a decade on") {
  for (const double decades : {0.0, 0.24, 0.26, 0.4, 1.0}) {
    Model m;
    m.add("x", Input{{1, 2}});
    m.add("a", Linear{2, 4});
    m.add("b", Linear{4, 2});
    Generator g(1);
    initialize(m, g);
    // Channel c reaches from -10^d to 10^d in one layer and from -10^-d to 10^-d in the other, d alternating.
    for (int c = 0; c < 4; ++c)
      for (int i = 0; i < 2; ++i) {
        const auto reach = static_cast<float>(std::pow(10, c % 2 == 0 ? decades : -decades)), sign = i == 0 ? 1.0F : -1.0F;
        m["a"].params.at("weight").mutable_data<float>()[2 * c + i] = sign * reach;
        m["b"].params.at("weight").mutable_data<float>()[4 * i + c] = sign / reach;
      }
    const auto pairs = pair_imbalances(m);
    REQUIRE(pairs.size() == 1);
    CHECK(pairs[0].decades == Approx(decades).margin(1e-6));
    CHECK(pairs[0].unbalanced == (decades > 0.25));
    CHECK(pairs[0].worst_span == Approx(std::pow(10, 2 * decades)).epsilon(1e-4));
  }
}

TEST_CASE("A pair is unbalanced when channels are scaled against each other, not when one side varies") {
  Model m = fuse(small_network(4), Aim::inference);
  REQUIRE(pair_imbalances(m).size() >= 2);
  for (const PairImbalance& p : pair_imbalances(m)) CHECK(!p.unbalanced);
  Model one_sided = m;
  const auto dw = one_sided["dw"].params.at("weight").mutable_data<float>();
  for (int c = 0; c < 8; ++c)
    for (int t = 0; t < 9; ++t) dw[c * 9 + t] *= std::pow(10.0F, static_cast<float>(c % 3) - 1);
  for (const PairImbalance& p : pair_imbalances(one_sided)) CHECK(p.decades < 0.4);
  const auto pw = one_sided["pw"].params.at("weight").mutable_data<float>();
  for (size_t i = 0; i < pw.size(); ++i) pw[i] /= std::pow(10.0F, static_cast<float>(i % 8 % 3) - 1);
  bool found = false;
  for (const PairImbalance& p : pair_imbalances(one_sided)) found |= p.first == "dw" && p.second == "pw" && p.unbalanced;
  CHECK(found);
}
