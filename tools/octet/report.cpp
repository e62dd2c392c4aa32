// SPDX-License-Identifier: Apache-2.0
// octet report: compares a float model file with the int8 one made from it and writes the page, the JSON and the table.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "io/file.h"
#include "io/npy.h"
#include "numeric_suite/gate.h"
#include "quant/pairing.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/program.h"
#include "tools/progress.h"

namespace octet::cli {
namespace {

struct Reporting {
  std::string reference, quantized, labels, html, json, below, accuracy_drop, title = "Float against int8";
  std::vector<std::string> data, layers;
  bool device = false;
  int64_t batch = 100, diagnosis_batches = 4;
};

void write_named(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  write_file(path, std::as_bytes(std::span(text)));
  fmt::print("wrote {} ({} KiB)\n", path, text.size() >> 10);
}

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

/// One tensor a file, all with the same number of rows, no value that is not finite.
std::vector<Tensor> read_data(const std::vector<std::string>& files) {
  std::vector<Tensor> inputs;
  for (const std::string& path : files) {
    const std::string kind = kind_of_file(path);
    check(kind.empty() || kind.starts_with("a NumPy"), path, ": expected inputs as a .npy file, this is ", kind);
    const Tensor& x = inputs.emplace_back(load_npy_floats(path));
    check(x.rank() > 1 && x.size(0) > 0, path, ": expected a batch of inputs, got shape ", to_string(x.shape()));
    check(x.size(0) == inputs[0].size(0), path, ": has ", x.size(0), " rows, ", files[0], " has ", inputs[0].size(0));
    for (int64_t i = 0; i < x.numel(); ++i)
      check(std::isfinite(x.data<float>()[i]), path, ": element ", i, " is ", x.data<float>()[i]);
  }
  return inputs;
}

Tensor read_labels(const std::string& path, int64_t rows) {
  const std::string kind = kind_of_file(path);
  check(kind.empty() || kind.starts_with("a NumPy"), path, ": expected labels as a .npy file, this is ", kind);
  Tensor labels = load_npy_integers(path);
  check(labels.shape() == Shape{rows}, path, ": expected ", rows, " labels, got shape ", to_string(labels.shape()));
  return labels;
}

/// What make_report would find, too, but without the names of the files.
void check_fit(const Model& model, const Reporting& o, const std::vector<Tensor>& inputs, const Tensor* labels) {
  const auto wanted = std::ranges::count_if(model.modules, [](const Module& m) { return std::holds_alternative<Input>(m.op); });
  check(static_cast<int64_t>(inputs.size()) == wanted, o.quantized, ": has ", wanted, wanted == 1 ? " input, " : " inputs, ",
        inputs.size(), inputs.size() == 1 ? " file of data was given" : " files of data were given");
  size_t next = 0;
  for (const Module& module : model.modules) {
    if (!std::holds_alternative<Input>(module.op)) continue;
    const Shape &takes = module.nominal[0], &got = inputs[next].shape();
    check(takes.size() == got.size() && std::equal(takes.begin() + 1, takes.end(), got.begin() + 1), o.data[next], ": has shape ",
          to_string(got), ", input ", module.path, " of ", o.quantized, " takes ", to_string(takes), " with any number of rows");
    ++next;
  }
  if (!labels) return;
  const Wire out = model.output_wires()[0];
  const Shape& logits = model.modules[out.module].nominal.at(out.port);
  check(logits.size() == 2, o.labels, ": the output ", model.modules[out.module].path, " of ", o.quantized, " is ",
        to_string(logits), ", labels need [n, classes]");
  for (int64_t i = 0; i < labels->numel(); ++i) {
    const int32_t label = labels->data<int32_t>()[i];
    check(label >= 0 && label < logits[1], o.labels, ": element ", i, " is ", label, ", the model has ", logits[1], " classes");
  }
}

void run_report(const Reporting& o) {
  const ReportLimits limits = limits_of(o);
  std::vector<std::string> read{o.reference, o.quantized, o.labels};
  read.insert(read.end(), o.data.begin(), o.data.end());
  tools::check_outputs({o.html, o.json}, read);
  // What is cheap to refuse is read first.
  const std::vector<Tensor> inputs = read_data(o.data);
  const int64_t rows_in_all = inputs[0].size(0);
  const std::optional<Tensor> all = o.labels.empty() ? std::nullopt : std::optional(read_labels(o.labels, rows_in_all));
  const Model reference = open_model(o.reference), quantized = open_model(o.quantized);
  check(!is_quantized(reference), o.reference, ": is a quantized model, expected the float one; the order is FLOAT INT8 DATA");
  check(is_quantized(quantized), o.quantized, ": is a float model, expected the quantized one; the order is FLOAT INT8 DATA");
  check_fit(quantized, o, inputs, all ? &*all : nullptr);
  check_limits(limits, quantized);
  std::vector<std::vector<Tensor>> batches((rows_in_all + o.batch - 1) / o.batch);
  for (const Tensor& x : inputs) {
    std::vector<Tensor> parts = split(x, o.batch);
    for (size_t b = 0; b < parts.size(); ++b) batches[b].push_back(std::move(parts[b]));
  }
  const std::vector<Tensor> labels = all ? split(*all, o.batch) : std::vector<Tensor>{};
  const auto count = static_cast<int64_t>(batches.size());
  tools::ProgressBar bar("report", count + std::min(o.diagnosis_batches, count), "images", static_cast<double>(o.batch));
  const Report report = make_report(reference, quantized, batches,
                                    {.title = o.title,
                                     .labels = labels,
                                     .float_layers = !o.device,
                                     .diagnosis_batches = o.diagnosis_batches,
                                     .progress = [&](int64_t done, int64_t) {
                                       bar.update(done);
                                       return true;
                                     }});
  fmt::print("{}", to_table(report));
  write_named(o.html, to_html(report));
  write_named(o.json, to_json(report));
  if (std::vector<std::string> lines = violations(report, limits); !lines.empty()) throw LimitBroken{std::move(lines)};
}

}  // namespace

void add_report(CLI::App& app) {
  CLI::App* command = app.add_subcommand("report", "compare a float model with its int8 form: which layer, why, what to change");
  const auto o = std::make_shared<Reporting>();
  command->add_option("float", o->reference, "the float model, fused or not")->required();
  command->add_option("int8", o->quantized, "the quantized model")->required();
  command->add_option("data", o->data, "inputs as a .npy file, N first; one file for each input of the model, in its order")
      ->required();
  command->add_option("--labels", o->labels, "classes as a .npy file: accuracies too");
  command->add_option("--html", o->html, "write the page here");
  command->add_option("--json", o->json, "write the JSON here");
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
  command->callback([o] { run_report(*o); });
}

}  // namespace octet::cli
