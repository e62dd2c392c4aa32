// SPDX-License-Identifier: Apache-2.0
// The data of a run over many batches: calibration, comparison, diagnosis and bias correction all take it in this one form.
#pragma once

#include <concepts>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace octet {

/// A number of batches, each with one tensor per input of the model in the order of its Input modules. Converts from a list of
/// tensors (models with one input: each tensor is a batch), a list of lists, and a count with a function that makes a batch when
/// it is needed. The function may be asked for a batch more than once and has to give the same one. Tensors share their storage,
/// so holding them copies nothing.
class Batches {
 public:
  using Make = std::function<std::vector<Tensor>(int64_t)>;

  Batches() = default;
  Batches(int64_t count, Make make) : count_(count), make_(std::move(make)) {}
  Batches(int64_t count, std::function<Tensor(int64_t)> make)
      : count_(count), make_([make = std::move(make)](int64_t i) { return std::vector<Tensor>{make(i)}; }) {}
  Batches(const Tensor* first, size_t count);
  template <class List>
  requires std::convertible_to<const List&, std::span<const Tensor>> Batches(const List& list)
      : Batches(std::span<const Tensor>(list).data(), std::span<const Tensor>(list).size()) {}
  Batches(std::vector<std::vector<Tensor>> list);

  int64_t count() const { return count_; }
  bool empty() const { return count_ <= 0; }
  /// Whether batch(i) costs nothing, because the tensors are held and not made.
  bool held() const { return held_; }
  /// The first so many.
  Batches first(int64_t count) const;
  /// All but the first so many: what is left where a run stopped.
  Batches rest(int64_t done) const;
  /// Batch i for this model. Throws naming `who`, the batch and the model's inputs for another number of tensors, or an empty one.
  std::vector<Tensor> batch(int64_t i, const Model&, std::string_view who) const;

 private:
  int64_t count_ = 0;
  Make make_;
  bool held_ = false;
};

/// Throws naming `who` and the model's inputs if it does not have so many.
void check_input_count(const Model&, size_t given, std::string_view who);
/// Rows of a batch: the first axis of its first tensor.
int64_t rows_of(std::span<const Tensor> inputs);

}  // namespace octet
