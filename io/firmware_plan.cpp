// SPDX-License-Identifier: Apache-2.0
// From a model to steps and values: every module is lowered, and what is only a piece of an input, or would only be copied into a
// concatenation, takes no step.
#include "io/firmware_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "compile/memory_planner.h"
#include "engine/module_check.h"
#include "engine/ops/functional.h"
#include "io/firmware_limits.h"
#include "io/image.h"
#include "kernels/float_scope.h"
#include "kernels/kernel.h"
#include "runtime/image.h"

namespace octet {
namespace {

/// A kernel run on the planner's values, or (without a call) a value that is a piece of another.
struct Item {
  int module = 0;
  LoweredCall call{};
  std::vector<FirmwareOperand> inputs{}, outputs{};
  bool alias = false;
  bool completes = true;
  bool temporary = false;
};

class FirmwarePlanner {
 public:
  FirmwarePlanner(const Model& model, const FirmwareOptions& options) : model_(model), options_(options) {
    plan_.rounding = model.rounding;
    plan_.layer_names = options.layer_names;
  }

  FirmwarePlan run() {
    check(!model_.modules.empty(), "firmware: the model is empty");
    check(model_.rounding != Rounding::int_bias,
          "firmware: rounding int_bias runs on hosts only; a device computes real, fixed_double or fixed_single");
    find_shapes();
    values_of_.resize(model_.modules.size());
    for (size_t i = 0; i < model_.modules.size(); ++i)
      if (std::holds_alternative<Input>(model_.modules[i].op)) add_input(static_cast<int>(i));
    for (const auto& [module, from] : float_inputs_) quantize_input(module, from);
    for (size_t i = 0; i < model_.modules.size(); ++i)
      if (!std::holds_alternative<Input>(model_.modules[i].op)) add_module(static_cast<int>(i));
    add_outputs();
    plan_memory();
    check(plan_.values.size() < 65'000 && plan_.steps.size() < 65'000, "firmware: ", plan_.steps.size(), " steps are too many");
    place();
    return std::move(plan_);
  }

 private:
  const std::string& path(int i) const { return model_.modules[static_cast<size_t>(i)].path; }
  const Shape& shape(int module, int port) const { return shapes_[static_cast<size_t>(module)][static_cast<size_t>(port)]; }
  int value_of(const Wire& w) const { return values_of_[static_cast<size_t>(w.module)][static_cast<size_t>(w.port)]; }
  const QParams& qparams(int module, int port) const {
    return *model_.modules[static_cast<size_t>(module)].out_q[static_cast<size_t>(port)];
  }

  void find_shapes() {
    std::vector<Shape> inputs = options_.input_shapes;
    if (inputs.empty())
      for (const Module& m : model_.modules)
        if (std::holds_alternative<Input>(m.op)) inputs.push_back(m.nominal[0]);
    check(!inputs.empty(), "plan_firmware: the model has no input; a device takes at least one");
    shapes_ = infer_shapes(model_, inputs);
  }

  /// A value of the memory planner; what the image sees of it comes later.
  int add_value(int module, DType dtype, int64_t bytes) {
    check(bytes > 0 && bytes <= INT32_MAX, path(module), ": a tensor of ", bytes, " bytes on a device");
    known_.push_back({module, dtype});
    return memory_.add(bytes, 0);
  }
  int add_value(int module, DType dtype, const Shape& shape) {
    return add_value(module, dtype, numel(shape) * static_cast<int64_t>(size_of(dtype)));
  }

  void add_input(int i) {
    const auto& q = model_.modules[static_cast<size_t>(i)].out_q;
    check(!q.empty() && q[0].has_value(), path(i), ": a float input; a device needs a model quantized from its inputs on");
    const DType dtype = options_.float_inputs ? DType::f32 : code_dtype(*q[0]);
    const int v = add_value(i, dtype, shape(i, 0));
    inputs_.push_back(v);
    if (options_.float_inputs) {
      float_inputs_.emplace_back(i, v);
      plan_.inputs.push_back({path(i), v, shape(i, 0), dtype, 1, 0});
    } else {
      values_of_[static_cast<size_t>(i)] = {v};
      plan_.inputs.push_back({path(i), v, shape(i, 0), dtype, q[0]->scale[0], q[0]->zero_point[0]});
    }
  }

  void quantize_input(int i, int from) {
    const int v = add_value(i, code_dtype(qparams(i, 0)), shape(i, 0));
    values_of_[static_cast<size_t>(i)] = {v};
    items_.push_back({i, lower(model_, i, shapes_[static_cast<size_t>(i)]).calls[0], {{from, 0}}, {{v, 0}}});
  }

