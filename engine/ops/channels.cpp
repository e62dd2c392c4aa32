// SPDX-License-Identifier: Apache-2.0
// Layers of fewer channels: their attributes and their parameters.
#include "engine/ops/channels.h"

#include "engine/ops/picked.h"

namespace octet {
namespace {

/// The elements picked of a parameter; the first axis is its output channels'.
Tensor part_of(const Tensor& t, const Pick& pick) {
  const Tensor part = picked(t, pick);
  if (!t.qparams()) return part;
  QParams q = *t.qparams();
  if (q.axis < 0) return part.with(q);
  q.scale.clear(), q.zero_point.clear();
  for (const int64_t c : pick.axes[static_cast<size_t>(q.axis)]) {
    q.scale.push_back(t.qparams()->scale[static_cast<size_t>(c)]);
    q.zero_point.push_back(t.qparams()->zero_point[static_cast<size_t>(c)]);
  }
  return part.with(q);
}

}  // namespace

void keep_channels(Module& module, const std::vector<int64_t>& outputs, const std::vector<int64_t>& inputs) {
  const auto out = static_cast<int64_t>(outputs.size()), in = static_cast<int64_t>(inputs.size());
  Pick pick;
  if (auto* conv = std::get_if<Conv2d>(&module.op)) {
    const bool depthwise = conv->groups > 1;
    check(!depthwise || (conv->groups == conv->in && conv->in == conv->out && inputs == outputs), module.path,
          ": channels of a convolution of ", conv->groups, " groups cannot be taken out");
    pick.axes = {outputs, all_of(conv->kernel.h), all_of(conv->kernel.w), depthwise ? all_of(1) : inputs};
    conv->out = out, conv->in = in, conv->groups = depthwise ? out : 1;
  } else {
    auto* linear = std::get_if<Linear>(&module.op);
    check(linear != nullptr, module.path, ": expected a convolution or linear layer, got ", name_of(module.op));
    pick.axes = {outputs, inputs};
    linear->out = out, linear->in = in;
  }
  Tensor& weight = needed_weight(module.params, module.path);
  check_pick(pick, weight.shape(), module.path);
  weight = part_of(weight, pick);
  if (Tensor* bias = bias_of(module.params)) *bias = part_of(*bias, {{outputs}});
}

}  // namespace octet
