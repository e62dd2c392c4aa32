// SPDX-License-Identifier: Apache-2.0
// A change of layout: what was N,C,H,W and is N,H,W,C from now on.
#pragma once

#include <cstdint>

#include "engine/tensor.h"

namespace octet {

/// Whether it names every axis once.
bool is_permutation(Shape order);

/// Axis i of the new layout is axis order[i] of the old one, as a Transpose of this order gives. The members change what an
/// operator says of axes of the old layout. Where it does not fit tensors of this many axes they return false, and what they were
/// given is worth nothing any more.
class AxisOrder {
 public:
  /// Throws unless `order` names every axis once.
  explicit AxisOrder(Shape order);

  bool is_identity() const;
  /// Whether the last axis stays the last.
  bool keeps_last() const { return order_.empty() || order_.back() + 1 == static_cast<int64_t>(order_.size()); }
  /// An axis, negative ones from the end: where it is now.
  bool move(int64_t& axis) const;
  bool move(Shape& axes) const;
  /// One number for each axis.
  bool reorder(Shape& by_axis) const;

 private:
  Shape order_;
};

}  // namespace octet
