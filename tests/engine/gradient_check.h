// SPDX-License-Identifier: Apache-2.0
// Finite differences in f64 against the derivative written beside an operator's value.
#pragma once

#include <cmath>

#include "engine/model.h"
#include "tests/catch.h"

namespace octet::gradient_check {

inline constexpr double kRelative = 1e-7;  // of the tensor's largest gradient
inline constexpr double kStep = 1e-5;

inline Tensor random_tensor(Generator& g, const Shape& shape, double lo = -1, double hi = 1) {
  Tensor t = rand(g, shape, DType::f64);
  for (double& v : t.mutable_data<double>()) v = lo + (hi - lo) * v;
  return t;
}

/// sum(v * weights): a scalar whose gradient reaches every element differently.
inline Var weighted_sum(const Var& v, const Tensor& weights) {
  double sum = 0;
  for (int64_t i = 0; i < weights.numel(); ++i) sum += v.value().data<double>()[i] * weights.data<double>()[i];
  return Var::made(Tensor::full({}, sum, DType::f64), {v}, [weights](const Tensor& grad, const Needs&) {
    Tensor d = weights;
    for (double& x : d.mutable_data<double>()) x *= grad.data<double>()[0];
    return std::vector<Tensor>{d};
  });
}

/// Compares the gradients of `loss` (a function of the named tensors) with central differences, for every element of every tensor.
inline void compare(const std::function<Var(const std::map<std::string, Var>&)>& loss, const std::map<std::string, Tensor>& at) {
  std::map<std::string, Var> leaves;
  for (const auto& [name, tensor] : at) leaves[name] = Var::leaf(name, tensor);
  const Grads grads = backward(loss(leaves));
  const auto value = [&](const std::string& changed, const Tensor& to) {
    std::map<std::string, Var> constants;
    for (const auto& [name, tensor] : at) constants[name] = Var(name == changed ? to : tensor);
    return loss(constants).value().item();
  };
  for (const auto& [name, tensor] : at) {
    REQUIRE(grads.contains(name));
    const Tensor& grad = grads.at(name);
    REQUIRE(grad.shape() == tensor.shape());
    double scale = 1e-3, worst = 0;
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      Tensor moved = tensor;
      double& x = moved.mutable_data<double>()[i];
      const double original = x;
      x = original + kStep;
      const double up = value(name, moved);
      moved.mutable_data<double>()[i] = original - kStep;
      const double down = value(name, moved);
      const double numeric = (up - down) / (2 * kStep), analytic = grad.data<double>()[i];
      scale = std::max({scale, std::abs(numeric), std::abs(analytic)});
      worst = std::max(worst, std::abs(numeric - analytic));
    }
    INFO(name << ": largest difference " << worst << ", largest gradient " << scale);
    CHECK(worst <= kRelative * scale);
  }
}

/// Checks one operator: gradients of its inputs and of its trained parameters. Buffers are filled with plausible statistics.
inline void check_op(const Op& op, const std::vector<Shape>& inputs, Mode mode = Mode::train, uint64_t seed = 1, double lo = -1,
                     double hi = 1) {
  Generator g(seed);
  Model model;
  std::vector<Wire> wires;
  std::map<std::string, Tensor> at;
  for (size_t i = 0; i < inputs.size(); ++i) {
    wires.push_back({model.add("x" + std::to_string(i), Input{inputs[i]}), 0});
    at["x" + std::to_string(i)] = random_tensor(g, inputs[i], lo, hi);
  }
  const int index = model.add("op", op, wires);
  initialize(model, g);
  model = cast(model, DType::f64);
  Params& params = model.modules[index].params;
  for (const Param& p : params_of(model.modules[index].op)) {
    const auto found = params.find(p.name);
    if (found == params.end() || p.role == Role::flag) continue;
    Tensor& tensor = found->second;
    tensor = p.name.ends_with("var") ? random_tensor(g, tensor.shape(), 0.5, 2) : random_tensor(g, tensor.shape(), 0.2, 1.2);
    if (!is_state(p.role)) at["op." + p.name] = tensor;
  }
  const Tensor weights = random_tensor(g, model.modules[index].nominal[0]);
  compare(
      [&](const std::map<std::string, Var>& v) {
        Model m = model;  // running statistics of one evaluation must not reach the next
        std::vector<Var> in;
        for (size_t i = 0; i < inputs.size(); ++i) in.push_back(v.at("x" + std::to_string(i)));
        for (auto& [name, tensor] : m.modules[index].params)
          if (v.contains("op." + name)) tensor = v.at("op." + name).value();
        Generator same(7);  // dropout draws the same mask every time
        return weighted_sum(run_module(m, index, in, mode, {&same})[0], weights);
      },
      at);
}

}  // namespace octet::gradient_check
