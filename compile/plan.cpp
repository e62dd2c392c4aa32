// SPDX-License-Identifier: Apache-2.0
// Planning: kernels for modules of codes and of floats; values that may share memory are merged into blocks (copies, in-place
// kernels, parts of a concatenation), and the blocks are laid out in the arena.
#include "compile/plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "compile/memory_planner.h"
#include "engine/graph.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

/// A kernel of this engine, or of the reference engine and why.
Made make_or_fall_back(const KernelArgs& args, const std::shared_ptr<const Blobs>& blobs, QEngine engine, std::string_view path) {
  Made made = make(args, blobs, engine);
  if (made.kernel == nullptr) {
    std::string why = std::move(made.why_not);
    made = make(args, blobs, QEngine::reference);
    made.why_not = std::move(why);
  }
  check(made.kernel != nullptr, path, ": the reference engine declines: ", made.why_not);
  return made;
}

/// What a run is, whatever it computes on; `why_not`: of a module of codes.
struct Described {
  std::string_view name;
  int64_t output_bytes, macs;
  bool floats;
  Made made;
};

Described describe(const LoweredCall& call, QEngine engine, std::string_view path) {
  return {name_of(call.args), output_bytes(call.args), macs(call.args), false,
          make_or_fall_back(call.args, call.blobs, engine, path)};
}

Described describe(const FloatCall& call, QEngine engine, std::string_view path) {
  if (const auto* args = std::get_if<FloatArgs>(&call.args))
    return {name_of(*args), output_bytes(*args), macs(*args), true, {make(*args, call.blobs), {}}};
  const auto& args = std::get<KernelArgs>(call.args);
  return {name_of(args), output_bytes(args), 0, false, {make_or_fall_back(args, call.blobs, engine, path).kernel, {}}};
}

bool has_doubles(const Model& model) {
  return std::ranges::any_of(model.modules, [](const Module& m) {
    return std::ranges::any_of(m.params, [](const auto& p) { return p.second.dtype() == DType::f64; });
  });
}

class PlanMaker {
 public:
  PlanMaker(const Program& program, std::span<const Shape> inputs, int threads, const std::vector<ModuleTables>& tables)
      : program_(program), model_(program.model()), shapes_(infer_shapes(model_, inputs)), doubles_(has_doubles(model_)) {
    plan_.threads = threads;
    plan_.tables = tables;
    plan_.tables.resize(model_.modules.size());
  }

  Plan make() {
    list_values();
    const ThreadsScope scope(plan_.threads);
    for (size_t i = 0; i < model_.modules.size(); ++i) plan_module(static_cast<int>(i));
    place_outputs();
    lay_out();
    forget_tensors();
    return std::move(plan_);
  }

 private:
  int index(const Wire& w) const { return plan_.steps[static_cast<size_t>(w.module)].first_value + w.port; }
  const Shape& shape(const Wire& w) const { return shapes_[static_cast<size_t>(w.module)][static_cast<size_t>(w.port)]; }

  void list_values() {
    const Graph graph(model_);
    for (int i = 0; i < graph.end(); ++i) {
      const Module& module = model_.modules[static_cast<size_t>(i)];
      plan_.steps.emplace_back().first_value = static_cast<int>(plan_.values.size());
      for (size_t port = 0; port < shapes_[static_cast<size_t>(i)].size(); ++port) {
        Plan::Value v;
        v.shape = shapes_[static_cast<size_t>(i)][port];
        if (port < module.out_q.size()) v.qparams = module.out_q[port];
        if (v.qparams) v.dtype = code_dtype(*v.qparams);
        v.bytes = numel(v.shape) * static_cast<int64_t>(size_of(v.dtype));
        memory_.add(v.bytes, graph.last({i, static_cast<int>(port)}));
        plan_.values.push_back(std::move(v));
      }
    }
    for (const Wire& w : model_.output_wires()) plan_.outputs.push_back(index(w));
  }

