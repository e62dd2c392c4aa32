// SPDX-License-Identifier: Apache-2.0
// Where the values of a fixed sequence of steps lie in one block of memory: lifetimes in, offsets out. Hosts and firmware images
// are planned by the same function.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace octet {

inline constexpr int64_t kArenaAlignment = 64;  ///< bytes: of a host's arena and of each value in it

/// Memory that is needed from step `first` to step `last`, both included.
struct Lifetime {
  int64_t bytes = 0;
  int first = 0, last = 0;
};

struct ArenaPlan {
  std::vector<int64_t> offsets;  ///< by lifetime, multiples of the alignment
  int64_t bytes = 0;             ///< of the arena, a multiple of the alignment
  int64_t lower_bound = 0;       ///< most bytes alive at one step, each rounded up to the alignment: no plan needs less
  bool optimal = false;          ///< proved: the lower bound is met, or every packing was tried
};

/// Places every lifetime so that no two alive at the same step overlap: the best of several greedy orders, improved by an
/// exhaustive search that gives up after `search_nodes` placements (0: greedy only). The result depends on the arguments only.
/// Throws if a size is negative, a lifetime ends before it begins, the alignment is not positive, or the sum exceeds 63 bits.
ArenaPlan plan_arena(std::span<const Lifetime>, int64_t alignment, int64_t search_nodes = 200'000);

}  // namespace octet
