// SPDX-License-Identifier: Apache-2.0
// Which operator takes what, and how its parameters change.
#include "engine/ops/fusion.h"

#include "engine/ops/functional.h"

namespace octet {
namespace {

/// Where an operator keeps the activation it ends in; null: nowhere.
Activation* activation_at(Op& op) {
  return std::visit(
      [](auto& o) -> Activation* {
        if constexpr (requires { o.act; })
          return &o.act;
        else if constexpr (requires { o.conv.act; })
          return &o.conv.act;
        else if constexpr (requires { o.linear.act; })
          return &o.linear.act;
        else
          return nullptr;
      },
      op);
}

const Tensor& param(const Module& holder, std::string_view name) { return needed(holder.params, name, holder.path); }

}  // namespace

bool takes_activation(const Op& op) {
  const Part part = traits_of(op).part;
  return (part == Part::layer || part == Part::sum) && activation_of(op) == Activation::none;
}

void set_activation(Op& op, Activation act) {
  if (auto* unary = std::get_if<Unary>(&op)) {
    *unary = Unary::clamping(act);
    return;
  }
  Activation* at = activation_at(op);
  check(at != nullptr, name_of(op), ": it ends in no activation");
  *at = act;
}

bool takes_residual(const Op& op) {
  const auto* conv = std::get_if<Conv2d>(&op);
  return conv && !conv->residual;
}

void take_residual(Op& op) { std::get<Conv2d>(op).residual = true; }

bool takes_norm(const Op& layer, const Op& norm, bool trained) {
  const auto* bn = std::get_if<BatchNorm>(&norm);
  const std::optional<Product> product = traits_of(layer).product;
  return bn && product && product->out == bn->channels && !product->residual &&
         (!trained || std::holds_alternative<Conv2d>(layer) || std::holds_alternative<Linear>(layer));
}

void take_norm(Module& layer, const Module& norm, bool trained) {
  const BatchNorm& bn = std::get<BatchNorm>(norm.op);
  if (trained) {
    if (const auto* linear = layer.as<Linear>())
      layer.op = LinearBn{Linear(*linear), bn.eps, bn.momentum};
    else
      layer.op = ConvBn2d{.conv = std::get<Conv2d>(layer.op), .eps = bn.eps, .momentum = bn.momentum};
    for (const char* name : {"weight", "bias", "running_mean", "running_var"})
      layer.params.insert_or_assign(std::string("bn.") + name, param(norm, name));
    const auto frozen = norm.params.find("frozen");
    layer.params.insert_or_assign("bn.frozen",
                                  frozen == norm.params.end() ? Tensor::zeros({}, param(norm, "weight").dtype()) : frozen->second);
    return;
  }
  FoldedConv folded = fold_batch_norm(param(layer, "weight"), bias_of(layer.params), param(norm, "weight"), param(norm, "bias"),
                                      param(norm, "running_mean"), param(norm, "running_var"), bn.eps, layer.path);
  layer.params.insert_or_assign("weight", std::move(folded.weight));
  layer.params.insert_or_assign("bias", std::move(folded.bias));
  add_bias(layer.op);
}

bool is_picture_norm(const Module& module) {
  return module.as<BatchNorm>() && module.nominal.size() == 1 && (module.nominal[0].size() == 4 || module.nominal[0].size() == 3);
}

void become_layer(Module& norm) {
  const BatchNorm& bn = std::get<BatchNorm>(norm.op);
  FoldedConv folded =
      fold_batch_norm(Tensor::full({bn.channels, 1, 1, 1}, 1, param(norm, "weight").dtype()), nullptr, param(norm, "weight"),
                      param(norm, "bias"), param(norm, "running_mean"), param(norm, "running_var"), bn.eps, norm.path);
  norm.op = Conv2d{.in = bn.channels, .out = bn.channels, .kernel = {1, 1}, .groups = bn.channels};
  norm.params.clear();
  norm.params.insert_or_assign("weight", std::move(folded.weight));
  norm.params.insert_or_assign("bias", std::move(folded.bias));
}

namespace {

template <class Trained>
void deploy_as(Module& module, const Trained& op, const Op& layer) {
  module.op = layer;
  add_bias(module.op);
  if (!module.tied_to.empty()) return;  // a tied call has no parameters of its own
  FoldedConv folded = deployed(op, module.params, module.path);
  module.params.clear();
  module.params.insert_or_assign("weight", std::move(folded.weight));
  module.params.insert_or_assign("bias", std::move(folded.bias));
}

}  // namespace

void deploy(Module& module) {
  const Op op = module.op;
  if (const auto* conv = std::get_if<ConvBn2d>(&op)) deploy_as(module, *conv, conv->conv);
  if (const auto* linear = std::get_if<LinearBn>(&op)) deploy_as(module, *linear, linear->linear);
}

Model deployed(Model model) {
  for (Module& module : model.modules) deploy(module);
  return model;
}

ConvGeometry product_geometry(const Op& op, const Shape& input, std::string_view path) {
  if (const auto* conv = std::get_if<Conv2d>(&op)) return geometry(*conv, input, path);
  const auto* linear = std::get_if<Linear>(&op);
  check(linear, path, ": expected a convolution or linear layer, got ", name_of(op));
  check(!input.empty() && input.back() == linear->in, path, ": expected ", linear->in, " input features, got shape ",
        to_string(input));
  return {numel(input) / linear->in, 1, 1, linear->in, 1, 1, linear->out, 1, 1, 1, 1, 1, 1, 0, 0, 1};
}

void add_bias(Op& op) {
  std::visit(
      [](auto& o) {
        if constexpr (requires { o.bias; }) o.bias = true;
      },
      op);
}

}  // namespace octet
