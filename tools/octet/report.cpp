// SPDX-License-Identifier: Apache-2.0
// octet report: compares a float model file with the int8 one made from it and writes the page, the JSON and the table.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "io/file.h"
#include "io/model_file.h"
#include "io/npy.h"
#include "numeric_suite/report.h"
#include "tools/octet/commands.h"
#include "tools/progress.h"

namespace octet::cli {
namespace {

struct Options {
  std::string reference, quantized, data, labels, html, json, title = "Float against int8";
  int64_t batch = 100, diagnosis_batches = 4;
};

/// Fails now rather than after the computing. Leaves what is there as it is.
void check_writable(const std::string& path) {
  if (path.empty()) return;
  const std::filesystem::path target(path), folder = target.has_parent_path() ? target.parent_path() : ".";
  check(std::filesystem::is_directory(folder), path, ": the folder ", folder.string(), " does not exist");
  check(!std::filesystem::is_directory(target), path, ": is a folder, expected a file");
  const std::filesystem::path probe = target.string() + ".probe";
  const bool writable = static_cast<bool>(std::ofstream(probe));
  std::error_code ignored;
  std::filesystem::remove(probe, ignored);
  check(writable, path, ": cannot be written");
}

void write_text(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  write_file(path, std::as_bytes(std::span(text)));
  fmt::print("wrote {} ({} KiB)\n", path, text.size() >> 10);
}

std::vector<Tensor> split(const Tensor& t, int64_t batch) {
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < t.size(0); i += batch) parts.push_back(rows(t, i, std::min(i + batch, t.size(0))));
  return parts;
}

void run(const Options& o) {
  check_writable(o.html), check_writable(o.json);
  const Model reference = load_model(o.reference, make_hook).model, quantized = load_model(o.quantized, make_hook).model;
  const Tensor data = load_npy(o.data);
  check(data.rank() > 1 && data.size(0) > 0, o.data, ": expected a batch of inputs, got shape ", to_string(data.shape()));
  std::vector<Tensor> labels;
  if (!o.labels.empty()) {
    const Tensor all = load_npy(o.labels).to(DType::i32);
    check(all.shape() == Shape{data.size(0)}, o.labels, ": expected ", data.size(0), " labels, got shape ", to_string(all.shape()));
    labels = split(all, o.batch);
  }
  const std::vector<Tensor> batches = split(data.to(DType::f32), o.batch);
  tools::ProgressBar bar(
      "report", static_cast<int64_t>(batches.size()) + std::min<int64_t>(o.diagnosis_batches, static_cast<int64_t>(batches.size())),
      "images", static_cast<double>(o.batch));
  const Report report = make_report(
      reference, quantized, batches,
      {.title = o.title, .labels = labels, .diagnosis_batches = o.diagnosis_batches, .progress = [&](int64_t done, int64_t) {
         bar.update(done);
         return true;
       }});
  fmt::print("{}", to_table(report));
  write_text(o.html, to_html(report));
  write_text(o.json, to_json(report));
}

}  // namespace

void add_report(CLI::App& app) {
  CLI::App* command = app.add_subcommand("report", "compare a float model with its int8 form: which layer, why, what to change");
  const auto o = std::make_shared<Options>();
  command->add_option("float", o->reference, "the float model, fused or not")->required();
  command->add_option("int8", o->quantized, "the quantized model")->required();
  command->add_option("data", o->data, "inputs as a float32 .npy file, N first")->required();
  command->add_option("--labels", o->labels, "classes as an integer .npy file: accuracies too");
  command->add_option("--html", o->html, "write the page here");
  command->add_option("--json", o->json, "write the JSON here");
  command->add_option("--title", o->title, "of the page")->capture_default_str();
  command->add_option("--batch", o->batch, "inputs a batch")->check(CLI::Range(1, 100000))->capture_default_str();
  command->add_option("--diagnosis-batches", o->diagnosis_batches, "batches for causes and leave-one-float")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->callback([o] { run(*o); });
}

}  // namespace octet::cli