  void plan_module(int i) {
    const Module& module = model_.modules[static_cast<size_t>(i)];
    Plan::Step& step = plan_.steps[static_cast<size_t>(i)];
    ModuleTables& tables = plan_.tables[static_cast<size_t>(i)];
    if (std::holds_alternative<Input>(module.op)) return plan_input(i, step);
    std::vector<Shape> in;
    for (const Wire& w : module.inputs) in.push_back(shape(w));
    if (runs_quantized(model_, i)) {
      if (tables.empty()) tables = lower_tables(model_, i);
      return plan_runs(i, step, lower(model_, i, in, tables));
    }
    if (doubles_ || !runs_in_float_kernels(model_, i)) return;
    if (tables.empty()) tables = float_tables(i);
    if (const std::optional<LoweredFloats> lowered = lower_floats(model_, i, in, tables))
      plan_runs(i, step, *lowered);
    else
      tables.clear();  // its weights stay with the model
  }

  /// Calls of one module share what its weights are packed into.
  ModuleTables float_tables(int i) const {
    const Module& module = model_.modules[static_cast<size_t>(i)];
    const int owner = module.tied_to.empty() ? i : model_.index(module.tied_to);
    const bool shares = owner != i && !runs_quantized(model_, owner) && runs_in_float_kernels(model_, owner);
    return shares ? plan_.tables[static_cast<size_t>(owner)] : lower_float_tables(model_, i);
  }

  void plan_input(int i, Plan::Step& step) {
    const Module& module = model_.modules[static_cast<size_t>(i)];
    step.how = Plan::How::input;
    const int number = inputs_++;
    if (module.out_q.empty() || !module.out_q[0]) {
      if (doubles_ || !module.hooks.empty()) return;
      memory_.open_given(step.first_value, i);
      input_of_[static_cast<int>(memory_.blocks.size()) - 1] = number;
      return;
    }
    const Lowered lowered = lower(model_, i, shapes_[static_cast<size_t>(i)], {});
    for (const LoweredCall& call : lowered.calls) step.runs.push_back(run(i, call, 0));
    memory_.open(step.first_value, i);
  }

  /// Of a LoweredCall or a FloatCall in `lowered`.
  template <class AnyLowered>
  void plan_runs(int i, Plan::Step& step, const AnyLowered& lowered) {
    step.how = Plan::How::kernels;
    if (aliases(i, lowered)) {
      step.how = Plan::How::alias;
      return;
    }
    const int first_temporary = static_cast<int>(memory_.values.size());
    for (const int64_t bytes : lowered.temporaries) {
      Plan::Value& v = plan_.values.emplace_back();
      v.shape = {bytes}, v.dtype = DType::u8, v.bytes = bytes;
      memory_.open(memory_.add(bytes, i), i);
    }
    for (const auto& call : lowered.calls) step.runs.push_back(run(i, call, first_temporary));
    open(i, step, lowered.temporaries.empty());
    take_parts(step, lowered);
    if (step.runs.empty()) step.how = Plan::How::alias;
  }

  Plan::Place place(int i, const Operand& o, int first_temporary) const {
    const Module& module = model_.modules[static_cast<size_t>(i)];
    switch (o.of) {
      case Operand::Of::input: return {index(module.inputs[static_cast<size_t>(o.index)]), o.offset};
      case Operand::Of::output: return {plan_.steps[static_cast<size_t>(i)].first_value + o.index, o.offset};
      case Operand::Of::temporary: return {first_temporary + o.index, o.offset};
    }
    fail(module.path, ": an operand of no kind");
  }

  template <class AnyCall>
  Plan::Run run(int i, const AnyCall& call, int first_temporary) {
    const Module& module = model_.modules[static_cast<size_t>(i)];
    Plan::Run run;
    Described told = describe(call, program_.engine(module.path), module.path);
    run.name = told.name, run.output_bytes = told.output_bytes, run.macs = told.macs, run.floats = told.floats;
    run.kernel = std::move(told.made.kernel), run.why = std::move(told.made.why_not);
    plan_.memory.scratch = std::max(plan_.memory.scratch, run.kernel->scratch_bytes());
    if (!module.inputs.empty())  // an input's run reads what the caller gives
      for (const Operand& o : call.inputs) run.inputs.push_back(place(i, o, first_temporary));
    for (const Operand& o : call.outputs) run.outputs.push_back(place(i, o, first_temporary));
    check(std::max(run.inputs.size(), run.outputs.size()) <= Plan::kMostOperands, module.path, ": ", run.inputs.size(),
          " inputs and ", run.outputs.size(), " outputs of one kernel");
    return run;
  }