  void add_module(int i) {
    const Module& module = model_.modules[static_cast<size_t>(i)];
    check(runs_quantized(model_, i), module.path, ": ", name_of(module.op),
          " runs in float; a device needs every module quantized (see Program::placements)");
    std::vector<Shape> in;
    for (const Wire& w : module.inputs) in.push_back(shape(w.module, w.port));
    const Lowered lowered = lower(model_, i, in);
    std::vector<int>& own = values_of_[static_cast<size_t>(i)];
    for (size_t port = 0; port < module.out_q.size(); ++port)
      own.push_back(add_value(i, code_dtype(qparams(i, static_cast<int>(port))), shape(i, static_cast<int>(port))));
    std::vector<int> temporaries;
    for (const int64_t bytes : lowered.temporaries) temporaries.push_back(add_value(i, DType::u8, bytes));
    const auto place = [&](const Operand& o) -> FirmwareOperand {
      switch (o.of) {
        case Operand::Of::input: return {value_of(module.inputs[static_cast<size_t>(o.index)]), o.offset};
        case Operand::Of::output: return {own[static_cast<size_t>(o.index)], o.offset};
        case Operand::Of::temporary: return {temporaries[static_cast<size_t>(o.index)], o.offset};
      }
      fail(module.path, ": an operand of no kind");
    };
    for (const LoweredCall& call : lowered.calls) {
      check(std::max(call.inputs.size(), call.outputs.size()) <= image::kMostOperands, module.path, ": a kernel with ",
            call.inputs.size(), " inputs and ", call.outputs.size(), " outputs; a device takes ", image::kMostOperands);
      Item item{.module = i, .call = call, .completes = writes_last(lowered, call)};
      item.temporary = std::ranges::all_of(call.outputs, [](const Operand& o) { return o.of == Operand::Of::temporary; });
      for (const Operand& o : call.inputs) item.inputs.push_back(place(o));
      for (const Operand& o : call.outputs) item.outputs.push_back(place(o));
      item.alias = is_piece(item);
      items_.push_back(std::move(item));
    }
  }

  /// Whether no later run writes what this one does.
  static bool writes_last(const Lowered& lowered, const LoweredCall& call) {
    for (const LoweredCall* later = &call + 1; later <= &lowered.calls.back(); ++later)
      for (const Operand& a : call.outputs)
        for (const Operand& b : later->outputs)
          if (a.of == b.of && a.index == b.index) return false;
    return true;
  }

  /// Whether the output is a piece of the input, uninterrupted and unchanged, at a place where a value may lie.
  bool is_piece(const Item& item) const {
    if (item.inputs.empty()) return false;
    const FirmwareOperand &from = item.inputs[0], &to = item.outputs[0];
    return to.offset == 0 && from.offset % image::kAlignment == 0 && copied_bytes(item.call) > 0 &&
           copied_bytes(item.call) == memory_.values[static_cast<size_t>(to.value)].bytes;
  }

  void add_outputs() {
    for (const Wire& w : model_.output_wires()) {
      const QParams& q = qparams(w.module, w.port);
      FirmwarePort port{path(w.module), value_of(w), shape(w.module, w.port), code_dtype(q), q.scale[0], q.zero_point[0]};
      if (options_.float_outputs) {
        const kernels::DequantizeArgs a = dequantize_args(numel(port.shape), q);
        const int v = add_value(w.module, DType::f32, port.shape);
        items_.push_back({w.module, {a}, {{port.value, 0}}, {{v, 0}}});
        port = {port.path, v, port.shape, DType::f32, 1, 0};
      }
      plan_.outputs.push_back(std::move(port));
    }
  }

  /// The value's number in the image, given when it is first there.
  int number(int v) {
    int& n = numbers_[static_cast<size_t>(v)];
    if (n >= 0) return n;
    n = static_cast<int>(plan_.values.size());
    const auto& [module, dtype] = known_[static_cast<size_t>(v)];
    plan_.values.push_back({path(module), dtype, memory_.values[static_cast<size_t>(v)].bytes});
    planned_.push_back(v);
    return n;
  }

