// SPDX-License-Identifier: Apache-2.0
// octet inspect: what a model or a firmware image holds, without running it.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "compile/program.h"
#include "numeric_suite/report_svg.h"
#include "numeric_suite/statistics.h"
#include "quant/pairing.h"
#include "quant/quantize.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/inspect_image.h"
#include "tools/octet/picture.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct Inspecting {
  std::string path, svg;
  Results results;
};

/// "u8 -1.2..3.4", or the type alone.
std::string ranged(std::string_view type, const std::optional<std::pair<double, double>>& range) {
  return range ? fmt::format("{} {}..{}", type, brief(range->first), brief(range->second)) : std::string(type);
}

struct Row {
  std::string path, op, shape, output, weights, remark;
  int64_t parameters = 0, bytes = 0, macs = 0;
  Json json;
};

std::pair<double, double> real_range(const QParams& q) {
  double lo = INFINITY, hi = -INFINITY;
  for (size_t c = 0; c < q.scale.size(); ++c) {
    lo = std::min(lo, double{q.scale[c]} * (q.qmin - q.zero_point[c]));
    hi = std::max(hi, double{q.scale[c]} * (q.qmax - q.zero_point[c]));
  }
  return {lo, hi};
}

std::optional<std::pair<double, double>> value_range(const Tensor& t) {
  if (t.numel() == 0) return std::nullopt;
  const Tensor floats = t.dtype() == DType::f64 ? t.to(DType::f32) : dequantize(t);
  if (floats.dtype() != DType::f32) return std::nullopt;
  const auto [lo, hi] = std::ranges::minmax(floats.data<float>());
  return std::pair<double, double>{lo, hi};
}

/// Multiply-accumulates by module for the nominal input; none where the model cannot be bound (a prepared one's hooks can).
std::vector<int64_t> macs_of(const Model& model) {
  std::vector<int64_t> macs(model.modules.size());
  try {
    const std::vector<Placement> placements = Program::bind(model, QEngine::reference)->placements();
    for (size_t i = 0; i < macs.size() && i < placements.size(); ++i) macs[i] = placements[i].macs;
  } catch (const Error&) {  // it says why where the model is run; here all else is of use
  }
  return macs;
}

Row row_of(const Model& model, size_t index, const WiringRow& wiring, int64_t macs) {
  const Module& m = model.modules[index];
  Row row{.path = m.path, .op = wiring.op, .shape = {}, .output = {}, .weights = {}, .remark = {}, .macs = macs, .json = {}};
  Json outputs = Json::array();
  for (size_t port = 0; port < m.nominal.size(); ++port) {
    const bool codes = port < m.out_q.size() && m.out_q[port].has_value();
    Json out{{"shape", m.nominal[port]}, {"dtype", codes ? to_string(code_dtype(*m.out_q[port])) : "f32"}};
    std::optional<std::pair<double, double>> range;
    if (codes) {
      range = real_range(*m.out_q[port]);
      out["scale"] = m.out_q[port]->scale[0], out["zero_point"] = m.out_q[port]->zero_point[0];
      out["range"] = {range->first, range->second};
    }
    row.shape += (port == 0 ? "" : " ") + to_string(m.nominal[port]);
    if (port == 0) row.output = ranged(codes ? to_string(code_dtype(*m.out_q[port])) : "f32", range);
    outputs.push_back(std::move(out));
  }
  Json parameters = Json::array();
  for (const auto& [name, t] : m.params) {
    row.parameters += t.numel();
    row.bytes += static_cast<int64_t>(t.bytes());
    const auto range = value_range(t);
    Json p{{"name", name}, {"shape", t.shape()}, {"dtype", to_string(t.dtype())}};
    if (range) p["range"] = {json_number(range->first), json_number(range->second)};
    if (t.qparams()) p["scales"] = t.qparams()->scale.size();
    parameters.push_back(std::move(p));
  }
  if (const Tensor* w = weight_of(m.params)) row.weights = ranged(to_string(w->dtype()), value_range(*w));
  if (!m.tied_to.empty()) row.remark = "tied to " + m.tied_to;
  if (wiring.crossing)
    row.remark += (row.remark.empty() ? "" : ", ") + std::string(wiring.integer ? "float -> codes" : "codes -> float");
  std::vector<std::string> inputs;
  for (const Wire& w : m.inputs) inputs.push_back(model.modules[static_cast<size_t>(w.module)].path);
  row.json = {{"path", m.path},
              {"op", wiring.op},
              {"inputs", inputs},
              {"outputs", outputs},
              {"macs", macs},
              {"parameters", parameters},
              {"crossing", wiring.crossing},
              {"fused", m.fused}};
  if (!m.tied_to.empty()) row.json["tied_to"] = m.tied_to;
  return row;
}

Json interface_of(const Interface& face) {
  Json inputs = Json::array();
  for (const Interface::Port& port : face.inputs) inputs.push_back(port.name);
  return {{"inputs", inputs}, {"outputs", face.outputs}};
}

