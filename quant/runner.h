// SPDX-License-Identifier: Apache-2.0
// One module at a time, with the fast kernels of an engine: what steps need that look at the values between modules. Kernels are
// made once per module and input shape.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/graph.h"
#include "engine/lowered_module.h"

namespace octet {

class ModuleRunner {
 public:
  /// Keeps a copy of the model (tensors are shared until written).
  explicit ModuleRunner(Model model, QEngine engine = QEngine::automatic);
  const Model& model() const { return model_; }
  /// Outputs of one module; the same as infer_module(), to the byte.
  std::vector<Tensor> run(int index, std::span<const Tensor> inputs);
  /// Gives a module (and all tied to it) another parameter; kernels made from the old one are dropped.
  void set_param(int index, std::string_view name, Tensor value);

 private:
  struct Prepared {
    std::vector<Shape> shapes;
    std::unique_ptr<const LoweredModule> module;
  };

  Model model_;
  QEngine engine_;
  std::vector<bool> quantized_;
  std::vector<Prepared> prepared_;
};

/// Runs a model module by module in list order; a value lives until its last reader has run.
class ModuleWalk {
 public:
  ModuleWalk(ModuleRunner& runner, std::span<const Tensor> inputs);
  bool done() const { return position_ == static_cast<int>(runner_.model().modules.size()); }
  /// The module that next() will run.
  int position() const { return position_; }
  /// Outputs of the next module.
  const std::vector<Tensor>& next();
  /// Runs on to this module and returns its outputs: how one walk keeps step with another. Throws if it has run already.
  const std::vector<Tensor>& next_to(int index);
  /// What the module that ran last read, in wire order (an Input: the network's input).
  std::span<const Tensor> inputs() const { return in_; }
  /// Runs what is left; the first output of the model.
  Tensor output();

 private:
  ModuleRunner& runner_;
  Values<Tensor> values_;
  std::vector<Tensor> in_;
  int position_ = 0;
};

}  // namespace octet
