// SPDX-License-Identifier: Apache-2.0
// octet report: compares a float model file with the int8 one made from it and writes the page, the JSON and the table.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "numeric_suite/gate.h"
#include "quant/pairing.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/running.h"
#include "tools/octet/samples.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct Reporting {
  std::string reference, quantized, labels, html, below, accuracy_drop, title = "Float against int8";
  std::vector<std::string> layers;
  SampleOptions samples;
  Results results;
  bool device = false;
  int64_t batch = 100, diagnosis_batches = 4;
};

std::vector<Tensor> split(const Tensor& t, int64_t batch) {
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < t.size(0); i += batch) parts.push_back(slice_rows(t, i, std::min(i + batch, t.size(0))));
  return parts;
}

/// "head=25": a layer and its least SQNR.
std::pair<std::string, double> layer_limit(const std::string& text) {
  const size_t at = text.rfind('=');
  std::string number = at == std::string::npos ? "" : text.substr(at + 1);
  if (at == 0 || !finite_number(true)(number).empty())
    throw CLI::ValidationError("--layer", "expected LAYER=DB, got \"" + text + "\"");
  return {text.substr(0, at), number_of(number)};
}

ReportLimits limits_of(const Reporting& o) {
  ReportLimits limits;
  if (!o.below.empty()) limits.sqnr_db = number_of(o.below);
  if (!o.accuracy_drop.empty()) limits.accuracy_drop = number_of(o.accuracy_drop);
  for (const std::string& text : o.layers) limits.layers.insert(layer_limit(text));
  if (!o.accuracy_drop.empty() && o.labels.empty()) throw CLI::RequiresError("--fail-accuracy-drop", "--labels");
  return limits;
}

void check_limits(const ReportLimits& limits, const Model& model) {
  std::vector<std::string> paths;
  for (const Module& module : model.modules) paths.push_back(module.path);
  for (const auto& [path, db] : limits.layers)
    check(model.find(path).has_value(), "--layer: the model has no layer \"", path, "\"", did_you_mean(path, paths));
}

void run_report(const Reporting& o) {
  const ReportLimits limits = limits_of(o);
  std::vector<std::string> read{o.reference, o.quantized, o.labels};
  read.insert(read.end(), o.samples.files.begin(), o.samples.files.end());
  tools::check_outputs({o.html, o.results.file()}, read);
  // What is cheap to refuse is read first.
  const SampleFiles files(o.samples);
  std::optional<Tensor> all = o.labels.empty() ? std::nullopt : std::optional(read_labels(o.labels));
  const Model reference = open_model(o.reference), quantized = open_model(o.quantized);
  check(!is_quantized(reference), o.reference, ": is a quantized model, expected the float one; the order is FLOAT INT8 DATA");
  check(is_quantized(quantized), o.quantized, ": is a float model, expected the quantized one; the order is FLOAT INT8 DATA");
  const Samples samples = files.fit(quantized, o.quantized);
  if (!all && !samples.classes.empty()) all = Tensor::of(Shape{samples.rows()}, samples.classes);
  if (all) check_labels(*all, o.labels.empty() ? o.samples.files[0] : o.labels, quantized, o.quantized, samples.rows());
  check_limits(limits, quantized);
  std::vector<std::vector<Tensor>> batches((samples.rows() + o.batch - 1) / o.batch);
  for (const Tensor& x : samples.inputs) {
    std::vector<Tensor> parts = split(x, o.batch);
    for (size_t b = 0; b < parts.size(); ++b) batches[b].push_back(std::move(parts[b]));
  }
  const std::vector<Tensor> labels = all ? split(*all, o.batch) : std::vector<Tensor>{};
  const auto count = static_cast<int64_t>(batches.size());
  Bar bar("report", count + std::min(o.diagnosis_batches, count), static_cast<double>(o.batch));
  const Report report = make_report(reference, quantized, batches,
                                    {.title = o.title,
                                     .labels = labels,
                                     .float_layers = !o.device,
                                     .diagnosis_batches = o.diagnosis_batches,
                                     .progress = [&](int64_t done, int64_t) {
                                       bar.update(done);
                                       return true;
                                     }});
  std::string notes;
  for (const std::string& note : samples.notes) notes += note + "\n";
  if (!o.html.empty()) write_text(o.html, to_html(report));
  o.results.show(notes + to_table(report), Json::parse(to_json(report)));
  if (!o.html.empty()) o.results.note("wrote " + o.html);
  if (std::vector<std::string> lines = violations(report, limits); !lines.empty()) throw LimitBroken{std::move(lines)};
}

}  // namespace

void add_report(CLI::App& app) {
  CLI::App* command =
      add_verb(app, "report", "compare a float model with its int8 form: which layer, why, what to change",
               {"octet report float.octet int8.octet images.npy --labels labels.npy --html report.html --json=report.json",
                "octet report float.octet int8.octet images.npy --fail-below 30 --layer head=25"},
               "3 a limit that was asked for is not kept");
  const auto o = std::make_shared<Reporting>();
  command->add_option("float", o->reference, "the float model, fused or not")->required();
  command->add_option("int8", o->quantized, "the quantized model")->required();
  o->samples.add(*command, "data,--data",
                 "arrays (.npy or FILE.npz:NAME, N first), pictures, or folders of either; one of them for each input of the "
                 "model, in its order");
  command->add_option("--labels", o->labels, "classes as a .npy file: accuracies too");
  command->add_option("--html", o->html, "write the page here");
  command->add_option("--title", o->title, "of the page")->capture_default_str();
  command->add_option("--batch", o->batch, "inputs a batch")->check(whole_number(1, 100000))->capture_default_str();
  command->add_option("--diagnosis-batches", o->diagnosis_batches, "batches for causes and leave-one-float")
      ->check(whole_number(1, 1000000))
      ->capture_default_str();
  command->add_flag("--device", o->device, "advise nothing that a firmware image cannot run");
  command->add_option("--fail-below", o->below, "fail if a layer, end to end, or the output has less SQNR than so many dB")
      ->check(finite_number(true));
  command->add_option("--layer", o->layers, "LAYER=DB: the limit of this layer in place of --fail-below's; may be repeated")
      ->take_all()
      ->expected(1)
      ->type_name("LAYER=DB");
  command->add_option("--fail-accuracy-drop", o->accuracy_drop, "fail if int8 is worse than float by more points of percent")
      ->check(finite_number(true));
  o->results.add(*command);
  command->callback([o] { run_report(*o); });
}

}  // namespace octet::cli
