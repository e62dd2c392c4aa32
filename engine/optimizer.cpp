// SPDX-License-Identifier: Apache-2.0
// SGD over the named leaves that backward() returns.
#include "engine/optimizer.h"

#include <cmath>
#include <numbers>

#include "engine/float_kernels.h"

namespace octet {

void Sgd::step(Model& model, const Grads& grads, double rate) {
  size_t used = 0;
  for (Module& module : model.modules)
    for (auto& param : module.params) {
      Tensor& tensor = param.second;
      const std::string full = module.path + "." + param.first;
      const auto found = grads.find(full);
      if (found == grads.end()) continue;
      ++used;
      check(found->second.shape() == tensor.shape() && found->second.dtype() == tensor.dtype(), full, ": gradient of ",
            to_string(found->second.dtype()), " ", to_string(found->second.shape()), " for a parameter of ",
            to_string(tensor.dtype()), " ", to_string(tensor.shape()));
      Tensor& v = velocity_[full];
      if (v.shape() != tensor.shape()) v = Tensor::zeros(tensor.shape(), tensor.dtype());
      dispatch_float(tensor.dtype(), full, [&]<class T>() {
        fk::sgd(tensor.numel(), T(rate), T(options_.momentum), T(options_.weight_decay), found->second.template data<T>().data(),
                v.mutable_data<T>().data(), tensor.mutable_data<T>().data());
      });
    }
  check(used == grads.size(), "Sgd: ", grads.size(), " gradients, only ", used, " belong to parameters of this model");
}

double cosine_rate(int64_t step, int64_t steps, double peak, double lowest) {
  const double t = steps > 0 ? static_cast<double>(step) / static_cast<double>(steps) : 1;
  return lowest + (peak - lowest) * (1 + std::cos(std::numbers::pi * t)) / 2;
}

double one_cycle_rate(int64_t step, int64_t steps, double peak) {
  const double rise = 0.3 * static_cast<double>(steps) - 1, fall = static_cast<double>(steps) - 1 - rise;
  const double start = peak / 25, end = start / 1e4, at = static_cast<double>(step);
  const auto between = [](double from, double to, double t) { return to + (from - to) * (1 + std::cos(std::numbers::pi * t)) / 2; };
  return at <= rise ? between(start, peak, rise > 0 ? at / rise : 1) : between(peak, end, fall > 0 ? (at - rise) / fall : 1);
}

}  // namespace octet
