// SPDX-License-Identifier: Apache-2.0
// Who reads what in a model, and the values of one pass through it: the one place that says how long a value lives. Modules run in
// list order.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "engine/model.h"

namespace octet {

class Graph {
 public:
  /// Throws for a wire to a module that is not earlier.
  explicit Graph(const Model&);
  /// One past the last module: who "reads" a model output.
  int end() const { return static_cast<int>(readers_.size()); }
  /// The modules that read any port of `module`, in order, one entry a wire; end() for each model output.
  const std::vector<int>& readers(int module) const { return readers_[static_cast<size_t>(module)]; }
  /// The last reader of a wire's value: end() if a model output, -1 if nobody reads it.
  int last(const Wire& w) const { return last_[static_cast<size_t>(w.module)][static_cast<size_t>(w.port)]; }

 private:
  std::vector<std::vector<int>> readers_, last_;  // by module; by module and port
};

/// The values of one pass: each lives until its last reader has run. For every module in turn: inputs(), drop(), put().
template <class Value>
class Values {
 public:
  /// `given` are the values of the model's inputs in list order. The model has to outlive this.
  Values(const Model& model, std::vector<Value> given)
      : model_(&model), graph_(model), given_(std::move(given)), values_(model.modules.size()) {}

  /// What a module reads, in wire order; an Input reads the next given value. Throws naming an Input that was given none.
  std::vector<Value> inputs(int index) {
    const Module& module = model_->modules[static_cast<size_t>(index)];
    std::vector<Value> in;
    if (std::holds_alternative<Input>(module.op)) {
      check(next_ < given_.size(), module.path, ": the model has more inputs than the ", given_.size(), " given");
      in.push_back(given_[next_++]);
    }
    for (const Wire& w : module.inputs) in.push_back(at(w));
    return in;
  }
  /// Forgets what nobody reads after this module.
  void drop(int index) {
    for (const Wire& w : model_->modules[static_cast<size_t>(index)].inputs)
      if (graph_.last(w) == index) at(w) = Value();
  }
  void put(int index, std::vector<Value> outputs) { values_[static_cast<size_t>(index)] = std::move(outputs); }
  const std::vector<Value>& of(int index) const { return values_[static_cast<size_t>(index)]; }

  /// The model's outputs, after its last module. Throws if it has fewer inputs than were given.
  std::vector<Value> outputs() const {
    check(next_ == given_.size(), "model: ", given_.size(), " inputs given, it has ", next_);
    std::vector<Value> all;
    for (const Wire& w : model_->output_wires())
      all.push_back(values_[static_cast<size_t>(w.module)].at(static_cast<size_t>(w.port)));
    return all;
  }

 private:
  Value& at(const Wire& w) { return values_[static_cast<size_t>(w.module)].at(static_cast<size_t>(w.port)); }

  const Model* model_;
  Graph graph_;
  std::vector<Value> given_;
  std::vector<std::vector<Value>> values_;  // by module, port
  size_t next_ = 0;
};

}  // namespace octet
