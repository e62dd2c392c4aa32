// SPDX-License-Identifier: Apache-2.0
// The one thread pool. Work is cut into contiguous chunks that depend only on its size and the number of threads, so results that
// depend on the cut (float sums per chunk) repeat exactly for a fixed number of threads.
#pragma once

#include <cstdint>

namespace octet {

/// Threads that parallel() uses in this process; starts as the number of hardware threads. n < 1 restores that.
void set_threads(int n);
/// What set_threads() set, or what a ThreadsScope on the calling thread says.
int threads();

/// Overrides threads() on the calling thread for its lifetime.
class ThreadsScope {
 public:
  explicit ThreadsScope(int n);
  ~ThreadsScope();
  ThreadsScope(const ThreadsScope&) = delete;
  ThreadsScope& operator=(const ThreadsScope&) = delete;

 private:
  int previous_;
};

/// The number of chunks that parallel(n, grain, …) would make now, for per-chunk accumulators.
int chunks(int64_t n, int64_t grain);

/// What parallel() does with the type of its body forgotten: no std::function, so nothing is allocated and no library symbol is
/// instantiated by units compiled for a particular instruction set.
using ChunkCall = void (*)(const void* body, int chunk, int64_t begin, int64_t end);
void run_chunks(int64_t n, int64_t grain, ChunkCall, const void* body);

/// Calls body(chunk, begin, end) for contiguous chunks that cover [0, n), chunk = 0, 1, …, each at least `grain` long where n
/// allows. Runs inline when one chunk suffices, when called from inside another parallel(), while another thread has the pool or in
/// a child that was forked from the pool's process (then chunk by chunk, with the same cut). body must not throw.
template <class Body>
void parallel(int64_t n, int64_t grain, const Body& body) {
  run_chunks(
      n, grain, [](const void* b, int chunk, int64_t begin, int64_t end) { (*static_cast<const Body*>(b))(chunk, begin, end); },
      &body);
}

}  // namespace octet
