// SPDX-License-Identifier: Apache-2.0
// octet bench: times of models side by side, run in turns so that all see the same machine.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "kernels/parallel.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/running.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct Benching {
  std::vector<std::string> models;
  Running running;
  std::string seconds = "1";
  Results results;
};

constexpr int kRounds = 10, kLeastRuns = 3;

struct Contender {
  std::string name;
  std::vector<Tensor> inputs;
  std::unique_ptr<Session> session;
  int runs = kLeastRuns;  // a round
  Times times;
};

void bench(const Benching& o) {
  tools::check_outputs({o.results.file()}, o.models);
  o.running.apply();
  const int64_t batch = o.running.batch > 0 ? o.running.batch : 1;
  const double seconds = number_of(o.seconds);
  std::vector<Contender> all;
  for (const std::string& name : o.models) {
    const Model model = open_model(name);
    try {
      Contender& c = all.emplace_back();
      c.name = name;
      c.inputs = random_inputs(model, batch, 1);
      c.session = std::make_unique<Session>(Program::bind(model, o.running.qengine()), input_shapes(model, batch));
      Times warm;
      time_runs(*c.session, c.inputs, kLeastRuns, warm);
      c.runs = std::clamp(static_cast<int>(seconds * 1e6 / kRounds / std::max(warm.at(0.5), 0.1)), kLeastRuns, 1'000'000);
    } catch (const Error& e) {
      fail(name, ": ", e.what());
    }
  }
  Bar bar("bench", kRounds, 1);
  for (int round = 0; round < kRounds; ++round) {
    for (Contender& c : all) time_runs(*c.session, c.inputs, c.runs, c.times);
    bar.update(round + 1);
  }
  size_t width = 5;
  for (const Contender& c : all) width = std::max(width, c.name.size());
  std::string text = fmt::format("engine {}, {} threads, batch {}, microseconds a run\n{:<{}} {:>10} {:>10} {:>10} {:>12} {:>8}\n",
                                 o.running.engine, threads(), batch, "model", width, "median", "p10", "p90", "inputs/s", "ratio");
  Json rows = Json::array();
  for (const Contender& c : all) {
    const double median = c.times.at(0.5), rate = 1e6 * static_cast<double>(batch) / std::max(median, 1e-3);
    text += fmt::format("{:<{}} {:>10.1f} {:>10.1f} {:>10.1f} {:>12.0f} {:>8.2f}\n", c.name, width, median, c.times.at(0.1),
                        c.times.at(0.9), rate, median / std::max(all[0].times.at(0.5), 1e-3));
    rows.push_back({{"model", c.name},
                    {"median_us", median},
                    {"p10_us", c.times.at(0.1)},
                    {"p90_us", c.times.at(0.9)},
                    {"inputs_per_second", rate},
                    {"runs", c.times.micros.size()}});
  }
  o.results.show(text, {{"engine", o.running.engine}, {"threads", threads()}, {"batch", batch}, {"models", rows}});
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* verb = add_verb(app, "bench", "time models side by side on random inputs: median, tenth and ninetieth percentile",
                            {"octet bench float.octet int8.octet --threads 1 --batch 8"});
  const auto o = std::make_shared<Benching>();
  verb->add_option("models", o->models, "models, float or converted")->required()->type_name("MODEL");
  verb->add_option("--seconds", o->seconds, "about as long for each model")->check(finite_number(false))->capture_default_str();
  o->running.add(*verb, "1");
  o->results.add(*verb);
  verb->callback([o] { bench(*o); });
}

}  // namespace octet::cli
