// SPDX-License-Identifier: Apache-2.0
// The thread pool: every index once, the same cut every time, nested and concurrent use.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "kernels/parallel.h"
#include "tests/catch.h"

using namespace octet;

namespace {

/// The cut of [0, n): begin of each chunk, then n.
std::vector<int64_t> cut(int64_t n, int64_t grain) {
  std::vector<int64_t> begins(static_cast<size_t>(chunks(n, grain)) + 1, -1);
  parallel(n, grain, [&](int chunk, int64_t begin, int64_t) { begins[static_cast<size_t>(chunk)] = begin; });
  begins.back() = n;
  return begins;
}

/// Whether every index of [0, n) was visited exactly once, by at most chunks() chunks.
bool visits_each_once(int64_t n, int64_t grain) {
  std::vector<std::atomic<int>> visits(static_cast<size_t>(n));
  std::atomic<bool> numbers_fit{true};
  const int count = chunks(n, grain);
  parallel(n, grain, [&](int chunk, int64_t begin, int64_t end) {
    if (chunk < 0 || chunk >= count || begin >= end) numbers_fit = false;
    for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
  });
  for (const auto& v : visits)
    if (v != 1) return false;
  return numbers_fit;
}

}  // namespace

TEST_CASE("chunks cover every index once") {
  for (const int threads : {1, 2, 3, 8})
    for (const int64_t n : {1, 2, 3, 7, 100, 1001})
      for (const int64_t grain : {0, 1, 3, 50, 5000}) {
        const ThreadsScope scope(threads);
        INFO(threads << " threads, n " << n << ", grain " << grain);
        CHECK(visits_each_once(n, grain));
      }
}

TEST_CASE("nothing is called for an empty range") {
  bool called = false;
  parallel(0, 1, [&](int, int64_t, int64_t) { called = true; });
  CHECK_FALSE(called);
}

TEST_CASE("the cut depends on size, grain and threads only") {
  const ThreadsScope scope(3);
  CHECK(cut(10, 1) == std::vector<int64_t>{0, 3, 6, 10});
  CHECK(cut(10, 4) == std::vector<int64_t>{0, 5, 10});
  CHECK(cut(10, 6) == std::vector<int64_t>{0, 10});
  for (int i = 0; i < 100; ++i) CHECK(cut(10, 1) == std::vector<int64_t>{0, 3, 6, 10});
}

TEST_CASE("a parallel region inside another runs inline as one chunk") {
  const ThreadsScope scope(3);
  std::atomic<int> inner_calls{0}, inner_length{0}, foreign{0};
  parallel(3, 1, [&](int, int64_t, int64_t) {
    const auto self = std::this_thread::get_id();
    parallel(100, 1, [&](int chunk, int64_t begin, int64_t end) {
      ++inner_calls;
      inner_length += static_cast<int>(end - begin);
      if (chunk != 0 || std::this_thread::get_id() != self) ++foreign;
    });
  });
  CHECK(inner_calls == 3);
  CHECK(inner_length == 300);
  CHECK(foreign == 0);
}

TEST_CASE("several application threads use the pool at once") {
  constexpr int kCallers = 4, kRounds = 500;
  std::atomic<int64_t> total{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < kCallers; ++t)
    callers.emplace_back([&] {
      const ThreadsScope scope(3);
      for (int round = 0; round < kRounds; ++round) {
        std::vector<int> seen(50);  // written without atomics: a chunk run twice or after return is a race
        parallel(50, 1, [&](int, int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
        });
        for (const int s : seen) total += s;
      }
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(total == int64_t{kCallers} * kRounds * 50);
}

TEST_CASE("workers that have gone to sleep wake for the next region") {
  const ThreadsScope scope(2);
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    // Each chunk waits for the other, so this returns only if two threads take part.
    std::atomic<int> started{0};
    parallel(2, 1, [&](int, int64_t, int64_t) {
      ++started;
      while (started < 2) std::this_thread::yield();
    });
    CHECK(started == 2);
  }
}

TEST_CASE("the number of threads is set for the process and overridden for a scope") {
  set_threads(5);
  CHECK(threads() == 5);
  {
    const ThreadsScope scope(2);
    CHECK(threads() == 2);
    CHECK(chunks(100, 1) == 2);
    std::thread([] { CHECK(threads() == 5); }).join();
    {
      const ThreadsScope inner(0);
      CHECK(threads() >= 1);
    }
    CHECK(threads() == 2);
  }
  CHECK(threads() == 5);
  set_threads(0);
  CHECK(threads() >= 1);
}
