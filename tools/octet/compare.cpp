// SPDX-License-Identifier: Apache-2.0
// octet compare: two models on the same data: outputs, and every layer that both have under one path.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "engine/quantize.h"
#include "numeric_suite/statistics.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/running.h"
#include "tools/octet/samples.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct TwoModels {
  std::string first, second, below;
  SampleOptions samples;
  int64_t batch = 32;
  Results results;
};

/// One value, over all batches.
struct Pair {
  Statistics statistics{false, false};
  int64_t codes = 0, differ = 0;
  bool same_type = true;

  void add(const Tensor& a, const Tensor& b, const std::string& path) {
    statistics.add(dequantize(a), dequantize(b), path);
    same_type = a.qparams() == b.qparams() && a.dtype() == b.dtype();
    codes += a.numel();
    if (!same_type) return;
    const Tensor x = a.without_qparams().to(DType::f64), y = b.without_qparams().to(DType::f64);
    for (size_t i = 0; i < x.data<double>().size(); ++i) differ += x.data<double>()[i] != y.data<double>()[i];
  }
};

/// A module's value by the path whose value it is: of a fused one, the last path folded into it.
std::string name_of_value(const Module& m) { return m.fused.empty() ? m.path : m.fused.back(); }

using ValuesByPath = std::map<std::string, Tensor>;

std::vector<Tensor> values_of(const Model& model, std::span<const Tensor> inputs, ValuesByPath& values) {
  return infer(model, inputs, [&](int index, std::span<const Tensor> out) {
    if (!out.empty()) values[name_of_value(model.modules[static_cast<size_t>(index)])] = out[0];
  });
}

void run_compare(const TwoModels& o) {
  std::vector<std::string> read = o.samples.files;
  read.insert(read.end(), {o.first, o.second});
  tools::check_outputs({o.results.file()}, read);
  const SampleFiles files(o.samples);
  const Model first = open_model(o.first), second = open_model(o.second);
  const Samples samples = files.fit(first, o.first);
  files.fit(second, o.second);  // says which file does not fit it
  const int64_t batch = std::min(usable_batch(first, o.batch), usable_batch(second, o.batch));
  std::vector<std::string> order;
  std::map<std::string, Pair> pairs;
  std::vector<Pair> outputs;
  int64_t same_class = 0;
  bool classes = true;
  Bar bar("compare", samples.rows(), 1);
  for (int64_t at = 0; at < samples.rows(); at += batch) {
    std::vector<Tensor> rows;
    for (const Tensor& t : samples.inputs) rows.push_back(slice_rows(t, at, std::min(at + batch, t.size(0))));
    ValuesByPath a, b;
    const std::vector<Tensor> x = values_of(first, rows, a), y = values_of(second, rows, b);
    check(x.size() == y.size(), o.second, ": has ", y.size(), " outputs, ", o.first, " has ", x.size());
    outputs.resize(x.size());
    for (size_t k = 0; k < x.size(); ++k) {
      check(x[k].shape() == y[k].shape(), o.second, ": output ", k, " has shape ", to_string(y[k].shape()), ", of ", o.first,
            " it has ", to_string(x[k].shape()));
      outputs[k].add(x[k], y[k], "output");
    }
    classes = classes && x[0].rank() == 2 && x[0].size(1) > 1;
    for (int64_t i = 0; classes && i < x[0].size(0); ++i) {
      const Tensor p = dequantize(slice_rows(x[0], i, i + 1)), q = dequantize(slice_rows(y[0], i, i + 1));
      same_class += std::ranges::max_element(p.data<float>()) - p.data<float>().begin() ==
                    std::ranges::max_element(q.data<float>()) - q.data<float>().begin();
    }
    for (const Module& m : second.modules) {
      const std::string path = name_of_value(m);
      const auto p = a.find(path), q = b.find(path);
      if (p == a.end() || q == b.end() || p->second.shape() != q->second.shape() || std::holds_alternative<Input>(m.op)) continue;
      if (!pairs.contains(path)) order.push_back(path);
      pairs[path].add(p->second, q->second, path);
    }
    bar.update(std::min(at + batch, samples.rows()));
  }
  std::string text;
  for (const std::string& note : samples.notes) text += note + "\n";
  size_t width = 8;
  for (const std::string& path : order) width = std::max(width, path.size());
  text += fmt::format("{:<{}}  {:>9}  {:>11}  {}\n", "value", width, "SQNR, dB", "max error", "values that differ");
  const auto line = [&](const std::string& name, const Pair& p) {
    const Metrics m = p.statistics.metrics();
    text += fmt::format("{:<{}}  {:>9}  {:>11.4g}  {}\n", name, width, decibels(m.sqnr_db), m.max_abs_error,
                        p.same_type ? fmt::format("{} of {}", p.differ, p.codes) : "of other types");
    Json json{{"value", name}, {"sqnr_db", json_number(m.sqnr_db)}, {"max_abs_error", m.max_abs_error}, {"elements", p.codes}};
    if (p.same_type) json["differ"] = p.differ;
    return json;
  };
  Json layers = Json::array(), results = Json::array();
  for (const std::string& path : order) layers.push_back(line(path, pairs[path]));
  std::vector<std::string> broken;
  for (size_t k = 0; k < outputs.size(); ++k) {
    results.push_back(line(fmt::format("output {}", k), outputs[k]));
    const double db = outputs[k].statistics.metrics().sqnr_db;
    if (!o.below.empty() && db < number_of(o.below))
      broken.push_back(fmt::format("output {}: SQNR {} dB, at least {} asked", k, decibels(db), o.below));
  }
  Json json{{"first", o.first}, {"second", o.second}, {"rows", samples.rows()}, {"outputs", results}, {"layers", layers}};
  if (classes) {
    text += fmt::format("the largest output is the same on {} of {} rows\n", same_class, samples.rows());
    json["same_class"] = same_class;
  }
  o.results.show(text, json);
  if (!broken.empty()) throw LimitBroken{std::move(broken)};
}

}  // namespace

void add_compare(CLI::App& app) {
  CLI::App* verb =
      add_verb(app, "compare", "run two models on the same data and compare outputs, and layers of the same path",
               {"octet compare float.octet int8.octet --data images.npy", "octet compare model.tflite again.octet --data x.npy"},
               "3 an output has less SQNR than --fail-below");
  const auto o = std::make_shared<TwoModels>();
  verb->add_option("first", o->first, "the model that the other is measured by")->required()->type_name("MODEL");
  verb->add_option("second", o->second, "the other model")->required()->type_name("MODEL");
  o->samples.add(*verb, "data,--data", "arrays, pictures or folders of either");
  verb->add_option("--batch", o->batch, "rows at once")->check(whole_number(1, 100000))->capture_default_str()->group(kRunGroup);
  verb->add_option("--fail-below", o->below, "fail if an output has less SQNR than so many dB")->check(finite_number(true));
  o->results.add(*verb);
  verb->callback([o] { run_compare(*o); });
}

}  // namespace octet::cli
