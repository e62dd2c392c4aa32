// SPDX-License-Identifier: Apache-2.0
// octet explain: how a saved model runs here: every layer's engine, implementation and time, and the memory of a session.
#include "compile/explain.h"

#include <memory>

#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/running.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct Explaining {
  std::string model;
  Running running;
  int repeats = 20;
  Results results;
};

Json explained(const Explanation& e) {
  Json layers = Json::array();
  for (const Explanation::Layer& l : e.layers) {
    Json row{{"path", l.placement.path},
             {"op", l.placement.op},
             {"engine", l.placement.engine ? Json(to_string(*l.placement.engine)) : Json()},
             {"implementation", l.placement.implementation},
             {"micros", l.micros},
             {"macs", l.placement.macs}};
    if (!l.placement.why.empty()) row["why"] = l.placement.why;
    layers.push_back(std::move(row));
  }
  return {{"inputs", e.inputs},
          {"threads", e.threads},
          {"repeats", e.repeats},
          {"layers", layers},
          {"memory",
           {{"arena", e.memory.arena},
            {"lower_bound", e.memory.lower_bound},
            {"scratch", e.memory.scratch},
            {"outputs", e.memory.outputs},
            {"parameters", e.memory.parameters},
            {"packed", e.memory.packed}}}};
}

void run_explain(const Explaining& o) {
  tools::check_outputs({o.results.file()}, {o.model});
  const Model model = open_model(o.model);
  o.running.apply();
  std::vector<Shape> shapes;
  if (o.running.batch > 0) shapes = input_shapes(model, o.running.batch);
  try {
    const Explanation e = explain(Program::bind(model, o.running.qengine()), std::move(shapes), o.repeats);
    o.results.show(to_string(e), explained(e));
  } catch (const Error& e) {
    fail(o.model, ": ", e.what());
  }
}

}  // namespace

void add_explain(CLI::App& app) {
  CLI::App* verb = add_verb(app, "explain", "run a model on random inputs; print engine, reason and time of every layer",
                            {"octet explain int8.octet --threads 1", "octet explain model.tflite --engine native --batch 8"});
  const auto o = std::make_shared<Explaining>();
  add_model(*verb, o->model);
  o->running.add(*verb, "as the model says");
  verb->add_option("--repeats", o->repeats, "runs to take the median of")
      ->check(whole_number(1, 1000000))
      ->capture_default_str()
      ->group(kRunGroup);
  o->results.add(*verb);
  verb->callback([o] { run_explain(*o); });
}

}  // namespace octet::cli