  /// Blocks for all values and steps for the items that are left. Time 0 is before the first item: inputs are there.
  void plan_memory() {
    numbers_.assign(memory_.values.size(), -1);
    for (size_t t = 0; t < items_.size(); ++t)
      for (const auto* operands : {&items_[t].inputs, &items_[t].outputs})
        for (const FirmwareOperand& o : *operands) memory_.values[static_cast<size_t>(o.value)].last = static_cast<int>(t) + 1;
    for (const FirmwarePort& p : plan_.outputs)
      memory_.values[static_cast<size_t>(p.value)].last = static_cast<int>(items_.size()) + 1;
    for (const int v : inputs_) memory_.open(v, 0), number(v);
    for (size_t t = 0; t < items_.size(); ++t) {
      Item& item = items_[t];
      const FirmwareOperand &to = item.outputs[0], &from = item.inputs.empty() ? to : item.inputs[0];
      if (item.alias) {
        memory_.join(to.value, from.value, from.offset);
        const bool whole =
            memory_.values[static_cast<size_t>(to.value)].bytes == memory_.values[static_cast<size_t>(from.value)].bytes;
        if (whole)
          numbers_[static_cast<size_t>(to.value)] = number(from.value);
        else
          plan_.values[static_cast<size_t>(number(to.value))].of = number(from.value);
        continue;
      }
      const bool fresh = memory_.values[static_cast<size_t>(to.value)].block < 0;
      const bool taken = fresh && open(item, static_cast<int>(t) + 1);
      const int64_t copied = item.inputs.empty() ? 0 : copied_bytes(item.call);
      const bool copies_whole = copied > 0 && from.offset == 0 && copied == memory_.values[static_cast<size_t>(from.value)].bytes;
      const bool elided =
          copies_whole && !read_by_others(item) && memory_.absorb(from.value, to.value, to.offset, image::kAlignment);
      for (const FirmwareOperand& o : item.outputs) number(o.value);
      if (elided)
        part_of_[number(to.value)] = number(from.value);
      else
        add_step(item, taken, static_cast<int>(t) + 1);
    }
    // Elided copies complete nothing: the last step that is left for a value does.
    std::set<int> completed;
    for (size_t s = plan_.steps.size(); s-- > 0;) {
      FirmwareStep& step = plan_.steps[s];
      if (step.outputs.size() == 1) step.completes = completed.insert(step.outputs[0].value).second;
      for (const FirmwareOperand& o : step.outputs) part_of_.erase(o.value);
    }
    for (const auto& [whole, part] : part_of_) plan_.values[static_cast<size_t>(whole)].of = part;
    for (FirmwarePort& p : plan_.inputs) p.value = number(p.value);
    for (FirmwarePort& p : plan_.outputs) p.value = number(p.value);
  }

  /// Whether another run that writes to this copy's output would read, were the copied value a part of it, what it writes onto: a
  /// device counts all from where a run writes to the value's end.
  bool read_by_others(const Item& copy) const {
    const int part = copy.inputs[0].value, whole = copy.outputs[0].value;
    const auto at = [&](int v) -> const MemoryPlanner::Value& { return memory_.values[static_cast<size_t>(v)]; };
    for (const Item& item : items_) {
      if (&item == &copy || item.outputs[0].value != whole) continue;
      for (const FirmwareOperand& o : item.inputs) {
        if (o.value == whole || at(o.value).block < 0 || at(o.value).block != at(part).block) continue;
        const int64_t begin = copy.outputs[0].offset + at(o.value).offset - at(part).offset;
        if (begin + at(o.value).bytes > item.outputs[0].offset) return true;
      }
    }
    return false;
  }

  /// Memory for what the item writes; whether it took over an input's.
  bool open(const Item& item, int time) {
    std::vector<int> inputs;
    uint8_t overwrites =
        item.outputs.size() == 1 && item.completes && item.outputs[0].offset == 0 ? device_op(item.call.args).overwrites : 0;
    for (size_t k = 0; k < item.inputs.size(); ++k) {
      inputs.push_back(item.inputs[k].value);
      if (item.inputs[k].offset != 0) overwrites &= static_cast<uint8_t>(~(1U << k));
    }
    if (item.outputs.size() == 1)
      return memory_.open_or_overwrite(item.outputs[0].value, {inputs, overwrites, output_bytes(item.call.args), time});
    for (const FirmwareOperand& o : item.outputs)
      if (memory_.values[static_cast<size_t>(o.value)].block < 0) memory_.open(o.value, time);
    return false;
  }

