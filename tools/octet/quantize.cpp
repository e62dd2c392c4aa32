// SPDX-License-Identifier: Apache-2.0
// octet quantize: from a float model and data to int8, with what it cost and what it won.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "engine/random.h"
#include "io/model_file.h"
#include "numeric_suite/report.h"
#include "numeric_suite/statistics.h"
#include "quant/pairing.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/recipe.h"
#include "tools/octet/running.h"
#include "tools/octet/samples.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct Quantizing {
  std::string model, output, labels, report, recipe_file;
  SampleOptions samples;
  RecipeOptions recipe;
  Running running;
  Results results;
};

/// Rows of every input, in the order drawn, cut into batches.
std::vector<std::vector<Tensor>> batches_of(const std::vector<Tensor>& inputs, const std::vector<int64_t>& rows, int64_t batch) {
  std::vector<std::vector<Tensor>> batches;
  for (size_t at = 0; at < rows.size(); at += static_cast<size_t>(batch)) {
    const size_t end = std::min(rows.size(), at + static_cast<size_t>(batch));
    std::vector<Tensor>& one = batches.emplace_back();
    for (const Tensor& t : inputs) {
      // Rows that follow each other are cut out in one piece.
      if (rows[end - 1] - rows[at] == static_cast<int64_t>(end - at) - 1 &&
          std::is_sorted(rows.begin() + static_cast<ptrdiff_t>(at), rows.begin() + static_cast<ptrdiff_t>(end))) {
        one.push_back(slice_rows(t, rows[at], rows[end - 1] + 1));
        continue;
      }
      std::vector<Tensor> parts;
      for (size_t i = at; i < end; ++i) parts.push_back(slice_rows(t, rows[i], rows[i] + 1));
      one.push_back(concat(parts, 0));
    }
  }
  return batches;
}

std::vector<int64_t> drawn(int64_t rows, const Recipe& r) {
  std::vector<int64_t> order(static_cast<size_t>(rows));
  for (int64_t i = 0; i < rows; ++i) order[static_cast<size_t>(i)] = i;
  if (r.samples == 0 || r.samples >= rows) return order;
  Generator random(static_cast<uint64_t>(r.seed));
  order = permutation(random, rows);
  order.resize(static_cast<size_t>(r.samples));
  return order;
}

/// Sums over the rows: 10 log10 of signal to noise.
double output_sqnr(const Tensor& reference, const Tensor& test) {
  Statistics s(false, false);
  s.add(dequantize(reference), dequantize(test), "output");
  return s.metrics().sqnr_db;
}

struct Figures {
  std::vector<Tensor> outputs;
  double micros = 0;
  int64_t bytes = 0;
  std::optional<double> accuracy;
};

Figures measure(const Model& model, const std::string& name, const Quantizing& o, const Samples& samples,
                const std::optional<Tensor>& labels, const std::string& title) {
  const RowRunner runner(model, o.running, name);
  Bar bar(title, samples.rows(), 1);
  Figures f{.outputs = runner.run(samples.inputs, [&](int64_t done) { bar.update(done); }),
            .bytes = parameter_bytes(model),
            .accuracy = {}};
  if (labels) f.accuracy = static_cast<double>(right_answers(f.outputs[0], *labels, 1)) / static_cast<double>(samples.rows());
  const int64_t one = usable_batch(model, 1);
  std::vector<Tensor> first;
  std::vector<Shape> shapes;
  for (const Tensor& t : samples.inputs) shapes.push_back(first.emplace_back(slice_rows(t, 0, std::min(one, t.size(0)))).shape());
  Session session(runner.program(), shapes);
  Times times;
  constexpr int kRuns = 20;
  time_runs(session, first, 3, times);
  times.micros.clear();
  time_runs(session, first, kRuns, times);
  f.micros = times.at(0.5);
  return f;
}

