// SPDX-License-Identifier: Apache-2.0
// octet prune: a converted model without its dead channels, or what it would save.
#include "quant/prune.h"

#include <cstdio>
#include <memory>

#include "io/model_file.h"
#include "quant/pairing.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct Pruning {
  std::string model, output;
};

void run_prune(const Pruning& o) {
  tools::check_outputs({o.output}, {o.model});
  const Model model = open_model(o.model);
  check(is_quantized(model), o.model, ": expected a converted model, got a float model");
  PruneReport report;
  const Model pruned = prune_exact(model, &report);
  if (!o.output.empty()) save_model(o.output, pruned);
  for (const PrunedLayer& layer : report.layers)
    std::printf("%s: %lld of %lld channels\n", layer.path.c_str(), static_cast<long long>(layer.removed),
                static_cast<long long>(layer.channels));
  std::printf("%s\n", to_string(report).c_str());
}

}  // namespace

void add_prune(CLI::App& app) {
  CLI::App* command = app.add_subcommand("prune", "take dead channels out of a converted model; its output codes stay the same");
  const auto o = std::make_shared<Pruning>();
  command->add_option("model", o->model, "converted model, as save_model writes it")->required();
  command->add_option("-o,--output", o->output, "model file to write (default: none, only say what it would save)");
  command->callback([o] { run_prune(*o); });
}

}  // namespace octet::cli
