// SPDX-License-Identifier: Apache-2.0
// Binding modules to kernels and running the list.
#include "compile/program.h"

#include <algorithm>

#include "engine/module_check.h"

namespace octet {

/// One module, ready to run: kernels for codes, or nothing for the float path.
struct Session::Step {
  struct Run {
    std::unique_ptr<Kernel> kernel;
    std::vector<Wire> inputs;
    int64_t output_offset;
  };
  int module = 0;
  bool quantizes_input = false;  // an Input that turns floats into codes
  std::vector<Run> runs;         // empty: float
};

namespace {

bool is_input(const Module& module) { return std::holds_alternative<Input>(module.op); }
bool quantizes(const Module& module) { return is_input(module) && !module.out_q.empty() && module.out_q[0]; }

/// A kernel of this engine, or of the reference engine and why.
Made make_or_fall_back(const LoweredStep& step, QEngine engine, std::string_view path) {
  Made made = make(step.args, step.blobs, engine);
  if (made.kernel == nullptr) {
    std::string why = std::move(made.why_not);
    made = make(step.args, step.blobs, QEngine::reference);
    made.why_not = std::move(why);
  }
  check(made.kernel != nullptr, path, ": the reference engine declines: ", made.why_not);
  return made;
}

void check_available(QEngine engine) {
  if (engine == QEngine::automatic) return;
  for (const QEngineInfo& info : qengines())
    if (info.engine == engine) check(info.available, "bind: the engine ", to_string(engine), " is not available: ", info.why_not);
}

}  // namespace

std::shared_ptr<const Program> bind(const Model& model, QEngine engine, const QEngineMap& overrides) {
  check(!model.modules.empty(), "bind: the model is empty");
  for (const Module& module : model.modules)
    check(module.hooks.empty() || module.out_q.empty(), module.path, ": half converted: it has hooks and quantization parameters");
  for (const Module& module : model.modules) check_module(module, module.path);
  check_available(engine);
  for (const auto& entry : overrides) {
    check_available(entry.second);
    check(std::ranges::any_of(model.modules, [&](const Module& m) { return below(m.path, entry.first); }), "bind: \"", entry.first,
          "\" matches no module; an override's key is a dotted path or the start of one");
  }
  const std::shared_ptr<Program> program(new Program(model, engine, overrides));
  program->place();  // lowers every module once: whatever can not run throws here
  return program;
}

QEngine Program::engine(std::string_view path) const {
  QEngine found = engine_;
  size_t length = 0;
  for (const auto& [prefix, own] : overrides_)
    if (below(path, prefix) && prefix.size() >= length) found = own, length = prefix.size();
  return found;
}

void Program::place() {
  for (size_t i = 0; i < model_.modules.size(); ++i) {
    const Module& module = model_.modules[i];
    Placement row{module.path, std::string(name_of(module.op)), "float", {}, {}, 0};
    if (quantizes(module)) row.implementation = "reference quantize", row.engine = QEngine::reference;
    if (runs_quantized(model_, static_cast<int>(i))) {
      std::vector<Shape> shapes;
      for (const Wire& w : module.inputs) shapes.push_back(model_.modules[w.module].nominal[w.port]);
      for (const LoweredStep& step : lower(model_, static_cast<int>(i), shapes).steps) {
        const Made made = make_or_fall_back(step, engine(module.path), module.path);
        row.implementation = std::string(made.kernel->implementation()) + " " + std::string(name_of(step.args));
        row.engine = made.kernel->engine();
        row.why = made.why_not;
        row.macs += macs(step.args);
      }
    }
    placements_.push_back(std::move(row));
  }
}

Session::Session(std::shared_ptr<const Program> program, std::vector<Shape> input_shapes)
    : program_(std::move(program)), input_shapes_(std::move(input_shapes)) {
  check(program_ != nullptr, "Session: no program");
  const Model& model = program_->model();
  const std::vector<std::vector<Shape>> shapes = infer_shapes(model, input_shapes_);
  values_.resize(model.modules.size());
  for (size_t i = 0; i < model.modules.size(); ++i) {
    std::vector<Shape> in;
    for (const Wire& w : model.modules[i].inputs) in.push_back(shapes[w.module][w.port]);
    prepare_module(static_cast<int>(i), in, shapes[i]);
  }
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

void Session::prepare_module(int index, std::span<const Shape> inputs, const std::vector<Shape>& outputs) {
  const Module& module = program_->model().modules[index];
  Step step;
  step.module = index;
  step.quantizes_input = quantizes(module);
  const bool codes = runs_quantized(program_->model(), index);
  if (step.quantizes_input || codes) {
    const std::vector<Shape> in = step.quantizes_input ? outputs : std::vector<Shape>(inputs.begin(), inputs.end());
    Lowered lowered = lower(program_->model(), index, in);
    for (LoweredStep& l : lowered.steps) {
      std::vector<Wire> wires;
      if (!step.quantizes_input)
        for (const int i : l.inputs) wires.push_back(module.inputs[i]);
      step.runs.push_back(
          {make_or_fall_back(l, program_->engine(module.path), module.path).kernel, std::move(wires), l.output_offset});
    }
    values_[index] = {Tensor(outputs[0], code_dtype(*module.out_q[0])).with(*module.out_q[0])};
  }
  steps_.push_back(std::move(step));
}

std::span<const Tensor> Session::run(std::span<const Tensor> inputs) {
  const Model& model = program_->model();
  check(inputs.size() == input_shapes_.size(), "Session: ", inputs.size(), " inputs given, the model has ", input_shapes_.size());
  outputs_.clear();  // lets go of the buffers handed out last time
  size_t next_input = 0;
  for (const Step& step : steps_) {
    const Module& module = model.modules[step.module];
    std::vector<Tensor>& out = values_[step.module];
    if (is_input(module)) {
      const Tensor& x = inputs[next_input];
      check(x.shape() == input_shapes_[next_input], module.path, ": expected shape ", to_string(input_shapes_[next_input]),
            ", got ", to_string(x.shape()));
      ++next_input;
      if (!step.quantizes_input || x.qparams() == module.out_q[0]) {
        if (x.qparams()) check_codes(x, module.path);
        out = {x};
      } else {
        const Tensor floats = x.qparams() ? dequantize(x) : x;  // codes of another meaning
        check(floats.dtype() == DType::f32, module.path, ": expected f32, got ", to_string(x.dtype()));
        const void* in[] = {floats.raw()};
        if (x.numel() > 0) step.runs[0].kernel->run(in, out[0].mutable_raw());
      }
      continue;
    }
    if (step.runs.empty()) {
      std::vector<Tensor> in;
      for (const Wire& w : module.inputs) in.push_back(values_[w.module][w.port]);
      out = infer_module(model, step.module, in);
      continue;
    }
    if (out[0].numel() == 0) continue;
    auto* to = static_cast<std::byte*>(out[0].mutable_raw());
    for (const Step::Run& run : step.runs) {
      const void* in[8];
      check(run.inputs.size() <= std::size(in), module.path, ": ", run.inputs.size(), " inputs for one kernel");
      for (size_t i = 0; i < run.inputs.size(); ++i) in[i] = values_[run.inputs[i].module][run.inputs[i].port].raw();
      run.kernel->run({in, run.inputs.size()}, to + run.output_offset);
    }
  }
  for (const Wire& w : model.output_wires()) outputs_.push_back(values_[w.module][w.port]);
  return outputs_;
}

Tensor run_batched(const std::shared_ptr<const Program>& program, const Tensor& inputs, int64_t batch) {
  check(batch > 0, "run_batched: batch must be positive, got ", batch);
  check(inputs.rank() > 0 && inputs.size(0) > 0, "run_batched: no rows in ", to_string(inputs.shape()));
  std::vector<Tensor> parts;
  std::unique_ptr<Session> session;
  int64_t prepared = 0;
  for (int64_t begin = 0; begin < inputs.size(0); begin += batch) {
    const Tensor x = rows(inputs, begin, std::min(begin + batch, inputs.size(0)));
    if (x.size(0) != prepared) session = std::make_unique<Session>(program, std::vector<Shape>{x.shape()});
    prepared = x.size(0);
    parts.push_back(dequantize(session->run({&x, 1})[0]));
  }
  return concat(parts, 0);
}

}  // namespace octet
