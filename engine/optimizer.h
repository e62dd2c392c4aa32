// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent and the learning-rate schedules that go with it.
#pragma once

#include "engine/model.h"
#include "engine/state.h"

namespace octet {

/// torch.optim.SGD: d = g + weight_decay*w; v = momentum*v + d; w -= rate*v, or with Nesterov's momentum rate*(d + momentum*v).
class Sgd {
 public:
  struct Options {
    double momentum = 0, weight_decay = 0;
    bool nesterov = false;  ///< needs momentum
  };
  /// Throws for a negative momentum or weight decay, and for Nesterov without momentum, as PyTorch does.
  explicit Sgd(Options options);
  /// One step on every parameter that has a gradient. Throws naming the parameter if a gradient fits none.
  void step(Model&, const Grads&, double rate);

  /// The options and every parameter's velocity. An optimizer that loads it goes on as this one would, to the bit; as in PyTorch
  /// the options come from the state, too.
  StateDict state() const;
  /// Throws, and keeps what it had, for a state that is not an optimizer's.
  void load(const StateDict&);

 private:
  Options options_;
  std::map<std::string, Tensor, std::less<>> velocity_;
};

/// CosineAnnealingLR: from peak at step 0 to `lowest` at `steps`.
double cosine_rate(int64_t step, int64_t steps, double peak, double lowest = 0);
/// OneCycleLR with cosine annealing: peak/25 up to peak over the first 30 %, then down to peak/25e4.
double one_cycle_rate(int64_t step, int64_t steps, double peak);

}  // namespace octet
