// SPDX-License-Identifier: Apache-2.0
// In which order PyTorch, whose pictures are N,C,H,W, has the values of each wire of a model whose pictures are N,H,W,C. Private to
// io/.
#pragma once

#include <vector>

#include "engine/model.h"

namespace octet {

/// `picture`: the last axis of three or more is PyTorch's second. `same`: axes as in PyTorch. `unknown`: neither.
enum class Axes : uint8_t { same, picture, unknown };

struct TorchOrder {
  Axes axes = Axes::same;
  /// The last axis: feature i here is feature features[i] there. Empty: the same.
  std::vector<int64_t> features{};
  /// Features became positions and channels without a Transpose that says so.
  bool split = false;
};

/// By module: in which order its first input is, and of a Constant, which has none, what it holds. Follows each wire from the
/// inputs on. Inputs of four axes are pictures, and those of three that a window or a norm of channels reads. Throws naming the
/// module where parameters depend on an order that cannot be told.
std::vector<TorchOrder> torch_orders(const Model&);

}  // namespace octet
