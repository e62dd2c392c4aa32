// SPDX-License-Identifier: Apache-2.0
// octet run: a model on arrays or pictures; outputs as .npy, the largest classes by name.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include "engine/quantize.h"
#include "io/model_file.h"
#include "io/npy.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/running.h"
#include "tools/octet/samples.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct RunOptions {
  std::string model, class_names, remember;
  std::vector<std::string> outputs;
  SampleOptions samples;
  Running running;
  bool raw = false;
  int64_t top = 5;
  Results results;
};

constexpr int64_t kMostPrinted = 20;  // rows

std::vector<std::string> read_names(const std::string& path) {
  constexpr uint64_t kMostBytes = 1 << 24;
  const Bytes bytes = read_file(path, kMostBytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  check(text.find('\0') == std::string_view::npos, path, ": expected names of classes as text, one a line");
  std::vector<std::string> names;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line(text.substr(at, end - at));
    if (!line.empty() && line.back() == '\r') line.pop_back();
    names.push_back(std::move(line));
    at = end + 1;
  }
  return names;
}

/// The largest values of one row, or of a row that is no list of classes its range.
void describe(const Tensor& values, int64_t row, const RunOptions& o, const std::vector<std::string>& names, std::string& text,
              Json& json) {
  const int64_t width = values.numel() / values.size(0);
  const std::span<const float> v = values.data<float>().subspan(static_cast<size_t>(row * width), static_cast<size_t>(width));
  if (values.rank() != 2 || width == 0) {
    const auto [lo, hi] = std::ranges::minmax(v);
    text += fmt::format("shape [{}], values {:.6g} .. {:.6g}\n", fmt::join(values.shape().begin() + 1, values.shape().end(), ", "),
                        lo, hi);
    json["range"] = {lo, hi};
    return;
  }
  std::vector<size_t> order(v.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return v[a] > v[b]; });
  order.resize(std::min(order.size(), static_cast<size_t>(o.top)));
  json["top"] = Json::array();
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t c = order[i];
    text += fmt::format("{}{}{} {:.6g}", i == 0 ? "" : ", ", c, names.empty() ? "" : " " + names[c], v[c]);
    json["top"].push_back({{"class", c}, {"value", v[c]}});
    if (!names.empty()) json["top"].back()["name"] = names[c];
  }
  text += "\n";
}

void remember(const RunOptions& o, Model model) {
  size_t inputs = 0;
  for (const Module& m : model.modules) inputs += std::holds_alternative<Input>(m.op) ? 1 : 0;
  const size_t before = model.interface.inputs.size();
  model.interface.inputs.resize(inputs);
  for (size_t k = 0, index = 0; index < model.modules.size(); ++index) {
    if (!std::holds_alternative<Input>(model.modules[index].op)) continue;
    Interface::Port& port = model.interface.inputs[k];
    if (k >= before) port.name = model.modules[index].path;
    port.preprocessing = o.samples.preprocessing(model, k++);
  }
  write_bytes(o.remember, model_bytes(model, o.remember));
}

void run(const RunOptions& o) {
  std::vector<std::string> read = o.samples.files, written = o.outputs;
  read.push_back(o.model), read.push_back(o.class_names);
  written.push_back(o.results.file()), written.push_back(o.remember);
  tools::check_outputs(written, read);
  const SampleFiles files(o.samples);
  const std::vector<std::string> names = o.class_names.empty() ? std::vector<std::string>{} : read_names(o.class_names);
  const Model model = open_model(o.model);
  const std::vector<Wire> wires = model.output_wires();
  check(o.outputs.empty() || o.outputs.size() == wires.size(), o.model, ": has ", wires.size(),
        wires.size() == 1 ? " output, --output names " : " outputs, --output names ", o.outputs.size());
  const Samples samples = files.fit(model, o.model);
  const RowRunner runner(model, o.running, o.model);
  Bar bar("run", samples.rows(), 1);
  const std::vector<Tensor> outputs = runner.run(samples.inputs, [&](int64_t done) { bar.update(done); });
  std::string text;
  for (const std::string& note : samples.notes) text += note + "\n";
  Json json{{"model", o.model}, {"rows", samples.rows()}, {"preprocessing", samples.notes}, {"outputs", Json::array()}};
  for (size_t k = 0; k < outputs.size(); ++k) {
    const Module& module = model.modules[static_cast<size_t>(wires[k].module)];
    const Tensor values = dequantize(outputs[k]);
    check(values.dtype() == DType::f32 || values.dtype() == DType::f64, o.model, ": output ", module.path,
          " is neither floats nor codes");
    const Tensor floats = values.to(DType::f32);
    if (k == 0 && !names.empty())
      check(floats.rank() == 2 && floats.size(1) == static_cast<int64_t>(names.size()), o.class_names, ": has ", names.size(),
            " names, output ", module.path, " of ", o.model, " is ", to_string(module.nominal[static_cast<size_t>(wires[k].port)]));
    if (!o.outputs.empty()) write_bytes(o.outputs[k], npy_bytes(o.raw ? outputs[k] : values));
    Json out{
        {"path", module.path}, {"shape", outputs[k].shape()}, {"dtype", to_string(outputs[k].dtype())}, {"rows", Json::array()}};
    for (int64_t row = 0; row < floats.size(0); ++row) {
      std::string line;
      Json said;
      if (const std::string name = k < 1 ? samples.names[static_cast<size_t>(row)] : ""; !name.empty()) said["file"] = name;
      describe(floats, row, o, k == 0 ? names : std::vector<std::string>{}, line, said);
      if (row < kMostPrinted) {
        text += outputs.size() > 1 ? module.path + " " : "";
        text += (said.contains("file") ? said["file"].get<std::string>() : fmt::format("row {}", row)) + ": " + line;
      }
      out["rows"].push_back(std::move(said));
    }
    if (floats.size(0) > kMostPrinted) text += fmt::format("… {} rows in all\n", floats.size(0));
    json["outputs"].push_back(std::move(out));
  }
  if (!o.remember.empty()) remember(o, model);
  o.results.show(text, json);
  for (const std::string& path : o.outputs) o.results.note("wrote " + path);
  if (!o.remember.empty()) o.results.note("wrote " + o.remember + ", with this preprocessing");
}

}  // namespace

void add_run(CLI::App& app) {
  CLI::App* verb = add_verb(app, "run", "run a model on arrays or pictures and write or print its outputs",
                            {"octet run model.octet --input x.npy --output y.npy",
                             "octet run model.tflite --input cat.png dog.jpg --mean 0.5 --std 0.5 --labels names.txt",
                             "octet run model.octet --input left.npy right.npy --output sum.npy"});
  const auto o = std::make_shared<RunOptions>();
  add_model(*verb, o->model);
  o->samples.add(*verb, "input,--input",
                 "arrays (.npy or FILE.npz:NAME, one sample or rows of them), pictures, or folders of either; a model with several "
                 "inputs takes one "
                 "of them for each, in its order");
  verb->add_option("-o,--output", o->outputs, "write outputs as .npy, one file an output of the model")->type_name("FILE");
  verb->add_flag("--raw", o->raw, "write codes as they are, not the values they mean");
  verb->add_option("--labels", o->class_names, "names of the classes, one a line")->type_name("FILE");
  verb->add_option("--top", o->top, "classes to print for a row")->check(whole_number(1, 1000))->capture_default_str();
  verb->add_option("--store", o->remember, "write the model with this preprocessing in it, which then is the default")
      ->type_name("FILE");
  o->running.add(*verb, "32, or what the model was built for");
  o->results.add(*verb);
  verb->callback([o] { run(*o); });
}

}  // namespace octet::cli
