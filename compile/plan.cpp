// SPDX-License-Identifier: Apache-2.0
// Planning: kernels for integer modules; values that may share memory are merged into blocks (copies, in-place kernels, parts of a
// concatenation), and the blocks are laid out in the arena.
#include "compile/plan.h"

#include <algorithm>

#include "compile/arena_plan.h"
#include "engine/graph.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

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

/// The bytes of the input under another name: reshape, identity, dropout.
bool is_plain_copy(const Lowered& lowered) {
  if (lowered.steps.size() != 1 || lowered.steps[0].output_offset != 0) return false;
  const auto* t = std::get_if<kernels::TransposeArgs>(&lowered.steps[0].args);
  return t != nullptr && t->rank == 1 && t->input_stride[0] == 1;
}

/// Whether a concatenation's kernel writes one run of bytes, the ones it reads.
bool is_contiguous_copy(const LoweredStep& step) {
  const auto* r = std::get_if<kernels::RequantizeArgs>(&step.args);
  return r != nullptr && r->copy == 1 && (r->rows == 1 || r->row == r->output_stride);
}

class Planner {
 public:
  Planner(const Program& program, std::span<const Shape> inputs, int threads, const Tables& tables)
      : program_(program), model_(program.model()), shapes_(infer_shapes(model_, inputs)) {
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
  Plan::Value& value(const Wire& w) { return plan_.values[static_cast<size_t>(index(w))]; }
  int index(const Wire& w) const { return plan_.steps[static_cast<size_t>(w.module)].first_value + w.port; }

  void list_values() {
    const Graph graph(model_);
    for (int i = 0; i < graph.end(); ++i) {
      const Module& module = model_.modules[static_cast<size_t>(i)];
      plan_.steps.emplace_back().first_value = static_cast<int>(plan_.values.size());
      for (size_t port = 0; port < shapes_[static_cast<size_t>(i)].size(); ++port) {
        Plan::Value v;
        v.shape = shapes_[static_cast<size_t>(i)][port];
        if (port < module.out_q.size()) v.qparams = module.out_q[port];
        v.bytes = numel(v.shape);
        v.last = graph.last({i, static_cast<int>(port)});
        plan_.values.push_back(std::move(v));
      }
    }
    for (const Wire& w : model_.output_wires()) plan_.outputs.push_back(index(w));
  }

  void plan_module(int i) {
    const Module& module = model_.modules[static_cast<size_t>(i)];
    Plan::Step& step = plan_.steps[static_cast<size_t>(i)];
    const bool input = std::holds_alternative<Input>(module.op);
    const bool codes = input ? !module.out_q.empty() && module.out_q[0] : runs_quantized(model_, i);
    step.how = input ? Plan::How::input : codes ? Plan::How::kernels : Plan::How::floats;
    if (!codes) return;
    std::vector<Shape> in;
    for (const Wire& w : module.inputs) in.push_back(value(w).shape);
    if (input) in = shapes_[static_cast<size_t>(i)];
    Lowered lowered = lower(model_, i, in);
    std::vector<std::shared_ptr<const Blobs>>& own = plan_.tables[static_cast<size_t>(i)];
    if (own.empty())
      for (const LoweredStep& l : lowered.steps) own.push_back(l.blobs);
    for (size_t k = 0; k < lowered.steps.size(); ++k) lowered.steps[k].blobs = own[k];

    if (!input && is_plain_copy(lowered) && value(module.inputs[0]).block >= 0) {
      join(step.first_value, index(module.inputs[0]));
      step.how = Plan::How::alias;
      return;
    }
    for (LoweredStep& l : lowered.steps) {
      Plan::Run run;
      run.name = name_of(l.args), run.output_offset = l.output_offset, run.output_bytes = output_bytes(l.args),
      run.macs = macs(l.args);
      Made made = make_or_fall_back(l, program_.engine(module.path), module.path);
      run.kernel = std::move(made.kernel), run.why = std::move(made.why_not);
      plan_.memory.scratch = std::max(plan_.memory.scratch, run.kernel->scratch_bytes());
      if (!input)
        for (const int k : l.inputs) run.inputs.push_back(index(module.inputs[static_cast<size_t>(k)]));
      check(run.inputs.size() <= Plan::kMaxInputs, module.path, ": ", run.inputs.size(), " inputs for one kernel");
      step.runs.push_back(std::move(run));
    }
    if (step.runs.size() == 1)
      for (size_t k = 0; k < step.runs[0].inputs.size(); ++k)
        if (may_overwrite(i, step, k)) return join(step.first_value, step.runs[0].inputs[k]);
    open_block(step.first_value, i);
    take_parts(step, lowered);
  }

  void open_block(int v, int i) {
    Plan::Value& own = plan_.values[static_cast<size_t>(v)];
    own.block = static_cast<int>(plan_.blocks.size());
    plan_.blocks.push_back({.bytes = own.bytes, .first = i, .last = std::max(i, own.last)});
  }

  void extend(int block, int i) {
    int& last = plan_.blocks[static_cast<size_t>(block)].last;
    last = std::max(last, i);
  }

  /// Value v lies on the memory of value `on`.
  void join(int v, int on) {
    Plan::Value& own = plan_.values[static_cast<size_t>(v)];
    own.block = plan_.values[static_cast<size_t>(on)].block;
    own.offset = plan_.values[static_cast<size_t>(on)].offset;
    extend(own.block, own.last);
  }

  bool overlap(const Plan::Value& a, const Plan::Value& b) const {
    return a.block >= 0 && a.block == b.block && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
  }

  /// Whether step i may write its output onto input k: the kernel allows it, and nobody needs the old bytes any more.
  bool may_overwrite(int i, const Plan::Step& step, size_t k) const {
    const Plan::Run& run = step.runs[0];
    const Plan::Value& in = plan_.values[static_cast<size_t>(run.inputs[k])];
    const Plan::Value& out = plan_.values[static_cast<size_t>(step.first_value)];
    if (!run.kernel->may_overwrite(k) || in.block < 0 || in.bytes != out.bytes || run.output_bytes != out.bytes) return false;
    for (const Plan::Value& other : plan_.values)
      if (overlap(in, other) && other.last > i) return false;
    for (size_t j = 0; j < run.inputs.size(); ++j) {
      const Plan::Value& other = plan_.values[static_cast<size_t>(run.inputs[j])];
      if (overlap(in, other) && !(run.kernel->may_overwrite(j) && other.offset == in.offset)) return false;
    }
    return true;
  }

  /// Inputs that a concatenation would copy unchanged move into its block, where they are computed in place.
  void take_parts(Plan::Step& step, const Lowered& lowered) {
    const int whole = plan_.values[static_cast<size_t>(step.first_value)].block;
    std::vector<Plan::Run> left;
    for (size_t k = 0; k < lowered.steps.size(); ++k) {
      Plan::Run& run = step.runs[k];
      const int part = run.inputs.empty() ? -1 : plan_.values[static_cast<size_t>(run.inputs[0])].block;
      if (is_contiguous_copy(lowered.steps[k]) && part >= 0 && part != whole && covers(run.inputs[0], part))
        absorb(part, whole, run.output_offset);
      else
        left.push_back(std::move(run));
    }
    if (left.empty()) step.how = Plan::How::alias;
    step.runs = std::move(left);
  }

  bool covers(int v, int block) const {
    const Plan::Value& own = plan_.values[static_cast<size_t>(v)];
    return own.offset == 0 && own.bytes == plan_.blocks[static_cast<size_t>(block)].bytes;
  }

  void absorb(int part, int whole, int64_t offset) {
    for (Plan::Value& v : plan_.values)
      if (v.block == part) v.block = whole, v.offset += offset;
    Plan::Block &from = plan_.blocks[static_cast<size_t>(part)], &to = plan_.blocks[static_cast<size_t>(whole)];
    to.first = std::min(to.first, from.first), to.last = std::max(to.last, from.last);
    from.bytes = 0;
  }

  /// A block that one output fills is that output's tensor.
  void place_outputs() {
    for (size_t o = 0; o < plan_.outputs.size(); ++o) {
      const int v = plan_.outputs[o], block = plan_.values[static_cast<size_t>(v)].block;
      if (block < 0 || !covers(v, block) || plan_.blocks[static_cast<size_t>(block)].output >= 0) continue;
      plan_.blocks[static_cast<size_t>(block)].output = static_cast<int>(o);
      plan_.memory.outputs += plan_.values[static_cast<size_t>(v)].bytes;
    }
  }

  void lay_out() {
    std::vector<Lifetime> lifetimes;
    std::vector<size_t> planned;
    for (size_t b = 0; b < plan_.blocks.size(); ++b) {
      const Plan::Block& block = plan_.blocks[b];
      if (block.output >= 0 || block.bytes == 0) continue;
      planned.push_back(b);
      lifetimes.push_back({block.bytes, block.first, block.last});
    }
    const ArenaPlan arena = plan_arena(lifetimes, kArenaAlignment);
    for (size_t k = 0; k < planned.size(); ++k) plan_.blocks[planned[k]].offset = arena.offsets[k];
    MemoryReport& m = plan_.memory;
    m.arena = arena.bytes, m.lower_bound = arena.lower_bound, m.optimal = arena.optimal;
    m.parameters = parameter_bytes(model_);
    for (const Plan::Value& v : plan_.values)
      if (v.block >= 0) m.values += v.bytes;
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
  Plan plan_;
};

}  // namespace

std::shared_ptr<const Plan> make_plan(const Program& program, std::span<const Shape> inputs, int threads, const Tables& tables) {
  return std::make_shared<const Plan>(Planner(program, inputs, threads, tables).make());
}

std::vector<Placement> placements(const Model& model, const Plan& plan) {
  std::vector<Placement> rows;
  for (size_t i = 0; i < model.modules.size(); ++i) {
    const Module& module = model.modules[i];
    const Plan::Step& step = plan.steps[i];
    Placement row{module.path, std::string(name_of(module.op)), "float", {}, {}, 0};
    if (step.how == Plan::How::alias) row.implementation = "same memory";
    for (const Plan::Run& run : step.runs) {
      row.implementation = std::string(run.kernel->implementation()) + " " + std::string(run.name);
      row.engine = run.kernel->engine();
      row.why = run.why;
      row.macs += run.macs;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace octet
