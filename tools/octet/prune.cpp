// SPDX-License-Identifier: Apache-2.0
// octet prune: a converted model without its dead channels, or what it would save.
#include "quant/prune.h"

#include <fmt/format.h>

#include <memory>

#include "io/model_file.h"
#include "quant/pairing.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct Pruning {
  std::string model, output;
  Results results;
};

void run_prune(const Pruning& o) {
  tools::check_outputs({o.output, o.results.file()}, {o.model});
  const Model model = open_model(o.model);
  check(is_quantized(model), o.model, ": expected a converted model, got a float model");
  PruneReport report;
  const Model pruned = prune_exact(model, &report);
  if (!o.output.empty()) write_bytes(o.output, model_bytes(pruned, o.output));
  std::string text;
  Json layers = Json::array();
  for (const PrunedLayer& layer : report.layers) {
    text += fmt::format("{}: {} of {} channels\n", layer.path, layer.removed, layer.channels);
    layers.push_back({{"path", layer.path}, {"removed", layer.removed}, {"channels", layer.channels}});
  }
  text += to_string(report) + "\n";
  o.results.show(text,
                 {{"model", o.model}, {"layers", layers}, {"parameter_bytes", {parameter_bytes(model), parameter_bytes(pruned)}}});
}

}  // namespace

void add_prune(CLI::App& app) {
  CLI::App* verb = add_verb(app, "prune", "take dead channels out of a converted model; its output codes stay the same",
                            {"octet prune int8.octet -o smaller.octet"});
  const auto o = std::make_shared<Pruning>();
  add_model(*verb, o->model, "converted model, or an int8 TensorFlow Lite file");
  verb->add_option("-o,--output", o->output, "model file to write (default: none, only say what it would save)")->type_name("FILE");
  o->results.add(*verb);
  verb->callback([o] { run_prune(*o); });
}

}  // namespace octet::cli
