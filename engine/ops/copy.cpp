// SPDX-License-Identifier: Apache-2.0
// What each operator that copies by indices picks of its input.
#include "engine/ops/copy.h"

#include <algorithm>
#include <cmath>

#include "engine/check.h"

namespace octet {
namespace {

Pick whole(const Shape& x) {
  Pick pick;
  for (const int64_t n : x) pick.axes.push_back(all_of(n));
  return pick;
}

void check_axes(const Shape& axes, const Shape& x, std::string_view path) {
  for (const int64_t axis : axes) {
    check(axis >= 0 && axis < static_cast<int64_t>(x.size()), path, ": axis ", axis, " of shape ", to_string(x));
    check(std::ranges::count(axes, axis) == 1, path, ": axis ", axis, " is named twice");
  }
}

/// More elements than any axis may have; what a file claims is not to be allocated.
constexpr int64_t kLongest = int64_t{1} << 24;

/// Place `at` of an axis of n that goes on beyond its ends.
int64_t beyond(int64_t at, int64_t n, PadMode mode) {
  if (at >= 0 && at < n) return at;
  switch (mode) {
    case PadMode::constant: return -1;
    case PadMode::replicate: return at < 0 ? 0 : n - 1;
    case PadMode::circular: return ((at % n) + n) % n;
    case PadMode::reflect: {
      const int64_t period = 2 * (n - 1), inside = period == 0 ? 0 : ((at % period) + period) % period;
      return inside < n ? inside : period - inside;
    }
  }
  return -1;
}

}  // namespace

Pick Pad::pick(const Shape& x, std::string_view path) const {
  check(before.size() == x.size() && after.size() == x.size(), path, ": ", before.size(), " and ", after.size(),
        " paddings for shape ", to_string(x));
  check(mode <= PadMode::circular, path, ": unknown padding ", static_cast<int>(mode));
  check(std::isfinite(static_cast<float>(value)), path, ": padding with ", value);
  Shape padded;
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t n = x[i];
    for (const int64_t size : {before[i], after[i]})
      check(size > -kLongest && size < kLongest, path, ": padding ", before[i], " and ", after[i]);
    check(before[i] + n + after[i] > 0 || (n == 0 && before[i] == 0 && after[i] == 0), path, ": padding ", before[i], " and ",
          after[i], " leaves nothing of axis ", i, " of shape ", to_string(x));
    const int64_t most = std::max(before[i], after[i]);
    check(mode != PadMode::reflect || most < n || most <= 0, path, ": reflected padding of ", most, " for axis ", i, " of shape ",
          to_string(x));
    check(mode == PadMode::constant || n > 0 || most <= 0, path, ": nothing to pad axis ", i, " of shape ", to_string(x), " with");
    check(mode != PadMode::circular || most <= n, path, ": circular padding of ", most, " for axis ", i, " of shape ",
          to_string(x));
    padded.push_back(before[i] + n + after[i]);
  }
  check_picked_shape(padded, path);
  Pick pick{{}, value};
  for (size_t i = 0; i < x.size(); ++i) {
    auto& axis = pick.axes.emplace_back();
    for (int64_t at = -before[i]; at < x[i] + after[i]; ++at) axis.push_back(beyond(at, x[i], mode));
  }
  return pick;
}

Pick Flip::pick(const Shape& x, std::string_view path) const {
  check_axes(axes, x, path);
  Pick pick = whole(x);
  for (const int64_t axis : axes) {
    auto& own = pick.axes[static_cast<size_t>(axis)];
    std::reverse(own.begin(), own.end());
  }
  return pick;
}

Pick Roll::pick(const Shape& x, std::string_view path) const {
  check(axes.size() == shifts.size(), path, ": ", axes.size(), " axes with ", shifts.size(), " shifts");
  check_axes(axes, x, path);
  Pick pick = whole(x);
  for (size_t i = 0; i < axes.size(); ++i) {
    auto& axis = pick.axes[static_cast<size_t>(axes[i])];
    const auto n = static_cast<int64_t>(axis.size());
    if (n > 0) std::rotate(axis.begin(), axis.begin() + (n - shifts[i] % n) % n, axis.end());
  }
  return pick;
}

Pick Gather::pick(const Shape& x, std::string_view path) const {
  check_axes({axis}, x, path);
  Pick pick = whole(x);
  const int64_t n = x[static_cast<size_t>(axis)];
  for (const int64_t at : indices)
    if (at < -n || at >= n) fail(path, ": index ", at, " into axis ", axis, " of shape ", to_string(x));
  auto& chosen = pick.axes[static_cast<size_t>(axis)];
  chosen.clear();
  for (const int64_t at : indices) chosen.push_back(at < 0 ? at + n : at);
  return pick;
}

Pick Tile::pick(const Shape& x, std::string_view path) const {
  check(repeats.size() == x.size(), path, ": ", repeats.size(), " repeats for shape ", to_string(x));
  Shape tiled;
  for (size_t i = 0; i < x.size(); ++i) {
    check(repeats[i] > 0 && repeats[i] < kLongest && x[i] < kLongest && repeats[i] * x[i] < kLongest, path, ": axis ", i,
          " of shape ", to_string(x), " repeated ", repeats[i], " times");
    tiled.push_back(repeats[i] * x[i]);
  }
  check_picked_shape(tiled, path);
  Pick pick;
  for (size_t i = 0; i < x.size(); ++i) {
    auto& axis = pick.axes.emplace_back();
    for (int64_t at = 0; at < repeats[i] * x[i]; ++at) axis.push_back(at % x[i]);
  }
  return pick;
}

}  // namespace octet
