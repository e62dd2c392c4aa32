// SPDX-License-Identifier: Apache-2.0
// Holding or making the batches, and naming what does not fit the model.
#include "engine/batches.h"

#include <string>

namespace octet {
namespace {

std::vector<std::string> input_paths(const Model& model) {
  std::vector<std::string> paths;
  for (const Module& module : model.modules)
    if (std::holds_alternative<Input>(module.op)) paths.push_back(module.path);
  return paths;
}

}  // namespace

Batches::Batches(const Tensor* first, size_t count) : count_(static_cast<int64_t>(count)), held_(true) {
  make_ = [tensors = std::vector<Tensor>(first, first + count)](int64_t i) { return std::vector<Tensor>{tensors.at(i)}; };
}

Batches::Batches(std::vector<std::vector<Tensor>> list) : count_(static_cast<int64_t>(list.size())), held_(true) {
  make_ = [batches = std::move(list)](int64_t i) { return batches.at(i); };
}

Batches Batches::first(int64_t count) const {
  Batches some = *this;
  some.count_ = std::min(count_, count);
  return some;
}

Batches Batches::rest(int64_t done) const {
  check(done >= 0, "Batches::rest: expected a number of batches that are done, got ", done);
  Batches some = *this;
  some.count_ = std::max<int64_t>(0, count_ - done);
  some.make_ = [make = make_, done](int64_t i) { return make(i + done); };
  return some;
}

std::vector<Tensor> Batches::batch(int64_t i, const Model& model, std::string_view who) const {
  check(i >= 0 && i < count_, who, ": batch ", i, " of ", count_);
  std::vector<Tensor> inputs = make_(i);
  const std::vector<std::string> paths = input_paths(model);
  if (inputs.size() != paths.size()) check_input_count(model, inputs.size(), std::string(who) + ": batch " + std::to_string(i));
  for (size_t k = 0; k < inputs.size(); ++k)
    check(inputs[k].numel() > 0, who, ": batch ", i, " is empty", paths.size() > 1 ? " in " + paths[k] : "");
  return inputs;
}

void check_input_count(const Model& model, size_t given, std::string_view who) {
  const std::vector<std::string> paths = input_paths(model);
  if (given == paths.size()) return;
  std::string names;
  for (const std::string& path : paths) names += (names.empty() ? "" : ", ") + path;
  fail(who, " has ", given, given == 1 ? " tensor" : " tensors", ", the model has ", paths.size(),
       paths.size() == 1 ? " input: " : " inputs: ", names, paths.size() > 1 ? "; a batch is one tensor for each of them" : "");
}

int64_t rows_of(std::span<const Tensor> inputs) { return inputs.empty() || inputs[0].rank() == 0 ? 1 : inputs[0].size(0); }

}  // namespace octet
