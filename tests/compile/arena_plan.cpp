// SPDX-License-Identifier: Apache-2.0
// Arena plans: nothing alive at once overlaps, small problems reach the true optimum (found by another method), bad input is
// refused.
#include "compile/arena_plan.h"
#include "compile/memory_planner.h"

#include <algorithm>
#include <random>
#include <span>

#include "engine/check.h"
#include "tests/catch.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

std::vector<Lifetime> random_lifetimes(std::mt19937& rng, size_t n, int steps, int64_t largest) {
  std::vector<Lifetime> all(n);
  for (Lifetime& l : all) {
    l.first = static_cast<int>(rng() % static_cast<unsigned>(steps));
    l.last = std::min(steps - 1, l.first + static_cast<int>(rng() % 4));
    l.bytes = static_cast<int64_t>(rng() % static_cast<unsigned>(largest + 1));
  }
  return all;
}

void check_plan(const std::vector<Lifetime>& all, const ArenaPlan& plan, int64_t alignment) {
  REQUIRE(plan.offsets.size() == all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    REQUIRE(plan.offsets[i] >= 0);
    REQUIRE(plan.offsets[i] % alignment == 0);
    REQUIRE(plan.offsets[i] + all[i].bytes <= plan.bytes);
    for (size_t j = 0; j < i; ++j) {
      const bool alive = all[i].first <= all[j].last && all[j].first <= all[i].last;
      const bool apart = plan.offsets[i] + all[i].bytes <= plan.offsets[j] || plan.offsets[j] + all[j].bytes <= plan.offsets[i];
      INFO(i << " and " << j);
      REQUIRE((!alive || apart || all[i].bytes == 0 || all[j].bytes == 0));
    }
  }
  REQUIRE(plan.bytes >= plan.lower_bound);
}

/// Is there a packing of this height? Every offset is tried for every block: nothing in common with the planner. `offsets` has
/// room for all; the first `placed` are.
bool fits(std::span<const Lifetime> all, int64_t height, int64_t* offsets, size_t placed = 0) {
  if (placed == all.size()) return true;
  const Lifetime own = all[placed];
  for (int64_t at = 0; at + own.bytes <= height; ++at) {
    bool free = true;
    for (size_t j = 0; j < placed && free; ++j) {
      const Lifetime& other = all.data()[j];  // under sanitizers a checked index here is most of the time of all
      const bool alive = own.first <= other.last && other.first <= own.last;
      free = !alive || at >= offsets[j] + other.bytes || offsets[j] >= at + own.bytes;
    }
    offsets[placed] = at;
    if (free && fits(all, height, offsets, placed + 1)) return true;
  }
  return false;
}

bool fits(const std::vector<Lifetime>& all, int64_t height) {
  std::vector<int64_t> offsets(all.size());
  return fits(all, height, offsets.data());
}

}  // namespace

TEST_CASE("nothing that is alive at once overlaps, whatever the sizes, lifetimes and alignment") {
  std::mt19937 rng(1);
  for (int round = 0; round < 300; ++round) {
    const auto all = random_lifetimes(rng, 1 + rng() % 40, 1 + static_cast<int>(rng() % 20), 1000);
    for (const int64_t alignment : {1, 16, 64}) check_plan(all, plan_arena(all, alignment, 2000), alignment);
  }
}

TEST_CASE("plans of small problems are proved optimal, and are") {
  std::mt19937 rng(2);
  int greedy_worse = 0;
  for (int round = 0; round < 1500; ++round) {
    const auto all = random_lifetimes(rng, 7, 7, 6);
    const ArenaPlan plan = plan_arena(all, 1);
    check_plan(all, plan, 1);
    REQUIRE(plan.optimal);
    REQUIRE(fits(all, plan.bytes));
    if (plan.bytes > 0) REQUIRE_FALSE(fits(all, plan.bytes - 1));
    greedy_worse += plan_arena(all, 1, 0).bytes > plan.bytes;
  }
  // The search must have had something to do, or this test shows nothing.
  CHECK(greedy_worse > 0);
}

TEST_CASE("a chain of layers needs its largest neighbours, a residual block one more") {
  const std::vector<Lifetime> chain{{100, 0, 1}, {300, 1, 2}, {50, 2, 3}, {200, 3, 4}};
  const ArenaPlan plan = plan_arena(chain, 1);
  CHECK(plan.bytes == 400);
  CHECK(plan.lower_bound == 400);
  CHECK(plan.optimal);
  const std::vector<Lifetime> residual{{100, 0, 3}, {100, 1, 2}, {100, 2, 3}, {100, 3, 4}};
  CHECK(plan_arena(residual, 1).bytes == 300);
  CHECK(plan_arena(residual, 64).bytes == 3 * 128);
}

TEST_CASE("an interrupted search says that nothing is proved") {
  std::mt19937 rng(6);
  int unproved = 0;
  for (int round = 0; round < 50; ++round) {
    const auto all = random_lifetimes(rng, 30, 10, 1000);
    const ArenaPlan plan = plan_arena(all, 1, 10);
    check_plan(all, plan, 1);
    CHECK((plan.optimal || plan.bytes > plan.lower_bound));
    unproved += !plan.optimal;
  }
  CHECK(unproved > 0);
}

TEST_CASE("no lifetimes, empty ones and impossible ones") {
  CHECK(plan_arena({}, 64).bytes == 0);
  CHECK(plan_arena({}, 64).optimal);
  const std::vector<Lifetime> empty{{0, 0, 5}, {7, 2, 2}};
  CHECK(plan_arena(empty, 1).bytes == 7);
  const auto refused = [](Lifetime l, int64_t alignment) {
    const std::vector<Lifetime> one{l, l};
    return [one, alignment] { return plan_arena(one, alignment); };
  };
  CHECK_THROWS_WITH(refused({-1, 0, 0}, 1)(), Contains("-1 bytes"));
  CHECK_THROWS_WITH(refused({1, 3, 2}, 1)(), Contains("from step 3 to 2"));
  CHECK_THROWS_WITH(refused({1, 0, 0}, 0)(), Contains("alignment must be positive"));
  CHECK_THROWS_WITH(refused({int64_t{1} << 62, 0, 0}, 16)(), Contains("2^63"));
}

TEST_CASE("a value takes over memory only of an input of its size that nobody reads later, where the kernel allows it") {
  const auto taken = [](int64_t in, int64_t out, int64_t written, int last, uint8_t overwrites) {
    MemoryPlanner planner;
    const int a = planner.add(in, last), b = planner.add(out, 5);
    planner.open(a, 0);
    const std::vector<int> inputs{a};
    return planner.open_or_overwrite(b, {inputs, overwrites, written, 1});
  };
  CHECK(taken(64, 64, 64, 1, 1));
  CHECK_FALSE(taken(64, 64, 64, 1, 0));
  CHECK_FALSE(taken(64, 64, 64, 2, 1));
  CHECK_FALSE(taken(64, 128, 128, 1, 1));
  CHECK_FALSE(taken(128, 64, 64, 1, 1));
  CHECK_FALSE(taken(64, 64, 32, 1, 1));  // the rest would be another's bytes
}
