// SPDX-License-Identifier: Apache-2.0
// From a model to steps and values: every module is lowered, copies become the value they copy, and a value may take the place of
// an input that dies with it.
#include "io/firmware_plan.h"
#include "engine/module_check.h"

#include <algorithm>

#include "io/image.h"
#include "kernels/float_scope.h"
#include "kernels/kernel.h"
#include "runtime/image.h"

namespace octet {
namespace {

bool is_copy(const Lowered& lowered) {
  if (lowered.steps.size() != 1) return false;
  const auto* t = std::get_if<kernels::TransposeArgs>(&lowered.steps[0].args);
  return t != nullptr && t->rank == 1 && t->input_stride[0] == 1;
}

/// Memory shared by values of which each overwrites the one before.
struct Block {
  Lifetime life;
  int owner = 0;  // the value that lies there last
};

class Planner {
 public:
  Planner(const Model& model, const FirmwareOptions& options) : model_(model), options_(options) {
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
    for (const int i : float_inputs_) quantize_input(i);
    for (size_t i = 0; i < model_.modules.size(); ++i)
      if (!std::holds_alternative<Input>(model_.modules[i].op)) add_module(static_cast<int>(i));
    add_outputs();
    check(plan_.values.size() < 65'000 && plan_.steps.size() < 65'000, "firmware: ", plan_.steps.size(), " steps are too many");
    place();
    return std::move(plan_);
  }

 private:
  const std::string& path(int i) const { return model_.modules[i].path; }

  void find_shapes() {
    std::vector<Shape> inputs = options_.input_shapes;
    if (inputs.empty())
      for (const Module& m : model_.modules)
        if (std::holds_alternative<Input>(m.op)) inputs.push_back(m.nominal[0]);
    shapes_ = infer_shapes(model_, inputs);
  }

  int add_value(int module, DType dtype, const Shape& shape) {
    const int64_t bytes = numel(shape) * static_cast<int64_t>(size_of(dtype));
    check(bytes > 0 && bytes <= INT32_MAX, path(module), ": a tensor of ", bytes, " bytes on a device");
    const int step = static_cast<int>(plan_.steps.size()) - 1;
    plan_.values.push_back({path(module), dtype, bytes, 0, step, step});
    return static_cast<int>(plan_.values.size()) - 1;
  }

  void add_input(int i) {
    const auto& q = model_.modules[i].out_q;
    check(!q.empty() && q[0].has_value(), path(i), ": a float input; a device needs a model quantized from its inputs on");
    const Shape& shape = shapes_[i][0];
    if (options_.float_inputs) {
      plan_.inputs.push_back({path(i), add_value(i, DType::f32, shape), shape, DType::f32, 1, 0});
      float_inputs_.push_back(i);
      return;
    }
    const DType dtype = code_dtype(*q[0]);
    values_of_[i] = add_value(i, dtype, shape);
    plan_.inputs.push_back({path(i), values_of_[i], shape, dtype, q[0]->scale[0], q[0]->zero_point[0]});
  }

  void quantize_input(int i) {
    const Lowered lowered = lower(model_, i, shapes_[i]);
    const int from = plan_.inputs[static_cast<size_t>(std::ranges::count_if(float_inputs_, [&](int f) { return f < i; }))].value;
    add_step(i, lowered.steps[0], {from}, code_dtype(*model_.modules[i].out_q[0]));
  }

  void add_step(int module, const LoweredStep& l, std::vector<int> inputs, DType dtype) {
    check(inputs.size() <= 2, path(module), ": a kernel with ", inputs.size(), " inputs; a device takes two");
    FirmwareStep step;
    step.path = path(module);
    step.args = l.args;
    step.blobs = l.blobs;
    step.inputs = std::move(inputs);
    step.output_offset = l.output_offset;
    const Blobs none;
    const Blobs& blobs = l.blobs ? *l.blobs : none;
    KernelNeeds needs = options_.kernels ? options_.kernels(l.args, blobs) : KernelNeeds{};
    if (needs.packed.empty() && needs.scratch_bytes == 0) needs = kernel_needs(options_.target, l.args, blobs);
    step.packed = std::move(needs.packed);
    step.scratch_bytes = needs.scratch_bytes;
    step.why_not = std::move(needs.why_not);
    const int at = static_cast<int>(plan_.steps.size());
    for (const int v : step.inputs) plan_.values[v].last = at;
    const bool again = !plan_.steps.empty() && plan_.steps.back().path == step.path && !plan_.steps.back().completes;
    plan_.steps.push_back(std::move(step));
    if (!again) values_of_[module] = add_value(module, dtype, shapes_[module][0]);
    plan_.steps.back().output = values_of_[module];
    plan_.values[values_of_[module]].last = at;
  }

  void add_module(int i) {
    const Module& module = model_.modules[i];
    check(runs_quantized(model_, i), module.path, ": ", name_of(module.op),
          " runs in float; a device needs every module quantized (see Program::placements)");
    std::vector<Shape> in;
    for (const Wire& w : module.inputs) in.push_back(shapes_[w.module][w.port]);
    const Lowered lowered = lower(model_, i, in);
    if (is_copy(lowered)) {
      values_of_[i] = values_of_[module.inputs[0].module];
      return;
    }
    for (size_t s = 0; s < lowered.steps.size(); ++s) {
      std::vector<int> inputs;
      for (const int w : lowered.steps[s].inputs) inputs.push_back(values_of_[module.inputs[w].module]);
      add_step(i, lowered.steps[s], std::move(inputs), code_dtype(*module.out_q[0]));
      plan_.steps.back().completes = s + 1 == lowered.steps.size();
    }
  }

