// SPDX-License-Identifier: Apache-2.0
// Axes of one layout in another.
#include "engine/ops/axis_order.h"

#include <algorithm>

#include "engine/check.h"

namespace octet {

bool is_permutation(Shape order) {
  std::ranges::sort(order);
  for (size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<int64_t>(i)) return false;
  return true;
}

AxisOrder::AxisOrder(Shape order) : order_(std::move(order)) {
  check(is_permutation(order_), "AxisOrder: ", to_string(order_), " is no permutation of ", order_.size(), " axes");
}

bool AxisOrder::is_identity() const { return std::ranges::is_sorted(order_); }

bool AxisOrder::move(int64_t& axis) const {
  const auto rank = static_cast<int64_t>(order_.size());
  if (axis < -rank || axis >= rank) return false;
  axis = std::ranges::find(order_, axis < 0 ? axis + rank : axis) - order_.begin();
  return true;
}

bool AxisOrder::move(Shape& axes) const {
  return std::ranges::all_of(axes, [&](int64_t& axis) { return move(axis); });
}

bool AxisOrder::reorder(Shape& by_axis) const {
  if (by_axis.size() != order_.size()) return false;
  const Shape old = by_axis;
  for (size_t i = 0; i < order_.size(); ++i) by_axis[i] = old[static_cast<size_t>(order_[i])];
  return true;
}

}  // namespace octet