  /// Whether every output is a piece of an input, uninterrupted and unchanged: then it is that memory.
  template <class AnyLowered>
  bool aliases(int i, const AnyLowered& lowered) {
    const Module& module = model_.modules[static_cast<size_t>(i)];
    const int first = plan_.steps[static_cast<size_t>(i)].first_value;
    if (lowered.calls.size() != shapes_[static_cast<size_t>(i)].size()) return false;
    for (const auto& call : lowered.calls) {
      if (call.inputs.empty()) return false;
      const Operand &from = call.inputs[0], &to = call.outputs[0];
      if (from.of != Operand::Of::input || to.of != Operand::Of::output || to.offset != 0) return false;
      const int64_t bytes = plan_.values[static_cast<size_t>(first + to.index)].bytes;
      if (copied_bytes(call) != bytes || bytes == 0) return false;
      if (memory_.values[static_cast<size_t>(index(module.inputs[static_cast<size_t>(from.index)]))].block < 0) return false;
    }
    for (const auto& call : lowered.calls)
      memory_.join(first + call.outputs[0].index, index(module.inputs[static_cast<size_t>(call.inputs[0].index)]),
                   call.inputs[0].offset);
    return true;
  }

  /// Memory for a module's outputs: an input's, if its only kernel may write onto it.
  void open(int i, const Plan::Step& step, bool no_temporaries) {
    const size_t ports = shapes_[static_cast<size_t>(i)].size();
    if (step.runs.size() != 1 || ports != 1 || step.runs[0].inputs.empty() || !no_temporaries) {
      for (size_t port = 0; port < ports; ++port) memory_.open(step.first_value + static_cast<int>(port), i);
      return;
    }
    const Plan::Run& run = step.runs[0];
    std::vector<int> inputs;
    uint8_t overwrites = 0;
    for (size_t k = 0; k < run.inputs.size(); ++k) {
      inputs.push_back(run.inputs[k].value);
      if (run.inputs[k].offset == 0 && run.kernel->may_overwrite(k)) overwrites |= static_cast<uint8_t>(1U << k);
    }
    memory_.open_or_overwrite(step.first_value, {inputs, overwrites, run.output_bytes, i});
  }

  /// Inputs that a concatenation would copy unchanged move into its block, where they are computed in place.
  template <class AnyLowered>
  void take_parts(Plan::Step& step, const AnyLowered& lowered) {
    std::vector<Plan::Run> left;
    for (size_t k = 0; k < lowered.calls.size(); ++k) {
      Plan::Run& run = step.runs[k];
      const int64_t copied = copied_bytes(lowered.calls[k]);
      if (copied == 0) {  // it does something else, were it with nothing; it may read nothing
        left.push_back(std::move(run));
        continue;
      }
      const Plan::Place &from = run.inputs[0], &to = run.outputs[0];
      const bool whole = from.offset == 0 && copied == plan_.values[static_cast<size_t>(from.value)].bytes;
      if (!whole || run.outputs.size() != 1 || !memory_.absorb(from.value, to.value, to.offset, 1)) left.push_back(std::move(run));
    }
    step.runs = std::move(left);
  }

  /// A block that one output fills is that output's tensor.
  void place_outputs() {
    for (size_t o = 0; o < plan_.outputs.size(); ++o) {
      const int v = plan_.outputs[o];
      if (!memory_.fills(v)) continue;
      MemoryPlanner::Block& block = memory_.blocks[static_cast<size_t>(memory_.values[static_cast<size_t>(v)].block)];
      if (block.apart) continue;
      block.apart = true;
      output_of_[memory_.values[static_cast<size_t>(v)].block] = static_cast<int>(o);
      plan_.memory.outputs += plan_.values[static_cast<size_t>(v)].bytes;
    }
  }