std::string interface_text(const Model& model) {
  std::string text;
  size_t k = 0;
  for (const Module& m : model.modules) {
    if (!std::holds_alternative<Input>(m.op) || k >= model.interface.inputs.size()) continue;
    const Interface::Port& port = model.interface.inputs[k++];
    text += fmt::format("input {}: \"{}\"{}\n", m.path, port.name,
                        port.preprocessing ? ", pictures: " + described(*port.preprocessing, m.nominal[0]) : "");
  }
  for (size_t i = 0; i < model.interface.outputs.size(); ++i)
    text += fmt::format("output {}: \"{}\"\n", i, model.interface.outputs[i]);
  return text;
}

/// Columns as wide as what they hold, numbers to the right.
std::string table(const std::vector<std::vector<std::string>>& rows, size_t first_number, size_t last_number) {
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows)
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c)
      line += c >= first_number && c <= last_number ? fmt::format("{:>{}}  ", row[c], widths[c])
                                                    : fmt::format("{:<{}}  ", row[c], widths[c]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

constexpr const char* kStyle =
    "text{font:12px sans-serif;fill:#222}.tick{font-size:10px;fill:#555}.end{text-anchor:end}.cross{font-size:10px;fill:#b3261e}"
    ".int8box{fill:#d7e8fb;stroke:#4a7ebb}.floatbox{fill:#f3f3f3;stroke:#999}.wire{fill:none;stroke:#888}";

void inspect_model(const Inspecting& o) {
  const OpenedModel opened = open_file(o.path);
  const Model& model = opened.model;
  std::vector<WiringRow> wiring = wiring_of(model);
  const std::vector<int64_t> macs = macs_of(model);
  std::vector<std::vector<std::string>> lines{
      {"layer", "operator", "output", "values", "weights", "parameters", "bytes", "MACs", ""}};
  Json layers = Json::array();
  int64_t all_parameters = 0, all_macs = 0;
  for (size_t i = 0; i < model.modules.size(); ++i) {
    Row row = row_of(model, i, wiring[i], macs[i]);
    wiring[i].detail = row.shape + " " + row.output;
    all_parameters += row.parameters, all_macs += row.macs;
    const auto number = [](int64_t n) { return n == 0 ? std::string("-") : std::to_string(n); };
    lines.push_back({row.path, row.op, row.shape, row.output, row.weights, number(row.parameters), number(row.bytes),
                     number(row.macs), row.remark});
    layers.push_back(std::move(row.json));
  }
  const QuantizationSummary summary = summarize(model);
  const std::string kind = is_quantized(model)                               ? "converted"
                           : summary.output_hooks + summary.weight_hooks > 0 ? "prepared"
                                                                             : "float";
  const std::string rounding(to_string(model.rounding));
  std::string text = fmt::format("{}: {} model, rounding {}, {} layers, {} parameters in {} bytes, {} MACs\n", o.path, kind,
                                 rounding, model.modules.size(), all_parameters, summary.parameter_bytes, all_macs);
  text += fmt::format("{} of {} weighted layers have int8 weights, {} run as integer kernels\n", summary.int8_weights,
                      summary.weighted, summary.int8_kernels);
  text += interface_text(model);
  std::vector<std::string> notes = opened.notes;
  notes.insert(notes.end(), summary.notes.begin(), summary.notes.end());
  for (const std::string& note : notes) text += "note: " + note + "\n";
  text += table(lines, 5, 7);
  std::vector<std::string> outputs;
  for (const Wire& w : model.output_wires()) outputs.push_back(model.modules[static_cast<size_t>(w.module)].path);
  text += fmt::format("outputs: {}\n", fmt::join(outputs, ", "));
  if (!o.svg.empty()) {
    std::string picture = svg::wiring(wiring);
    const size_t end = picture.find('>');
    picture.insert(end + 1, fmt::format("<style>{}</style>", kStyle));
    picture.insert(4, " xmlns=\"http://www.w3.org/2000/svg\"");
    write_text(o.svg, picture + "\n");
  }
  o.results.show(text, {{"file", o.path},
                        {"kind", kind},
                        {"rounding", rounding},
                        {"parameters", all_parameters},
                        {"parameter_bytes", summary.parameter_bytes},
                        {"macs", all_macs},
                        {"weighted_layers", summary.weighted},
                        {"int8_kernels", summary.int8_kernels},
                        {"interface", interface_of(model.interface)},
                        {"layers", layers},
                        {"outputs", outputs},
                        {"notes", notes}});
  if (!o.svg.empty()) o.results.note("wrote " + o.svg);
}

void inspect(const Inspecting& o) {
  tools::check_outputs({o.svg, o.results.file()}, {o.path});
  if (!is_image(o.path)) return inspect_model(o);
  if (!o.svg.empty()) throw CLI::ValidationError("--svg", "a firmware image has no drawing; models have");
  inspect_image(o.path, o.results);
}

}  // namespace

void add_inspect(CLI::App& app) {
  CLI::App* verb =
      add_verb(app, "inspect", "print layers, shapes, parameters, MACs and ranges of a model, or what a firmware image holds",
               {"octet inspect model.octet", "octet inspect model.tflite --svg model.svg", "octet inspect model.octi --json"});
  const auto o = std::make_shared<Inspecting>();
  add_model(*verb, o->path, "model, or a firmware image");
  verb->add_option("--svg", o->svg, "draw the graph into this file")->type_name("FILE");
  o->results.add(*verb);
  verb->callback([o] { inspect(*o); });
}

}  // namespace octet::cli
