// SPDX-License-Identifier: Apache-2.0
// Lowering of modules that compute in float: the operator's own kernel runs, and conversions around them where a wire carries
// codes.
#include <algorithm>

#include "engine/model.h"
#include "engine/module_check.h"
#include "engine/ops/functional.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

const std::optional<QParams>& wire_codes(const Model& model, const Wire& w) {
  static const std::optional<QParams> kFloats;
  const auto& out = model.modules[static_cast<size_t>(w.module)].out_q;
  return static_cast<size_t>(w.port) < out.size() ? out[static_cast<size_t>(w.port)] : kFloats;
}

FloatLowerCall told(const Model& model, int index) {
  const Module& module = model.modules[static_cast<size_t>(index)];
  return {.path = module.path, .input_shapes = {}, .output_shapes = {}, .params = &model.owner(module).params};
}

/// Puts conversions before and behind a module's runs: its operands become temporaries of floats.
class Crossings {
 public:
  Crossings(const Model& model, const Module& module, const FloatLowerCall& call, LoweredFloats& lowered)
      : model_(model), module_(module), call_(call), lowered_(lowered) {}

  void add() {
    std::vector<FloatCall> before, after;
    for (size_t i = 0; i < module_.inputs.size(); ++i)
      if (const auto& q = wire_codes(model_, module_.inputs[i])) {
        const auto first = std::ranges::find(module_.inputs, module_.inputs[i]) - module_.inputs.begin();
        if (static_cast<size_t>(first) == i) {  // a wire that is read twice is converted once
          const int64_t count = numel(call_.input_shapes[i]);
          input_[i] = temporary(count);
          before.push_back({dequantize_args(count, *q), {Operand::input(static_cast<int>(i))}, {Operand::temporary(input_[i])}});
        } else {
          input_[i] = input_.at(static_cast<size_t>(first));
        }
      }
    for (size_t port = 0; port < module_.out_q.size(); ++port)
      if (const auto& q = module_.out_q[port]) {
        const int64_t count = numel(call_.output_shapes[port]);
        output_[port] = temporary(count);
        after.push_back({quantize_args(count, *q, model_.rounding),
                         {Operand::temporary(output_[port])},
                         {Operand::output(0, static_cast<int>(port))}});
      }
    for (FloatCall& run : lowered_.calls) {
      for (Operand& o : run.inputs) redirect(o, Operand::Of::input, input_);
      for (Operand& o : run.outputs) redirect(o, Operand::Of::output, output_);
    }
    lowered_.calls.insert(lowered_.calls.begin(), before.begin(), before.end());
    lowered_.calls.insert(lowered_.calls.end(), after.begin(), after.end());
  }

 private:
  int temporary(int64_t count) {
    lowered_.temporaries.push_back(count * static_cast<int64_t>(sizeof(float)));
    return static_cast<int>(lowered_.temporaries.size()) - 1;
  }
  static void redirect(Operand& o, Operand::Of of, const std::map<size_t, int>& to) {
    if (o.of != of) return;
    if (const auto found = to.find(static_cast<size_t>(o.index)); found != to.end())
      o = Operand::temporary(found->second, o.offset);
  }

  const Model& model_;
  const Module& module_;
  const FloatLowerCall& call_;
  LoweredFloats& lowered_;
  std::map<size_t, int> input_, output_;  // temporaries by number of the operand
};

}  // namespace

Tensor FloatLowerCall::param(std::string_view name) const { return dequantize(needed(*params, name, path)); }

bool runs_in_float_kernels(const Model& model, int index) {
  check_wiring(model, index);
  const Module& module = model.modules[static_cast<size_t>(index)];
  const Module& owner = model.owner(module);
  const bool lowers = std::visit(
      [](const auto& op) {
        return requires(const FloatLowerCall& c) { op.lower_float(c); };
      },
      module.op);
  return lowers && module.hooks.empty() && owner.hooks.empty() && !runs_quantized(model, index);
}

ModuleTables lower_float_tables(const Model& model, int index) try {
  const FloatScope environment;
  check_wiring(model, index);
  check_params(model.owner(model.modules[static_cast<size_t>(index)]));
  const FloatLowerCall call = told(model, index);
  return std::visit(
      [&](const auto& op) -> ModuleTables {
        if constexpr (requires { op.float_tables(call); })
          return op.float_tables(call);
        else
          return {};
      },
      model.modules[static_cast<size_t>(index)].op);
} catch (const std::bad_alloc&) {
  fail(model.path_at(index), ": out of memory in lower");
}

std::optional<LoweredFloats> lower_floats(const Model& model, int index, std::span<const Shape> input_shapes,
                                          const ModuleTables& tables) try {
  const FloatScope environment;
  check_wiring(model, index);
  const Module& module = model.modules[static_cast<size_t>(index)];
  check_count(module, input_shapes.size());
  FloatLowerCall call = told(model, index);
  const std::vector<Shape> outputs = naming(module.path, [&] {
    return std::visit([&](const auto& op) { return op.shapes(ShapeCall{module.path, input_shapes}); }, module.op);
  });
  call.input_shapes = input_shapes, call.output_shapes = outputs;
  LoweredFloats lowered = std::visit(
      [&](const auto& op) -> LoweredFloats {
        if constexpr (requires { op.lower_float(call); }) {
          return op.lower_float(call);
        } else {
          fail(module.path, ": ", op.name, " has no float kernels");
        }
      },
      module.op);
  if (lowered.calls.empty()) return std::nullopt;  // its attributes have no kernel
  Crossings(model, module, call, lowered).add();
  // Kernels of codes count in 32 bits; of floats they count bytes.
  constexpr int64_t kLimit = (int64_t{1} << 31) / static_cast<int64_t>(sizeof(float));
  const auto large = [](const Shape& s) { return numel(s) >= kLimit; };
  const auto counts = [](const FloatCall& run) { return std::holds_alternative<KernelArgs>(run.args); };
  if (std::ranges::any_of(lowered.calls, counts) &&
      (std::ranges::any_of(input_shapes, large) || std::ranges::any_of(outputs, large)))
    return std::nullopt;
  for (FloatCall& run : lowered.calls) {
    check(run.table < static_cast<int>(tables.size()), module.path, ": ", tables.size(),
          " tables were given, its kernel reads number ", run.table);
    if (run.table >= 0) run.blobs = tables[static_cast<size_t>(run.table)];
  }
  return lowered;
} catch (const std::bad_alloc&) {
  fail(model.path_at(index), ": out of memory in lower");
}

}  // namespace octet