  void lay_out() {
    constexpr int64_t kSearchNodes = 200'000;
    const ArenaPlan arena = memory_.lay_out({}, kArenaAlignment, kSearchNodes);
    for (size_t v = 0; v < plan_.values.size(); ++v) {
      const MemoryPlanner::Value& placed = memory_.values[v];
      plan_.values[v].last = placed.last, plan_.values[v].block = placed.block, plan_.values[v].offset = placed.offset;
    }
    for (size_t b = 0; b < memory_.blocks.size(); ++b) {
      const MemoryPlanner::Block& block = memory_.blocks[b];
      const auto output = output_of_.find(static_cast<int>(b));
      const auto input = input_of_.find(static_cast<int>(b));
      plan_.blocks.push_back({block.bytes, block.first, block.last, output == output_of_.end() ? -1 : output->second,
                              input == input_of_.end() ? -1 : input->second, block.offset});
    }
    MemoryReport& m = plan_.memory;
    m.arena = arena.bytes, m.lower_bound = arena.lower_bound, m.optimal = arena.optimal;
    for (const Plan::Value& v : plan_.values)
      if (v.block >= 0 && !memory_.blocks[static_cast<size_t>(v.block)].given) m.values += v.bytes;
  }

  void forget_tensors() {
    for (size_t v = 0; v < plan_.values.size(); ++v) {
      const Plan::Value& own = plan_.values[v];
      if (own.block < 0 && own.last >= 0 && own.last < static_cast<int>(plan_.steps.size()))
        plan_.steps[static_cast<size_t>(own.last)].forgets.push_back(static_cast<int>(v));
    }
  }

  const Program& program_;
  const Model& model_;
  std::vector<std::vector<Shape>> shapes_;
  bool doubles_;                             // no float kernel computes
  MemoryPlanner memory_;                     // its values are the plan's
  int inputs_ = 0;                           // so far
  std::map<int, int> output_of_, input_of_;  // by block
  Plan plan_;
};

}  // namespace

std::shared_ptr<const Plan> make_plan(const Program& program, std::span<const Shape> inputs, int threads,
                                      const std::vector<ModuleTables>& tables) {
  return std::make_shared<const Plan>(PlanMaker(program, inputs, threads, tables).make());
}

void count_weights(const Model& model, const Plan& plan, MemoryReport& memory) {
  memory.parameters = parameter_bytes(model);
  memory.packed = 0;
  const auto bytes = [](const auto& v) { return static_cast<int64_t>(v.size() * sizeof(v[0])); };
  std::set<const Blobs*> counted;    // calls of one module may share theirs
  std::set<const void*> parameters;  // elements that the model holds
  for (const Module& module : model.modules)
    for (const auto& [name, tensor] : module.params) parameters.insert(tensor.raw());
  for (const ModuleTables& tables : plan.tables)
    for (const auto& table : tables) {
      if (!counted.insert(table.get()).second) continue;
      memory.packed += table->weight.packed_bytes() + table->floats.packed_bytes() + bytes(table->scale) + bytes(table->bias) +
                       bytes(table->bias_codes) + bytes(table->multiplier) + bytes(table->shift) + bytes(table->weight_zero_point);
      table->weight.if_plain([&](const void* plain, int64_t size) { memory.packed += parameters.contains(plain) ? 0 : size; });
      table->floats.if_plain([&](const void* plain, int64_t size) { memory.packed += parameters.contains(plain) ? 0 : size; });
    }
}

std::vector<Placement> placements(const Model& model, const Plan& plan) {
  std::vector<Placement> rows;
  for (size_t i = 0; i < model.modules.size(); ++i) {
    const Module& module = model.modules[i];
    const Plan::Step& step = plan.steps[i];
    Placement row{module.path, std::string(name_of(module.op)), "tensors", {}, false, {}, 0};
    row.floats = step.how == Plan::How::floats;
    if (step.how == Plan::How::input) row.implementation = "same memory";
    if (step.how == Plan::How::alias) row.implementation = "same memory";
    const bool floats = std::ranges::any_of(step.runs, &Plan::Run::floats);
    for (const Plan::Run& run : step.runs) {
      row.macs += run.macs;
      if (run.floats != floats) continue;  // a conversion before or behind a float kernel
      row.implementation = std::string(run.kernel->implementation()) + " " + std::string(run.name);
      row.engine = run.kernel->engine();
      row.floats = floats;
      row.why = run.why;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace octet