  void add_outputs() {
    for (const Wire& w : model_.output_wires()) {
      const QParams& q = *model_.modules[w.module].out_q[w.port];
      FirmwarePort port{path(w.module), values_of_[w.module], shapes_[w.module][w.port],
                        code_dtype(q),  q.scale[0],           q.zero_point[0]};
      if (options_.float_outputs) {
        kernels::DequantizeArgs a{};
        a.count = static_cast<int32_t>(numel(port.shape));
        a.zero_point = port.zero_point;
        a.scale = port.scale;
        a.input_type = port.dtype == DType::u8 ? kernels::CodeType::u8 : kernels::CodeType::i8;
        const int kept = values_of_[w.module];
        add_step(w.module, {a, nullptr, {0}, 0}, {kept}, DType::f32);
        port = {port.path, values_of_[w.module], port.shape, DType::f32, 1, 0};
        values_of_[w.module] = kept;
      }
      plan_.outputs.push_back(std::move(port));
    }
    const int end = static_cast<int>(plan_.steps.size());
    for (const FirmwarePort& p : plan_.outputs) plan_.values[p.value].last = end;
  }

  /// The block of an input on which this step's output may lie, or -1.
  int reusable(int at, const std::vector<int>& block_of, const std::vector<Block>& blocks) const {
    const FirmwareStep& step = plan_.steps[at];
    if (step.output_offset != 0 || !step.completes) return -1;
    const uint8_t allowed = device_op(step.args).overwrites;
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      const int v = step.inputs[i];
      const bool other = step.inputs.size() == 2 && step.inputs[1 - i] == v && (allowed >> (1 - i) & 1) == 0;
      const bool dies = plan_.values[v].last == at && blocks[block_of[v]].owner == v;
      if ((allowed >> i & 1) != 0 && dies && !other && plan_.values[v].bytes == plan_.values[step.output].bytes) return block_of[v];
    }
    return -1;
  }

  void place() {
    // Inputs are alive before step 0: lifetimes count from there.
    std::vector<int> block_of(plan_.values.size(), -1);
    std::vector<Block> blocks;
    const auto own_block = [&](int v) {
      block_of[v] = static_cast<int>(blocks.size());
      blocks.push_back({{plan_.values[v].bytes, plan_.values[v].first + 1, plan_.values[v].last + 1}, v});
    };
    for (const FirmwarePort& p : plan_.inputs) own_block(p.value);
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      const int v = plan_.steps[s].output;
      if (block_of[v] >= 0) continue;
      const int shared = reusable(static_cast<int>(s), block_of, blocks);
      if (shared < 0) {
        own_block(v);
        continue;
      }
      plan_.steps[s].in_place = true;
      block_of[v] = shared;
      blocks[shared].owner = v;
      blocks[shared].life.last = plan_.values[v].last + 1;
    }
    std::vector<Lifetime> lives;
    for (const Block& b : blocks) lives.push_back(b.life);
    std::vector<size_t> scratch_of(plan_.steps.size(), 0);
    for (size_t s = 0; s < plan_.steps.size(); ++s)
      if (plan_.steps[s].scratch_bytes > 0) {
        scratch_of[s] = lives.size();
        lives.push_back({plan_.steps[s].scratch_bytes, static_cast<int>(s) + 1, static_cast<int>(s) + 1});
      }
    const ArenaPlan arena = plan_arena(lives, image::kAlignment, options_.search_nodes);
    check(arena.bytes <= INT32_MAX, "firmware: an arena of ", arena.bytes, " bytes");
    plan_.arena_bytes = arena.bytes;
    plan_.lower_bound = arena.lower_bound;
    plan_.optimal = arena.optimal;
    for (size_t v = 0; v < plan_.values.size(); ++v) plan_.values[v].offset = arena.offsets[block_of[v]];
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      FirmwareStep& step = plan_.steps[s];
      if (step.scratch_bytes > 0) step.scratch_offset = arena.offsets[scratch_of[s]];
      plan_.scratch_bytes = std::max(plan_.scratch_bytes, step.scratch_bytes);
      const int now = static_cast<int>(s) + 1;
      for (const Lifetime& l : lives)
        if (l.first <= now && now <= l.last) step.live_bytes += image::padded(static_cast<uint32_t>(l.bytes), image::kAlignment);
      step.flash_bytes = octet::flash_bytes(step, plan_.rounding, plan_.layer_names);
    }
  }

  const Model& model_;
  const FirmwareOptions& options_;
  FirmwarePlan plan_;
  std::vector<std::vector<Shape>> shapes_;
  std::vector<int> values_of_;     // by module
  std::vector<int> float_inputs_;  // modules
};

}  // namespace

FirmwarePlan plan_firmware(const Model& model, const FirmwareOptions& options) try {
  const FloatScope environment;
  check_model(model);
  return Planner(model, options).run();
} catch (const std::bad_alloc&) {
  fail("plan_firmware: out of memory");
}

}  // namespace octet
