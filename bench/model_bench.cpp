// SPDX-License-Identifier: Apache-2.0
// Sessions and bare primitives taking turns; memory by what the kernel says of the process.
#include "bench/model_bench.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/allocations.h"
#include "bench/bare.h"
#include "bench/child.h"
#include "bench/networks/networks.h"
#include "compile/program.h"
#include "io/model_file.h"
#include "kernels/parallel.h"
#include "tools/progress.h"

namespace octet::bench {
namespace {

using Json = nlohmann::json;

/// A session with the input it is given.
struct Runner {
  Session session;
  Tensor input;

  Runner(const std::shared_ptr<const Program>& program, int64_t batch, int threads)
      : session(program, {inputs_of(program->model(), batch).shape()}, threads), input(inputs_of(program->model(), batch)) {}
  void run() { session.run({&input, 1}); }
};

/// Every kernel of a converted model for this batch, in order, with the module it belongs to.
std::vector<std::pair<std::string, LoweredCall>> kernels_of(const Model& model, int64_t batch) {
  std::vector<std::pair<std::string, LoweredCall>> all;
  const std::vector<std::vector<Shape>> shapes = infer_shapes(model, {{inputs_of(model, batch).shape()}});
  for (size_t i = 0; i < model.modules.size(); ++i) {
    const Module& module = model.modules[i];
    const bool input = std::holds_alternative<Input>(module.op);
    if (input ? module.out_q.empty() || !module.out_q[0] : !runs_quantized(model, static_cast<int>(i))) continue;
    std::vector<Shape> in;
    for (const Wire& w : module.inputs) in.push_back(shapes[static_cast<size_t>(w.module)][static_cast<size_t>(w.port)]);
    if (input) in = shapes[i];
    for (LoweredCall& step : lower(model, static_cast<int>(i), in).calls) all.emplace_back(module.path, std::move(step));
  }
  return all;
}

std::vector<LoweredCall> steps_of(const std::vector<std::pair<std::string, LoweredCall>>& kernels) {
  std::vector<LoweredCall> steps;
  for (const auto& entry : kernels) steps.push_back(entry.second);
  return steps;
}

std::vector<QEngine> engines(bool reference) {
  std::vector<QEngine> all;
  for (const QEngineInfo& info : qengines())
    if (info.available && (info.engine != QEngine::reference || reference)) all.push_back(info.engine);
  if (all.empty()) all.push_back(QEngine::reference);
  if (all.size() > 1 + (reference ? 1U : 0U)) all.insert(all.begin(), QEngine::automatic);  // more than one to choose from
  return all;
}

Json json_of(const Timing& t) { return {{"best", t.best}, {"median", t.median}, {"p99", t.p99}, {"calls", t.calls}}; }

/// Microseconds of one call, smallest of a few turns.
double microseconds(const std::function<void()>& run) {
  return race({{"", run}}, {.rounds = 3, .seconds = 0.01, .least = 5})[0].best * 1e3;
}

}  // namespace

ModelFiles files_of(const std::string& folder, const std::string& name) {
  return {folder + "/" + name + ".float.safetensors", folder + "/" + name + ".int8.safetensors"};
}

std::string write_model(const std::string& folder, const std::string& name) {
  const Network& net = network(name);
  const Model model = settled(net), fused = float_form(model), int8 = int8_form(net, model);
  const ModelFiles files = files_of(folder, name);
  save_model(files.float_path, fused);
  save_model(files.int8_path, int8);
  return Json{{"float_bytes", parameter_bytes(fused)}, {"int8_bytes", parameter_bytes(int8)}}.dump();
}

std::string measure_speed(const SpeedCase& c) {
  const ThreadsScope scope(c.threads);
  const Model int8 = load_model(c.files.int8_path).model;
  std::vector<Variant> variants;
  Json result;
  const auto add = [&](const std::string& name, const std::shared_ptr<const Program>& program) {
    auto runner = std::make_shared<Runner>(program, c.batch, c.threads);
    runner->run();
    const double start = tools::now();
    runner->run();
    const int runs = tools::now() - start > 0.1 ? 1 : 5;
    const Allocations before = allocations();
    for (int i = 0; i < runs; ++i) runner->run();
    const Allocations after = allocations();
    result["allocations"][name] = {{"octet", static_cast<double>(after.octet - before.octet) / runs},
                                   {"onednn", static_cast<double>(after.onednn - before.onednn) / runs}};
    variants.push_back({name, [runner] { runner->run(); }});
  };
  add("f32", Program::bind(load_model(c.files.float_path).model));
  for (const QEngine engine : engines(c.reference)) add("int8 " + std::string(to_string(engine)), Program::bind(int8, engine));
  if (c.threads == 1) {
    const std::vector<LoweredCall> steps = steps_of(kernels_of(int8, c.batch));
    if (std::shared_ptr<Bare> bare = make_bare(steps)) {
      int missing = 0;
      for (size_t i = 0; i < steps.size(); ++i) missing += bare->implementation(i).empty() ? 1 : 0;
      result["bare_missing"] = missing;
      variants.push_back({"bare oneDNN", [bare] { bare->run(); }});
    }
  }
  for (const Timing& t : race(variants, c.race)) result["ms"][t.name] = json_of(t);
  return result.dump();
}

std::string measure_memory(const std::string& path, int64_t batch, int threads) {
  const ThreadsScope scope(threads);
  Json result{{"start", resident_memory()}};
  std::shared_ptr<const Program> program;
  {
    Model model = load_model(path).model;
    result["after_load"] = resident_memory();
    result["weights"] = parameter_bytes(model);
    program = Program::bind(std::move(model));
  }
  Runner runner(program, batch, threads);
  const MemoryReport memory = runner.session.memory();
  result["arena"] = memory.arena, result["lower_bound"] = memory.lower_bound, result["optimal"] = memory.optimal;
  result["parameters"] = memory.parameters, result["packed"] = memory.packed;
  result["scratch"] = memory.scratch, result["values"] = memory.values, result["outputs"] = memory.outputs;
  result["input"] = runner.input.bytes();
  for (int i = 0; i < 3; ++i) runner.run();
  result["running"] = resident_memory();
  result["peak"] = std::max(tools::peak_memory(), resident_memory());
  return result.dump();
}

std::string profile(const SpeedCase& c) {
  const ThreadsScope scope(c.threads);
  const Model model = load_model(c.files.int8_path).model;
  const auto kernels = kernels_of(model, c.batch);
  const std::unique_ptr<Bare> bare = make_bare(steps_of(kernels));
  // Large enough for any input: at most 32 pictures of 224x224 with 64 channels, or as many floats with 3.
  std::vector<float> data(size_t{1} << 25);
  std::vector<std::byte> output(size_t{1} << 27);
  Json rows = Json::array();
  for (size_t i = 0; i < kernels.size(); ++i) {
    const auto& [path, step] = kernels[i];
    check(static_cast<size_t>(output_bytes(step.args)) <= output.size(), path, ": too large to profile");
    const std::vector<const void*> inputs(std::max<size_t>(step.inputs.size(), 2), data.data());
    const auto time = [&](const Kernel& kernel) {
      const std::unique_ptr<Kernel::State> state = kernel.make_state();
      std::vector<std::byte> scratch(static_cast<size_t>(kernel.scratch_bytes()) + 64);
      void* aligned = scratch.data();
      size_t room = scratch.size();
      std::align(64, room - 64, aligned, room);
      return microseconds([&] { kernel.run(inputs, output.data(), state.get(), static_cast<std::byte*>(aligned)); });
    };
    const Made made = make(step.args, step.blobs, QEngine::automatic);
    Json row{{"path", path}, {"kernel", name_of(step.args)}, {"implementation", made.kernel->implementation()}};
    row["macs"] = macs(step.args);
    row["us"] = time(*made.kernel);
    for (const QEngine engine : engines(c.reference))
      if (const Made own = make(step.args, step.blobs, engine); engine != QEngine::automatic && own.kernel != nullptr)
        row["engines"][std::string(to_string(engine))] = time(*own.kernel);
    if (bare != nullptr && !bare->implementation(i).empty()) {
      row["bare"] = bare->implementation(i);
      row["bare_us"] = microseconds([&] { bare->run(i); });
    }
    rows.push_back(row);
  }
  return rows.dump();
}

}  // namespace octet::bench
