// SPDX-License-Identifier: Apache-2.0
// Greedy packings by several orders, then branch and bound. The search places blocks on the skyline in order of their final offset;
// sorting an optimal packing by offset and dropping every block onto the ones below it shows that this reaches an optimum.
#include "compile/arena_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "engine/check.h"

namespace octet {
namespace {

bool overlap(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

/// Lowest offset at which each block of `order` fits between those placed before it.
std::vector<int64_t> first_fit(std::span<const Lifetime> blocks, std::span<const size_t> order) {
  std::vector<int64_t> offsets(blocks.size());
  std::vector<size_t> placed;  // by offset
  for (const size_t i : order) {
    int64_t at = 0;
    for (const size_t p : placed)
      if (overlap(blocks[i], blocks[p])) {
        if (at + blocks[i].bytes <= offsets[p]) break;
        at = std::max(at, offsets[p] + blocks[p].bytes);
      }
    offsets[i] = at;
    placed.insert(std::ranges::upper_bound(placed, at, {}, [&](size_t p) { return offsets[p]; }), i);
  }
  return offsets;
}

int64_t height(std::span<const Lifetime> blocks, std::span<const int64_t> offsets) {
  int64_t top = 0;
  for (size_t i = 0; i < blocks.size(); ++i) top = std::max(top, offsets[i] + blocks[i].bytes);
  return top;
}

/// The exhaustive search, bounded in nodes.
class Search {
 public:
  Search(std::span<const Lifetime> blocks, int steps, int64_t lower_bound, int64_t nodes)
      : blocks_(blocks), skyline_(static_cast<size_t>(steps)), lower_bound_(lower_bound), nodes_(nodes), offsets_(blocks.size()) {
    for (size_t i = 0; i < blocks.size(); ++i) rest_.push_back(i);
    // Long and large blocks first: they decide the height.
    std::ranges::stable_sort(rest_, std::greater<>{},
                             [&](size_t i) { return blocks_[i].bytes * (blocks_[i].last - blocks_[i].first + 1); });
  }

  /// Improves `best`; true if nothing better exists.
  bool run(std::vector<int64_t>& best, int64_t& best_height) {
    best_ = &best, best_height_ = &best_height;
    descend(0, 0);
    return nodes_ > 0;
  }

 private:
  int64_t& sky(int step) { return skyline_[static_cast<size_t>(step)]; }

  /// `from`: offset of the block placed last; later ones lie no lower.
  void descend(int64_t from, int64_t top) {
    if (rest_.empty()) {
      *best_ = offsets_, *best_height_ = top;
      return;
    }
    for (size_t k = 0; k < rest_.size(); ++k) {
      if (*best_height_ == lower_bound_ || nodes_ <= 0) return;
      const size_t i = rest_[k];
      const Lifetime& b = blocks_[i];
      int64_t at = 0;
      for (int s = b.first; s <= b.last; ++s) at = std::max(at, sky(s));
      // Below the last one it belongs to another order; at or above the best height it can not improve.
      if (at < from || at + b.bytes >= *best_height_) {
        if (at + b.bytes >= *best_height_) return;  // the skyline only grows: this block will never fit
        continue;
      }
      --nodes_;
      std::vector<int64_t> saved(skyline_.begin() + b.first, skyline_.begin() + b.last + 1);
      for (int s = b.first; s <= b.last; ++s) sky(s) = at + b.bytes;
      offsets_[i] = at;
      rest_.erase(rest_.begin() + static_cast<ptrdiff_t>(k));
      descend(at, std::max(top, at + b.bytes));
      rest_.insert(rest_.begin() + static_cast<ptrdiff_t>(k), i);
      std::ranges::copy(saved, skyline_.begin() + b.first);
    }
  }

  std::span<const Lifetime> blocks_;
  std::vector<int64_t> skyline_;
  int64_t lower_bound_, nodes_;
  std::vector<int64_t> offsets_;
  std::vector<size_t> rest_;
  std::vector<int64_t>* best_ = nullptr;
  int64_t* best_height_ = nullptr;
};

}  // namespace

ArenaPlan plan_arena(std::span<const Lifetime> lifetimes, int64_t alignment, int64_t search_nodes) {
  check(alignment > 0, "plan_arena: alignment must be positive, got ", alignment);
  std::vector<Lifetime> blocks(lifetimes.begin(), lifetimes.end());
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t sum = 0;
  int steps = 0;
  for (Lifetime& b : blocks) {
    check(b.bytes >= 0 && b.first >= 0 && b.first <= b.last, "plan_arena: ", b.bytes, " bytes from step ", b.first, " to ", b.last);
    check(b.bytes <= kMax - alignment && sum <= kMax - (b.bytes + alignment), "plan_arena: more than 2^63 bytes");
    b.bytes = (b.bytes + alignment - 1) / alignment * alignment;
    sum += b.bytes;
    steps = std::max(steps, b.last + 1);
  }
  ArenaPlan plan;
  std::vector<int64_t> alive(static_cast<size_t>(steps));
  for (const Lifetime& b : blocks)
    for (int s = b.first; s <= b.last; ++s) plan.lower_bound = std::max(plan.lower_bound, alive[static_cast<size_t>(s)] += b.bytes);

  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto length = [&](size_t i) { return int64_t{blocks[i].last} - blocks[i].first + 1; };
  const auto attempt = [&](auto key) {
    std::vector<size_t> sorted = order;
    std::ranges::stable_sort(sorted, std::greater<>{}, key);
    std::vector<int64_t> offsets = first_fit(blocks, sorted);
    if (const int64_t h = height(blocks, offsets); plan.offsets.empty() || h < plan.bytes)
      plan.offsets = std::move(offsets), plan.bytes = h;
  };
  attempt([&](size_t i) { return blocks[i].bytes; });
  attempt([&](size_t i) { return length(i); });
  attempt([&](size_t i) { return blocks[i].bytes * length(i); });
  attempt([&](size_t i) { return -int64_t{blocks[i].first}; });
  plan.optimal = plan.bytes == plan.lower_bound;
  if (!plan.optimal && search_nodes > 0)
    plan.optimal =
        Search(blocks, steps, plan.lower_bound, search_nodes).run(plan.offsets, plan.bytes) || plan.bytes == plan.lower_bound;
  return plan;
}

}  // namespace octet