  void add_step(const Item& item, bool in_place, int time) {
    FirmwareStep step;
    step.path = path(item.module);
    step.args = item.call.args;
    step.blobs = item.call.blobs;
    step.completes = item.completes;
    step.temporary = item.temporary;
    step.in_place = in_place;
    for (const FirmwareOperand& o : item.inputs) step.inputs.push_back({number(o.value), o.offset});
    for (const FirmwareOperand& o : item.outputs) step.outputs.push_back({number(o.value), o.offset});
    const Blobs none;
    const Blobs& blobs = step.blobs ? *step.blobs : none;
    KernelNeeds needs = options_.kernels ? options_.kernels(step.args, blobs) : KernelNeeds{};
    if (needs.packed.empty() && needs.scratch_bytes == 0) needs = kernel_needs(options_.target, step.args, blobs);
    const bool packed = std::ranges::any_of(needs.packed, [](const PackedWeights& w) { return w.replaces_plain; });
    check_device_limits(step.args, blobs, packed, step.path);
    step.packed = std::move(needs.packed);
    step.scratch_bytes = needs.scratch_bytes;
    step.why_not = std::move(needs.why_not);
    plan_.steps.push_back(std::move(step));
    times_.push_back(time);
  }

  void place() {
    std::vector<Lifetime> scratch;
    std::vector<size_t> scratch_of(plan_.steps.size(), 0);
    for (size_t s = 0; s < plan_.steps.size(); ++s)
      if (plan_.steps[s].scratch_bytes > 0) {
        scratch_of[s] = scratch.size();
        scratch.push_back({plan_.steps[s].scratch_bytes, times_[s], times_[s]});
      }
    const ArenaPlan arena = memory_.lay_out(scratch, image::kAlignment, options_.search_nodes);
    check(arena.bytes <= INT32_MAX, "firmware: an arena of ", arena.bytes, " bytes");
    plan_.arena_bytes = arena.bytes;
    plan_.lower_bound = arena.lower_bound;
    plan_.optimal = arena.optimal;
    // Steps have no gaps where items were elided.
    const auto step_at = [&](int time, bool end) {
      const auto found = end ? std::ranges::upper_bound(times_, time) - 1 : std::ranges::lower_bound(times_, time);
      return static_cast<int>(found - times_.begin());
    };
    for (const MemoryPlanner::Block& b : memory_.blocks)
      plan_.blocks.push_back(
          {b.bytes, b.offset, b.first == 0 ? -1 : step_at(b.first, false),
           b.last > static_cast<int>(items_.size()) ? static_cast<int>(plan_.steps.size()) : step_at(b.last, true)});
    for (size_t n = 0; n < plan_.values.size(); ++n) {
      const MemoryPlanner::Value& v = memory_.values[static_cast<size_t>(planned_[n])];
      plan_.values[n].block = v.block, plan_.values[n].block_offset = v.offset;
      plan_.values[n].offset = memory_.blocks[static_cast<size_t>(v.block)].offset + v.offset;
    }
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      FirmwareStep& step = plan_.steps[s];
      if (step.scratch_bytes > 0) step.scratch_offset = arena.offsets[scratch_of[s]];
      plan_.scratch_bytes = std::max(plan_.scratch_bytes, step.scratch_bytes);
      const auto count = [&](int64_t bytes, int first, int last) {
        if (first <= times_[s] && times_[s] <= last)
          step.live_bytes += image::padded(static_cast<uint32_t>(bytes), image::kAlignment);
      };
      for (const MemoryPlanner::Block& b : memory_.blocks) count(b.bytes, b.first, b.last);
      count(step.scratch_bytes, times_[s], times_[s]);
      step.flash_bytes = octet::flash_bytes(step, plan_.rounding, plan_.layer_names);
    }
  }

  const Model& model_;
  const FirmwareOptions& options_;
  FirmwarePlan plan_;
  std::vector<std::vector<Shape>> shapes_;
  MemoryPlanner memory_;
  std::vector<std::pair<int, DType>> known_;       // module and dtype, by the planner's values
  std::vector<std::vector<int>> values_of_;        // the planner's, by module and port
  std::vector<int> inputs_;                        // the planner's values
  std::vector<std::pair<int, int>> float_inputs_;  // module, value
  std::vector<Item> items_;
  std::vector<int> numbers_;    // in the image, by the planner's values; -1: none yet
  std::vector<int> planned_;    // the planner's values, by number
  std::vector<int> times_;      // by step
  std::map<int, int> part_of_;  // a part by the value that nothing else writes
};

}  // namespace

FirmwarePlan plan_firmware(const Model& model, const FirmwareOptions& options) try {
  const FloatScope environment;
  check_model(model);
  return FirmwarePlanner(model, options).run();
} catch (const std::bad_alloc&) {
  fail("plan_firmware: out of memory");
}

}  // namespace octet