void run_quantize(const Quantizing& o) {
  std::vector<std::string> read = o.samples.files;
  read.insert(read.end(), {o.model, o.labels, o.recipe.file()});
  tools::check_outputs({o.output, o.report, o.recipe_file, o.results.file()}, read);
  const Recipe recipe = o.recipe.recipe();
  const SampleFiles files(o.samples);
  std::optional<Tensor> labels;
  if (!o.labels.empty()) labels = read_labels(o.labels);
  const OpenedModel opened = open_file(o.model);
  const Model& model = opened.model;
  check(!is_quantized(model), o.model, ": is quantized already, expected a float model");
  const QuantizationSummary before = summarize(model);
  check(before.weight_hooks + before.output_hooks == 0, o.model, ": is a prepared model, expected a float one");
  const Samples samples = files.fit(model, o.model);
  if (!labels && !samples.classes.empty()) labels = Tensor::of(Shape{samples.rows()}, samples.classes);
  if (labels) check_labels(*labels, o.labels.empty() ? o.samples.files[0] : o.labels, model, o.model, samples.rows());
  o.running.apply();
  const int64_t batch = usable_batch(model, o.running.batch > 0 ? o.running.batch : 32);
  Made made;
  const std::vector<std::vector<Tensor>> calibration = batches_of(samples.inputs, drawn(samples.rows(), recipe), batch);
  try {
    Bar bar("calibrate", static_cast<int64_t>(calibration.size()), static_cast<double>(batch));
    made = make(recipe, model, calibration, [&](int64_t done, int64_t) {
      bar.update(done);
      return true;
    });
  } catch (const Error& e) {
    fail(o.model, ": ", e.what());
  }
  const Figures was = measure(model, o.model, o, samples, labels, "float");
  const Figures is = measure(made.quantized, o.model, o, samples, labels, "int8");
  const double sqnr = output_sqnr(was.outputs[0], is.outputs[0]);

  std::string text;
  for (const std::string& note : samples.notes) text += note + "\n";
  std::vector<std::string> all_notes = opened.notes;
  all_notes.insert(all_notes.end(), made.summary.notes.begin(), made.summary.notes.end());
  for (const std::string& note : all_notes) text += "note: " + note + "\n";
  text += fmt::format("{} of {} weighted layers are int8 kernels; calibrated with {} of {} rows\n", made.summary.int8_kernels,
                      made.summary.weighted, recipe.samples == 0 ? samples.rows() : std::min(recipe.samples, samples.rows()),
                      samples.rows());
  text += fmt::format("{:<6} {:>10} {:>12} {:>16} {:>12}\n", "", "accuracy", "output SQNR", "parameter bytes", "ms an input");
  const auto line = [&](const char* name, const Figures& f, const std::string& db) {
    text += fmt::format("{:<6} {:>10} {:>12} {:>16} {:>12.4f}\n", name,
                        f.accuracy ? fmt::format("{:.2f} %", 100 * *f.accuracy) : std::string("-"), db, f.bytes, f.micros / 1000);
  };
  line("float", was, "");
  line("int8", is, decibels(sqnr) + " dB");
  text += "recipe:\n" + dumped(to_json(recipe));
  const auto figures = [](const Figures& f) {
    Json json{{"parameter_bytes", f.bytes}, {"ms", f.micros / 1000}};
    if (f.accuracy) json["accuracy"] = *f.accuracy;
    return json;
  };
  write_bytes(o.output, model_bytes(made.quantized, o.output));
  if (!o.report.empty()) {
    std::vector<int64_t> all(static_cast<size_t>(samples.rows()));
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    const std::vector<std::vector<Tensor>> batches = batches_of(samples.inputs, all, batch);
    std::vector<Tensor> label_batches;
    for (int64_t at = 0; labels && at < samples.rows(); at += batch)
      label_batches.push_back(slice_rows(*labels, at, std::min(at + batch, samples.rows())));
    constexpr int64_t kDiagnosed = 4;
    const auto count = static_cast<int64_t>(batches.size());
    Bar bar("report", count + std::min(kDiagnosed, count), static_cast<double>(batch));
    Report report = make_report(made.reference, made.quantized, batches,
                                {.title = o.model + " against " + o.output,
                                 .labels = label_batches,
                                 .diagnosis_batches = kDiagnosed,
                                 .progress = [&](int64_t done, int64_t) {
                                   bar.update(done);
                                   return true;
                                 }});
    report.notes.push_back("recipe for octet quantize --recipe: " + to_json(recipe).dump());
    write_text(o.report, to_html(report));
  }
  Json json{{"model", o.model},
            {"output", o.output},
            {"rows", samples.rows()},
            {"weighted_layers", made.summary.weighted},
            {"int8_kernels", made.summary.int8_kernels},
            {"output_sqnr_db", json_number(sqnr)},
            {"float", figures(was)},
            {"int8", figures(is)},
            {"preprocessing", samples.notes},
            {"notes", all_notes},
            {"recipe", to_json(recipe)}};
  o.results.show(text, json);
  o.results.note("wrote " + o.output);
  if (!o.recipe_file.empty()) {
    write_text(o.recipe_file, dumped(to_json(recipe)));
    o.results.note("wrote " + o.recipe_file);
  }
  if (!o.report.empty()) o.results.note("wrote " + o.report);
}

}  // namespace

void add_quantize(CLI::App& app) {
  CLI::App* verb =
      add_verb(app, "quantize", "make an int8 model of a float one and print what it costs",
               {"octet quantize float.octet --data images.npy -o int8.octet",
                "octet quantize float.octet --data images --labels y.npy -o int8.octet --rounding fixed_double --report r.html",
                "octet quantize float.octet --data images.npy -o int8.octet --recipe recipe.json --keep-float head"});
  const auto o = std::make_shared<Quantizing>();
  add_model(*verb, o->model, "float model");
  o->samples.add(
      *verb, "data,--data",
      "arrays (.npy or FILE.npz:NAME), pictures, or folders of either; folders in a folder are classes, by name in order");
  verb->add_option("-o,--output", o->output, "the model to write")->required()->type_name("FILE");
  verb->add_option("--labels", o->labels, "right classes as a .npy file, one a row: accuracies too")->type_name("FILE");
  verb->add_option("--report", o->report, "write a page that compares both, layer by layer")->type_name("FILE");
  verb->add_option("--save-recipe", o->recipe_file, "write the recipe that was followed: a file for --recipe")->type_name("FILE");
  o->recipe.add(*verb);
  o->running.add(*verb, "32, or what the model was built for");
  o->results.add(*verb);
  verb->callback([o] { run_quantize(*o); });
}

}  // namespace octet::cli
