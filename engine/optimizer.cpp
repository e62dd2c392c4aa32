// SPDX-License-Identifier: Apache-2.0
// SGD over the named leaves that backward() returns.
#include "engine/optimizer.h"

#include <cmath>
#include <numbers>

#include "engine/float_kernels.h"
#include "kernels/float_scope.h"

namespace octet {

namespace {

constexpr std::string_view kVelocity = "velocity/";  // before the parameter's name

}  // namespace

Sgd::Sgd(Options options) : options_(options) {
  check(options.momentum >= 0 && options.weight_decay >= 0, "Sgd: momentum ", options.momentum, " and weight decay ",
        options.weight_decay, " must not be negative");
  check(!options.nesterov || options.momentum > 0, "Sgd: Nesterov's momentum needs a momentum above zero");
}

StateDict Sgd::state() const {
  StateDict state;
  state["options"] =
      Tensor::of<double>({3}, std::vector<double>{options_.momentum, options_.weight_decay, options_.nesterov ? 1.0 : 0.0});
  for (const auto& [name, velocity] : velocity_) state[std::string(kVelocity) + name] = velocity;
  return state;
}

void Sgd::load(const StateDict& state) {
  const Tensor& stored = state_tensor(state, "options", DType::f64, "Sgd state");
  check(stored.numel() == 3, "Sgd state: \"options\" has ", stored.numel(), " values, expected 3");
  const auto v = stored.data<double>();
  check(std::isfinite(v[0]) && std::isfinite(v[1]) && (v[2] == 0 || v[2] == 1), "Sgd state: \"options\" are ", v[0], ", ", v[1],
        ", ", v[2]);
  Sgd loaded({.momentum = v[0], .weight_decay = v[1], .nesterov = v[2] != 0});
  for (const auto& [key, tensor] : state) {
    if (key == "options") continue;
    check(key.starts_with(kVelocity), "Sgd state: \"", key, "\" is no part of it");
    check(tensor.dtype() == DType::f32 || tensor.dtype() == DType::f64, "Sgd state: \"", key, "\" is ", to_string(tensor.dtype()),
          ", expected floats");
    loaded.velocity_.emplace(key.substr(kVelocity.size()), tensor);
  }
  *this = std::move(loaded);
}

void Sgd::step(Model& model, const Grads& grads, double rate) {
  const FloatScope environment;
  // Everything is checked before anything moves.
  std::vector<std::pair<Tensor*, Grads::const_iterator>> updates;
  for (Module& module : model.modules)
    for (auto& param : module.params) {
      const auto found = grads.find(module.path + "." + param.first);
      if (found == grads.end()) continue;
      const auto& [name, grad] = *found;
      check(grad.shape() == param.second.shape() && grad.dtype() == param.second.dtype(), name, ": gradient of ",
            to_string(grad.dtype()), " ", to_string(grad.shape()), " for a parameter of ", to_string(param.second.dtype()), " ",
            to_string(param.second.shape()));
      updates.emplace_back(&param.second, found);
    }
  check(updates.size() == grads.size(), "Sgd: ", grads.size(), " gradients, only ", updates.size(),
        " belong to parameters of this model");
  for (const auto& update : updates) {
    Tensor& w = *update.first;
    const Tensor& g = update.second->second;
    Tensor& v = velocity_[update.second->first];
    if (v.shape() != w.shape() || v.dtype() != w.dtype()) v = Tensor::zeros(w.shape(), w.dtype());
    dispatch_float(w.dtype(), update.second->first, [&]<class T>() {
      fk::sgd(w.numel(), T(rate), T(options_.momentum), T(options_.weight_decay), options_.nesterov, g.data<T>().data(),
              v.mutable_data<T>().data(), w.mutable_data<T>().data());
    });
  }
}

double cosine_rate(int64_t step, int64_t steps, double peak, double lowest) {
  const FloatScope environment;
  const double t = steps > 0 ? static_cast<double>(step) / static_cast<double>(steps) : 1;
  return lowest + (peak - lowest) * (1 + std::cos(std::numbers::pi * t)) / 2;
}

double one_cycle_rate(int64_t step, int64_t steps, double peak) {
  const FloatScope environment;
  const double rise = 0.3 * static_cast<double>(steps) - 1, fall = static_cast<double>(steps) - 1 - rise;
  const double start = peak / 25, end = start / 1e4, at = static_cast<double>(step);
  const auto between = [](double from, double to, double t) { return to + (from - to) * (1 + std::cos(std::numbers::pi * t)) / 2; };
  return at <= rise ? between(start, peak, rise > 0 ? at / rise : 1) : between(peak, end, fall > 0 ? (at - rise) / fall : 1);
}

}  // namespace octet
