// SPDX-License-Identifier: Apache-2.0
// Kernel runs of one module on tensors.
#include "engine/lowered_module.h"

#include <algorithm>

#include "engine/module_check.h"

namespace octet {

LoweredModule::LoweredModule(const Model& model, int index, std::span<const Shape> input_shapes, QEngine engine) {
  const Module& module = model.modules[static_cast<size_t>(index)];
  shapes_ = naming(module.path, [&] {
    return std::visit([&](const auto& op) { return op.shapes(ShapeCall{module.path, input_shapes}); }, module.op);
  });
  for (const std::optional<QParams>& q : module.out_q) qparams_.push_back(*q);
  Lowered lowered = lower(model, index, input_shapes);
  temporaries_ = std::move(lowered.temporaries);
  for (LoweredCall& call : lowered.calls) {
    Made made = make(call.args, call.blobs, engine);
    if (!made.kernel) made = make(call.args, call.blobs, QEngine::reference);
    runs_.push_back({std::move(made.kernel), std::move(call.inputs), std::move(call.outputs)});
  }
}

std::vector<Tensor> LoweredModule::run(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs, temporaries;
  for (size_t port = 0; port < shapes_.size(); ++port)
    outputs.push_back(Tensor(shapes_[port], code_dtype(qparams_[port])).with(qparams_[port]));
  if (std::ranges::all_of(outputs, [](const Tensor& t) { return t.numel() == 0; })) return outputs;
  for (const int64_t bytes : temporaries_) temporaries.push_back(Tensor({bytes}, DType::u8));
  const auto place = [&](const Operand& o) {
    Tensor& holder =
        o.of == Operand::Of::output ? outputs[static_cast<size_t>(o.index)] : temporaries[static_cast<size_t>(o.index)];
    return static_cast<std::byte*>(holder.mutable_raw()) + o.offset;
  };
  for (const Run& run : runs_) {
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const Operand& o : run.inputs)
      in.push_back(o.of == Operand::Of::input ? static_cast<const std::byte*>(inputs[static_cast<size_t>(o.index)].raw()) + o.offset
                                              : place(o));
    for (const Operand& o : run.outputs) out.push_back(place(o));
    run.kernel->run(in, out);
  }
  return outputs;
}

}  // namespace octet
