// SPDX-License-Identifier: Apache-2.0
// SGD over the named leaves that backward() returns.
#include "engine/optimizer.h"

#include <cmath>
#include <numbers>

#include "engine/float_kernels.h"
#include "kernels/float_scope.h"

namespace octet {

Sgd::Sgd(Options options) : options_(options) {
  check(options.momentum >= 0 && options.weight_decay >= 0, "Sgd: momentum ", options.momentum, " and weight decay ",
        options.weight_decay, " must not be negative");
  check(!options.nesterov || options.momentum > 0, "Sgd: Nesterov's momentum needs a momentum above zero");
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
