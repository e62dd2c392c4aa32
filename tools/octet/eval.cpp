// SPDX-License-Identifier: Apache-2.0
// octet eval: how often a model is right.
#include <fmt/format.h>

#include <memory>

#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/running.h"
#include "tools/octet/samples.h"
#include "tools/octet/verb.h"
#include "tools/program.h"
#include "tools/progress.h"

namespace octet::cli {
namespace {

struct Evaluating {
  std::string model, labels;
  SampleOptions samples;
  Running running;
  Results results;
};

void evaluate(const Evaluating& o) {
  std::vector<std::string> read = o.samples.files;
  read.push_back(o.model), read.push_back(o.labels);
  tools::check_outputs({o.results.file()}, read);
  const SampleFiles files(o.samples);
  std::optional<Tensor> labels;
  if (!o.labels.empty()) labels = read_labels(o.labels);
  const Model model = open_model(o.model);
  const Samples samples = files.fit(model, o.model);
  if (!labels) {
    if (samples.classes.empty()) throw CLI::RequiredError("--labels, or data in a folder for each class,");
    labels = Tensor::of(Shape{samples.rows()}, samples.classes);
  }
  check_labels(*labels, o.labels.empty() ? o.samples.files[0] : o.labels, model, o.model, samples.rows());
  const RowRunner runner(model, o.running, o.model);
  Bar bar("eval", samples.rows(), 1);
  const double begin = tools::now();
  const Tensor logits = runner.run(samples.inputs, [&](int64_t done) { bar.update(done); })[0];
  const double seconds = tools::now() - begin;
  const int64_t rows = samples.rows(), top1 = right_answers(logits, *labels, 1), top5 = right_answers(logits, *labels, 5);
  const auto share = [&](int64_t right) { return static_cast<double>(right) / static_cast<double>(rows); };
  std::string text;
  for (const std::string& note : samples.notes) text += note + "\n";
  text += fmt::format("{}: {} of {} right, accuracy {:.2f} %", o.model, top1, rows, 100 * share(top1));
  if (logits.size(1) > 5) text += fmt::format(", among the first five {:.2f} %", 100 * share(top5));
  text += fmt::format("; {:.0f} rows/s\n", static_cast<double>(rows) / std::max(seconds, 1e-9));
  Json json{{"model", o.model}, {"rows", rows}, {"right", top1}, {"accuracy", share(top1)}};
  if (logits.size(1) > 5) json["top5_accuracy"] = share(top5);
  json["rows_per_second"] = static_cast<double>(rows) / std::max(seconds, 1e-9);
  json["preprocessing"] = samples.notes;
  o.results.show(text, json);
}

}  // namespace

void add_eval(CLI::App& app) {
  CLI::App* verb =
      add_verb(app, "eval", "count how often the largest output is the right class",
               {"octet eval model.octet --data images.npy --labels labels.npy", "octet eval model.octet --data folder_of_folders"});
  const auto o = std::make_shared<Evaluating>();
  add_model(*verb, o->model);
  o->samples.add(
      *verb, "data,--data",
      "arrays (.npy or FILE.npz:NAME), pictures, or folders of either; folders in a folder are classes, by name in order");
  verb->add_option("--labels", o->labels, "right classes as a .npy file, one a row")->type_name("FILE");
  o->running.add(*verb, "32, or what the model was built for");
  o->results.add(*verb);
  verb->callback([o] { evaluate(*o); });
}

}  // namespace octet::cli
