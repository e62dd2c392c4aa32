// SPDX-License-Identifier: Apache-2.0
// Networks with two inputs of equal shape and different content: every call that takes data gives each input its own.
#include <cmath>

#include "compile/program.h"
#include "numeric_suite/diagnose.h"
#include "numeric_suite/eager.h"
#include "numeric_suite/report.h"
#include "quant/correct_bias.h"
#include "tests/catch.h"
#include "tests/numeric_suite/support.h"

using namespace octet;
using namespace octet::suite_test;
using Catch::Matchers::Contains;

namespace {

constexpr int64_t kRows = 32;

std::vector<std::vector<Tensor>> swapped(std::vector<std::vector<Tensor>> data) {
  for (auto& batch : data) std::swap(batch[0], batch[1]);
  return data;
}

struct TwoInputs {
  Model model, int8;
  std::vector<std::vector<Tensor>> data = pairs(3, kRows, 7);
};
TwoInputs two_input_case() {
  TwoInputs c;
  c.model = two_inputs(1);
  Model prepared = prepare(c.model, {{"", octet_qconfig()}});
  calibrate(prepared, c.data);
  c.int8 = convert(prepared);
  const QuantizationSummary s = summarize(c.int8);
  REQUIRE((s.weighted == 4 && s.int8_kernels == 4));
  return c;
}

/// The outputs of every module by infer()'s tap, in float: what compare() has to agree with.
std::map<std::string, Tensor> outputs_of(const Model& model, std::span<const Tensor> inputs) {
  std::map<std::string, Tensor> all;
  infer(model, inputs, [&](int index, std::span<const Tensor> out) { all[model.modules[index].path] = dequantize(out[0]); });
  return all;
}

}  // namespace

TEST_CASE("compare of a network with two inputs agrees with a tap on both models, and a swap shows") {
  const TwoInputs c = two_input_case();
  const ModelComparison got = compare(c.model, c.int8, c.data);
  CHECK(got.samples == 3 * kRows);
  for (const LayerComparison& layer : got.layers) {
    double signal = 0, noise = 0;
    for (const auto& batch : c.data) {
      const Tensor x = outputs_of(c.model, batch).at(layer.path), y = outputs_of(c.int8, batch).at(layer.path);
      for (int64_t i = 0; i < x.numel(); ++i) {
        const double t = static_cast<double>(x.data<float>()[i]);
        signal += t * t, noise += std::pow(t - static_cast<double>(y.data<float>()[i]), 2);
      }
    }
    INFO(layer.path);
    CHECK(std::isfinite(layer.output->sqnr_db));
    CHECK(layer.output->sqnr_db == Approx(10 * std::log10(signal / noise)).epsilon(1e-6));
  }
  CHECK(got.output.sqnr_db == Approx(row(got, "head").output->sqnr_db));
  CHECK(got.output.sqnr_db > 25);
  const ModelComparison wrong = compare(c.model, c.int8, swapped(c.data));
  CHECK(row(wrong, "left").output->sqnr_db < row(got, "left").output->sqnr_db - 20);  // its codes do not reach so far
  CHECK(wrong.output.sqnr_db < got.output.sqnr_db - 10);
  // The same sums in another order.
  CHECK(std::abs(compare_outputs(c.model, c.int8, c.data).back().sqnr_db - got.output.sqnr_db) < 1e-9);
  // On demand, and with another cut into batches.
  const Batches made(3, [&](int64_t i) { return c.data[i]; });
  CHECK(compare(c.model, c.int8, made).output.sqnr_db == got.output.sqnr_db);
}

TEST_CASE("diagnose and the report of a network with two inputs find the sabotaged branch") {
  TwoInputs c = two_input_case();
  c.int8["b"].out_q[0]->scale[0] /= 16;
  // The concatenation reads other codes now; its own stay.
  const Diagnosis d = diagnose(c.model, c.int8, c.data);
  CHECK(d.layers[0].path == "b");
  CHECK(d.layers[0].cause == Cause::range_too_narrow);
  CHECK(d.output.samples == 3 * kRows);
  CHECK(std::isfinite(d.rank_correlation));
  const Report report = make_report(c.model, c.int8, c.data, {.diagnosis_batches = 1});
  CHECK(report.comparison.output.samples == 3 * kRows);
  CHECK(report.diagnosis.output.samples == kRows);
  CHECK(report.diagnosis.layers[0].path == "b");
  const Diagnosis other = diagnose(c.model, c.int8, swapped(c.data));
  CHECK(other.output.sqnr_db != d.output.sqnr_db);
}

