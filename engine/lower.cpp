// SPDX-License-Identifier: Apache-2.0
// Lowering: which modules run as integer kernels, on which tables, and in which runs for given shapes.
#include <algorithm>

#include "engine/model.h"
#include "engine/module_check.h"
#include "engine/ops/wide.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

/// Every code-valued wire's parameters for lowering, or nullopt if one is float.
std::optional<std::vector<QParams>> wire_qparams(const Model& model, const Module& module) {
  std::vector<QParams> q;
  for (const Wire& w : module.inputs) {
    const auto& out = model.modules[w.module].out_q;
    if (w.port >= static_cast<int>(out.size()) || !out[w.port] || out[w.port]->axis >= 0) return std::nullopt;
    q.push_back(*out[w.port]);
  }
  return q;
}

/// Whether it may give codes of its own meaning although its operator only passes values on: an identity between other codes is a
/// requantization.
bool may_rescale(const Module& module) { return module.op == identity(); }

/// What lowering is told of a module, all but shapes.
struct Told {
  LowerCall call;
  std::vector<QParams> wires;

  Told(const Model& model, int index) {
    check_wiring(model, index);
    const Module& module = model.modules[static_cast<size_t>(index)];
    check(has_output_codes(module), module.path, ": not quantized; nothing to lower");
    auto found = wire_qparams(model, module);
    check(found.has_value(), module.path, ": an input wire carries floats");
    wires = *std::move(found);
    check(!keeps_qparams(module.op) || wires.front() == *module.out_q[0] || may_rescale(module),
          module.path, ": its output's codes mean something else than its input's; ", name_of(module.op),
          " has no kernel that rescales");
    call.path = module.path;
    call.rounding = model.rounding;
    call.inputs = wires;
    call.output = &*module.out_q[0];  // of several outputs all have these
    for (const std::optional<QParams>& q : module.out_q)
      check(*q == *module.out_q[0], module.path, ": its outputs' codes mean different things; no kernel gives that");
    call.params = &model.owner(module).params;
    check_wide_rounding(wires, *call.output, model.rounding, module.path);
  }
  Told(const Told&) = delete;
  Told& operator=(const Told&) = delete;
};

}  // namespace

bool runs_quantized(const Model& model, int index) {
  check_wiring(model, index);
  const Module& module = model.modules[index];
  const bool lowers = std::visit(
      [](const auto& op) {
        return requires(const LowerCall& c) { op.lower(c); };
      },
      module.op);
  if (!lowers || traits_of(module.op).codes == Codes::none || std::holds_alternative<Input>(module.op) ||
      !has_output_codes(module) || !wire_qparams(model, module))
    return false;
  const Tensor* weight = is_weighted(module.op) ? weight_of(model.owner(module).params) : nullptr;
  if (weight && weight->dtype() != DType::i8) return false;
  // Where the output's codes are said to mean something else than the input's, only the float path rescales them.
  if (!keeps_qparams(module.op)) return true;
  return wire_qparams(model, module)->front() == *module.out_q[0] || may_rescale(module);
}

namespace {

int64_t copied(const KernelArgs& args) {
  if (const auto* t = std::get_if<kernels::TransposeArgs>(&args); t && t->rank == 1 && t->input_stride[0] == 1)
    return int64_t{t->output_shape[0]} * t->element_size;
  const auto* r = std::get_if<kernels::RequantizeArgs>(&args);
  return r && r->copy == 1 && (r->rows == 1 || r->row == r->output_stride) ? int64_t{r->rows} * r->row : 0;
}

}  // namespace

int64_t copied_bytes(const LoweredCall& call) { return copied(call.args); }
int64_t copied_bytes(const FloatCall& call) {
  const auto* args = std::get_if<KernelArgs>(&call.args);
  return args == nullptr ? 0 : copied(*args);
}

ModuleTables lower_tables(const Model& model, int index) try {
  const FloatScope environment;
  const Told told(model, index);
  check_params(model.owner(model.modules[static_cast<size_t>(index)]));
  return std::visit(
      [&](const auto& op) -> ModuleTables {
        if constexpr (requires { op.tables(told.call); })
          return op.tables(told.call);
        else
          return {};
      },
      model.modules[static_cast<size_t>(index)].op);
} catch (const std::bad_alloc&) {
  fail(model.path_at(index), ": out of memory in lower");
}

Lowered lower(const Model& model, int index, std::span<const Shape> input_shapes, const ModuleTables& tables) try {
  const FloatScope environment;
  Told told(model, index);
  const Module& module = model.modules[static_cast<size_t>(index)];
  check_count(module, input_shapes.size());
  const std::vector<Shape> outputs = naming(module.path, [&] {
    return std::visit([&](const auto& op) { return op.shapes(ShapeCall{module.path, input_shapes}); }, module.op);
  });
  constexpr int64_t kLimit = int64_t{1} << 31;
  for (const Shape& s : outputs) check(numel(s) < kLimit, module.path, ": ", to_string(s), " is too large for one kernel call");
  for (const Shape& s : input_shapes)
    check(numel(s) < kLimit, module.path, ": ", to_string(s), " is too large for one kernel call");
  told.call.input_shapes = input_shapes;
  told.call.output_shapes = outputs;
  Lowered lowered = std::visit(
      [&](const auto& op) -> Lowered {
        if constexpr (requires { op.lower(told.call); }) {
          return op.lower(told.call);
        } else {
          fail(module.path, ": ", op.name, " has no int8 form");
        }
      },
      module.op);
  for (const int64_t bytes : lowered.temporaries)
    check(bytes < kLimit, module.path, ": a temporary of ", bytes, " bytes is too large for one kernel call");
  for (LoweredCall& call : lowered.calls) {
    check_one_width(call.args, module.path);
    check(call.table < static_cast<int>(tables.size()), module.path, ": ", tables.size(),
          " tables were given, its kernel reads number ", call.table);
    if (call.table >= 0) call.blobs = tables[static_cast<size_t>(call.table)];
  }
  return lowered;
} catch (const std::bad_alloc&) {
  fail(model.path_at(index), ": out of memory in lower");
}

Lowered lower(const Model& model, int index, std::span<const Shape> input_shapes) {
  return lower(model, index, input_shapes, lower_tables(model, index));
}

}  // namespace octet
