// SPDX-License-Identifier: Apache-2.0
// octet explain: how a saved model runs here: every layer's engine, implementation and time, and the memory of a session.
#include "compile/explain.h"

#include <cstdio>
#include <memory>

#include "kernels/parallel.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"

namespace octet::cli {
namespace {

struct Explaining {
  std::string model, engine = "automatic";
  int64_t batch = 0;
  int threads = 0, repeats = 20;
};

QEngine engine_of(const std::string& name) {
  for (const QEngineInfo& info : qengines())
    if (name == to_string(info.engine)) return info.engine;
  return QEngine::automatic;
}

void run_explain(const Explaining& o) {
  const Model model = open_model(o.model);
  if (o.threads > 0) set_threads(o.threads);
  std::vector<Shape> shapes;
  if (o.batch > 0) shapes = input_shapes(model, o.batch);
  std::printf("%s", to_string(explain(Program::bind(model, engine_of(o.engine)), std::move(shapes), o.repeats)).c_str());
}

}  // namespace

void add_explain(CLI::App& app) {
  CLI::App* command = app.add_subcommand("explain", "run a model on random inputs; print engine, reason and time of every layer");
  const auto o = std::make_shared<Explaining>();
  std::vector<std::string> names{"automatic"};
  for (const QEngineInfo& info : qengines()) names.emplace_back(to_string(info.engine));
  command->add_option("model", o->model, "float or converted model, as save_model writes it")->required();
  command->add_option("--engine", o->engine, "who computes the integer layers")->check(CLI::IsMember(names))->capture_default_str();
  command->add_option("--batch", o->batch, "pictures at once (default: as the model says)")->check(whole_number(1, 1 << 20));
  command->add_option("--threads", o->threads, "threads (default: the hardware's)")->check(whole_number(1, 1024));
  command->add_option("--repeats", o->repeats, "runs to take the median of")
      ->check(whole_number(1, 1000000))
      ->capture_default_str();
  command->callback([o] { run_explain(*o); });
}

}  // namespace octet::cli
