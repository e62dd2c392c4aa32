// SPDX-License-Identifier: Apache-2.0
// Examples of every operator and mode, alone between inputs and outputs, quantized.
#include "tests/runtime/operator_networks.h"

#include <algorithm>
#include <cmath>

namespace octet::testing {

std::vector<OperatorCase> operators_and_modes() {
  const Shape picture{1, 6, 5, 8};
  std::vector<OperatorCase> all = every_operator();
  for (size_t fn = 0; fn < kEnumNames<UnaryFn>.size(); ++fn) all.push_back({Unary{static_cast<UnaryFn>(fn)}, {picture}});
  for (size_t fn = 0; fn < kEnumNames<BinaryFn>.size(); ++fn)
    all.push_back({Binary{static_cast<BinaryFn>(fn)}, {picture, {1, 1, 5, 8}}});
  all.push_back({Binary{}, {picture, picture}});
  for (size_t fn = 0; fn < kEnumNames<ReduceFn>.size(); ++fn)
    all.push_back({Reduce{static_cast<ReduceFn>(fn), {1, 2}, true}, {picture}});
  for (const Pool kind : {Pool::max, Pool::average})
    all.push_back({Pool2d{.kind = kind, .kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0, 1, 1}}, {picture}});
  for (size_t mode = 0; mode < kEnumNames<PadMode>.size(); ++mode)
    all.push_back({Pad{{0, 1, 0, 0}, {0, 0, 2, 0}, static_cast<PadMode>(mode)}, {picture}});
  for (size_t c = 0; c < kEnumNames<Coordinates>.size(); ++c) {
    const auto coordinates = static_cast<Coordinates>(c);
    const bool crops = coordinates == Coordinates::tf_crop_and_resize;
    const std::optional<Region> roi = crops ? std::optional(Region{-0.25, 0.5, 1, 1.5}) : std::nullopt;
    const std::optional<double> fill = crops ? std::optional(0.75) : std::nullopt;
    all.push_back({ResizeLinear{{9, 3}, coordinates, {}, roi, fill}, {picture}});
    all.push_back({ResizeLinear{{0, 0}, coordinates, Scale{1.7, 0.6}, roi}, {picture}});
    all.push_back({ResizeLinear{{9, 4}, coordinates, Scale{0.7, 1.7}, roi}, {picture}});  // beyond the last row
    for (size_t mode = 0; mode < kEnumNames<NearestMode>.size(); ++mode)
      all.push_back({ResizeNearest{{9, 0}, coordinates, static_cast<NearestMode>(mode), Scale{1, 1.3}, roi, fill}, {picture}});
  }
  all.push_back({Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .groups = 8, .act = Activation::relu6}, {picture}});
  all.push_back({Conv2d{.in = 8, .out = 24, .kernel = {1, 1}, .act = Activation::relu}, {picture}});
  all.push_back({Conv2d{.in = 8, .out = 4, .stride = {2, 1}, .dilation = {1, 2}, .padding = pad_all(2), .groups = 2}, {picture}});
  all.push_back({Linear{40, 21, true, Activation::relu}, {{3, 40}}});
  return all;
}

std::vector<Tensor> operator_values(const OperatorCase& o, Generator& g) {
  std::vector<Tensor> x = values_for(o, g);
  const auto* unary = std::get_if<Unary>(&o.op);
  const auto* binary = std::get_if<Binary>(&o.op);
  const bool positive = (unary && (unary->fn == UnaryFn::log || unary->fn == UnaryFn::sqrt || unary->fn == UnaryFn::reciprocal)) ||
                        (binary && (binary->fn == BinaryFn::div || binary->fn == BinaryFn::pow));
  for (Tensor& t : x)
    if (positive)
      for (float& v : t.mutable_data<float>()) v = std::abs(v) + 0.25F;
  if (std::holds_alternative<Constant>(o.op)) x.push_back(randn(g, std::get<Constant>(o.op).shape));
  return x;
}

Model converted(const OperatorCase& o, Rounding rounding, const QConfig& config, uint64_t seed) {
  Generator g(seed);
  Model m;
  if (const auto* constant = std::get_if<Constant>(&o.op)) {  // which somebody has to read
    const int x = m.add("x0", Input{constant->shape}), op = m.add("op", *constant, {});
    const int sum = m.add("sum", Binary{}, {{x, 0}, {op, 0}});
    m.outputs = {{sum, 0}, {op, 0}};
  } else {
    m = network_of(o);
  }
  initialize(m, g);
  for (auto& [name, t] : m["op"].params)
    if (name == "value" || m["op"].as<PRelu>()) t = randn(g, t.shape());
  m.rounding = rounding;
  if (traits_of(o.op).exact && traits_of(o.op).wires == 1) return m;  // what it reads is never codes
  Model prepared = prepare(m, {{"", config}});
  if (std::ranges::all_of(prepared.modules, [](const Module& module) { return module.hooks.empty(); })) return m;
  calibrate(prepared, std::vector<std::vector<Tensor>>{operator_values(o, g)});
  Model int8 = convert(prepared);
  if (seed % 2 == 1 && traits_of(o.op).codes == Codes::own) {  // a wider range, so that activations end within the codes
    QParams& q = *int8["op"].out_q[0];
    q.scale[0] *= 1.6F, q.zero_point[0] += (q.qmax - q.zero_point[0]) / 3;
  }
  return int8;
}

}  // namespace octet::testing