TEST_CASE("PyTorch's entry points give each input its own data") {
  const TwoInputs c = two_input_case();
  const auto outputs = compare_model_outputs(c.model, c.int8, c.data);
  for (const char* input : {"left", "right"}) {
    const ComparedTensors& t = outputs.at(std::string(input) + ".stats");
    const size_t which = input == std::string("left") ? 0 : 1;
    for (size_t b = 0; b < 3; ++b) CHECK(std::ranges::equal(t.real[b].data<float>(), c.data[b][which].data<float>()));
  }
  const std::string_view convolutions[] = {"conv2d"};
  for (const auto& [key, t] : compare_model_stub(c.model, c.int8, convolutions, c.data)) {
    INFO(key);
    CHECK(sqnr(t.real[0], t.quantized[0]) > 25);
  }
}

TEST_CASE("Bias correction of a network with two inputs takes back what was done to every bias") {
  const TwoInputs c = two_input_case();
  Model wrong = c.int8;
  for (const char* path : {"a", "b"})
    for (float& v : wrong[path].params.at("bias").mutable_data<float>()) v += path[0] == 'a' ? 0.01F : 0.5F;
  const Model mended = correct_bias(c.model, wrong, c.data);
  // Independent of the code under test: the branches alone, as networks with one input.
  for (const size_t which : {0U, 1U}) {
    const std::string path = which == 0 ? "a" : "b", input = which == 0 ? "left" : "right";
    const auto alone = [&](const Model& from) {
      Model m;
      m.rounding = from.rounding;
      m.modules = {from[input], from[path]};
      m.modules[1].inputs = {{0, 0}};
      m.outputs.clear();
      return m;
    };
    std::vector<Tensor> data;
    for (const auto& batch : c.data) data.push_back(batch[which]);
    const Model expected = correct_bias(alone(c.model), alone(wrong), data);
    const auto bias = [&](const Model& m) { return m[path].params.at("bias").data<float>(); };
    REQUIRE(!std::ranges::equal(bias(wrong), bias(mended)));
    CHECK(std::ranges::equal(bias(expected), bias(mended)));
  }
  for (const MeanError& e : own_mean_errors(c.model, mended, c.data)) {
    INFO(e.path);
    CHECK(e.worst() < 1e-6);
  }
  const double before = compare(c.model, wrong, c.data).output.sqnr_db, after = compare(c.model, mended, c.data).output.sqnr_db;
  CHECK(after > before + 3);
  CHECK(after > compare(c.model, c.int8, c.data).output.sqnr_db - 0.1);
}

TEST_CASE("run_batched cuts every input alike") {
  const TwoInputs c = two_input_case();
  const Tensor left = concat(std::vector<Tensor>{c.data[0][0], c.data[1][0]}, 0),
               right = concat(std::vector<Tensor>{c.data[0][1], c.data[1][1]}, 0);
  const std::vector<Tensor> all{left, right};
  const Tensor expected = dequantize(infer(c.int8, all)[0]);
  for (const int64_t batch : {1, 7, 64, 100}) {
    const Tensor got = run_batched(Program::bind(c.int8), all, batch);
    CHECK(std::ranges::equal(got.data<float>(), expected.data<float>()));
  }
  CHECK_THROWS_WITH(run_batched(Program::bind(c.int8), left, 8),
                    "run_batched: the data has 1 tensor, the model has 2 inputs: left, right; a "
                    "batch is one tensor for each of them");
  CHECK_THROWS_WITH(run_batched(Program::bind(c.int8), std::vector<Tensor>{left, c.data[0][1]}, 8),
                    Contains("input 1 has 32 rows, input 0 has 64"));
}

TEST_CASE("One tensor for two inputs is refused by name everywhere") {
  TwoInputs c = two_input_case();
  const std::vector<Tensor> one{c.data[0][0], c.data[0][1]};
  const auto names = Contains("batch 0 has 1 tensor, the model has 2 inputs: left, right");
  Model prepared = prepare(c.model, {{"", octet_qconfig()}});
  CHECK_THROWS_WITH(calibrate(prepared, one), names);
  CHECK_THROWS_WITH(compare(c.model, c.int8, one), names);
  CHECK_THROWS_WITH(compare_outputs(c.model, c.int8, one), names);
  CHECK_THROWS_WITH(diagnose(c.model, c.int8, one), names);
  CHECK_THROWS_WITH(make_report(c.model, c.int8, one), names);
  CHECK_THROWS_WITH(correct_bias(c.model, c.int8, one), names);
  CHECK_THROWS_WITH(own_mean_errors(c.model, c.int8, one), names);
  CHECK_THROWS_WITH(compare_model_outputs(c.model, c.int8, one), names);
  CHECK_THROWS_WITH(compare_model_stub(c.model, c.int8, {}, one), names);
  const std::vector<std::vector<Tensor>> empty{{c.data[0][0], Tensor::zeros({0, 6, 6, 3})}};
  CHECK_THROWS_WITH(compare(c.model, c.int8, empty), "compare: batch 0 is empty in right");
}
