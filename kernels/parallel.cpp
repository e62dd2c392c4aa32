// SPDX-License-Identifier: Apache-2.0
// The thread pool behind parallel(). Chunks are claimed from one atomic word, by the caller as well as by the workers, so a region
// that is shorter than waking a worker costs no waiting; who runs a chunk never changes what it computes.
#include "kernels/parallel.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "kernels/float_scope.h"

namespace octet {
namespace {

constexpr int kMaxThreads = 1024;
constexpr auto kSpin = std::chrono::microseconds(30);  // waking a sleeping thread takes about as long

std::atomic<int> default_threads{0};            // 0: hardware threads
std::atomic<bool> forked{false};                // this process has the memory of a pool but not its threads
thread_local constinit int scoped_threads = 0;  // 0: default_threads
thread_local constinit bool inside_parallel = false;

int hardware_threads() {
  static const int n = static_cast<int>(std::thread::hardware_concurrency());
  return n < 1 ? 1 : n;
}
int limited(int n) { return n < 1 ? hardware_threads() : n > kMaxThreads ? kMaxThreads : n; }

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until ready() or kSpin has passed; the last value of ready().
template <class Ready>
bool spin_until(const Ready& ready) {
  for (int i = 0; i < 64; ++i) {  // no clock for the shortest waits
    if (ready()) return true;
    relax();
  }
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

void run_chunk(ChunkCall call, const void* body, int64_t n, int count, int chunk) {
  call(body, chunk, n * chunk / count, n * (chunk + 1) / count);
}

class Pool {
 public:
  /// False: another thread has the pool.
  bool run(int64_t n, int count, ChunkCall call, const void* body) {
    if (forked.load(std::memory_order_relaxed)) return false;  // a lock may be held by a thread that is not here
    std::unique_lock owner(owner_, std::try_to_lock);
    if (!owner) return false;
    grow(count - 1);
    // A worker reads these only to claim a chunk of the job they belong to: its compare-exchange on claim_ fails once that job is
    // over.
    n_.store(n, std::memory_order_relaxed);
    call_.store(call, std::memory_order_relaxed);
    body_.store(body, std::memory_order_relaxed);
    pending_.store(count, std::memory_order_relaxed);
    claim_.store(++job_ << 32 | static_cast<uint64_t>(count) << 16);
    if (sleepers_.load() > 0) {
      { std::lock_guard lock(sleep_); }
      wake_.notify_all();
    }
    while (claim_one()) {
    }
    const auto done = [&] { return pending_.load() == 0; };
    if (!spin_until(done)) {
      std::unique_lock lock(sleep_);
      caller_waits_.store(true);
      finished_.wait(lock, done);
      caller_waits_.store(false);
    }
    return true;
  }

  void stop() {
    if (forked.load()) return;
    std::unique_lock owner(owner_, std::try_to_lock);
    if (!owner) return;  // exit() from inside a job, or beside one
    {
      std::lock_guard lock(sleep_);
      stop_.store(true);
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

 private:
  static bool has_work(uint64_t claim) { return (claim & 0xffff) < (claim >> 16 & 0xffff); }

  void grow(int wanted) {
    if (stop_.load()) return;
    try {
      while (static_cast<int>(workers_.size()) < wanted) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // No more threads to be had: those there are, and the caller, run every chunk.
    }
  }

  /// Runs the next unclaimed chunk, if any. claim_ = job | chunks of the job | next chunk.
  bool claim_one() {
    uint64_t claim = claim_.load();
    while (has_work(claim)) {
      const int64_t n = n_.load(std::memory_order_relaxed);
      const ChunkCall call = call_.load(std::memory_order_relaxed);
      const void* body = body_.load(std::memory_order_relaxed);
      if (!claim_.compare_exchange_weak(claim, claim + 1)) continue;
      inside_parallel = true;
      run_chunk(call, body, n, static_cast<int>(claim >> 16 & 0xffff), static_cast<int>(claim & 0xffff));
      inside_parallel = false;
      if (pending_.fetch_sub(1) == 1 && caller_waits_.load()) {
        { std::lock_guard lock(sleep_); }
        finished_.notify_one();
      }
      return true;
    }
    return false;
  }

  void work() {
    const FloatScope environment;  // not what the thread that made the pool happened to compute in
    const auto ready = [this] { return has_work(claim_.load()) || stop_.load(); };
    while (true) {
      if (!spin_until(ready)) {
        std::unique_lock lock(sleep_);
        sleepers_.fetch_add(1);
        wake_.wait(lock, ready);
        sleepers_.fetch_sub(1);
      }
      if (stop_.load()) return;
      claim_one();
    }
  }

  std::mutex owner_;  // held by the thread whose job this is
  std::vector<std::thread> workers_;
  uint64_t job_ = 0;
  std::atomic<int64_t> n_{0};
  std::atomic<ChunkCall> call_{nullptr};
  std::atomic<const void*> body_{nullptr};
  alignas(64) std::atomic<uint64_t> claim_{0};
  alignas(64) std::atomic<int> pending_{0};
  alignas(64) std::mutex sleep_;
  std::condition_variable wake_, finished_;
  std::atomic<int> sleepers_{0};
  std::atomic<bool> caller_waits_{false}, stop_{false};
};

/// Made at first use and never destroyed: at exit its threads are joined, and whatever still calls parallel() then runs inline.
Pool& pool() {
  static Pool& instance = []() -> Pool& {
    Pool* made = new Pool;
    std::atexit([] { pool().stop(); });
    pthread_atfork(nullptr, nullptr, [] { forked.store(true); });
    return *made;
  }();
  return instance;
}

}  // namespace

void set_threads(int n) { default_threads.store(n < 1 ? 0 : limited(n)); }

int threads() { return scoped_threads > 0 ? scoped_threads : limited(default_threads.load(std::memory_order_relaxed)); }

ThreadsScope::ThreadsScope(int n) : previous_(scoped_threads) { scoped_threads = limited(n); }
ThreadsScope::~ThreadsScope() { scoped_threads = previous_; }

int chunks(int64_t n, int64_t grain) {
  if (inside_parallel || n < 1) return 1;
  const int64_t wanted = n / (grain < 1 ? 1 : grain);
  const int limit = threads();
  return wanted < 1 ? 1 : wanted > limit ? limit : static_cast<int>(wanted);
}

void run_chunks(int64_t n, int64_t grain, ChunkCall call, const void* body) {
  if (n < 1) return;
  const int count = chunks(n, grain);
  if (count == 1) return call(body, 0, 0, n);
  if (pool().run(n, count, call, body)) return;
  inside_parallel = true;
  for (int chunk = 0; chunk < count; ++chunk) run_chunk(call, body, n, count, chunk);
  inside_parallel = false;
}

}  // namespace octet
