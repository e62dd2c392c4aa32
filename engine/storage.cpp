// SPDX-License-Identifier: Apache-2.0
// A cache of freed blocks in size classes (four per power of two), at most kCacheBytes in all.
#include "engine/storage.h"

#include <pthread.h>

#include <bit>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

namespace octet {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kSmallest = size_t{1} << 16;    // below this the system allocator is fast enough
constexpr size_t kCacheBytes = size_t{1} << 29;  // kept for reuse at most

/// Rounded up to a quarter of a power of two, so that nearly equal sizes share blocks and waste stays below 25 %.
size_t size_class(size_t bytes) {
  const size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

class Cache {
 public:
  std::byte* take(size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      std::vector<std::byte*>& blocks = blocks_[bytes];
      if (!blocks.empty()) {
        std::byte* block = blocks.back();
        blocks.pop_back();
        held_ -= bytes;
        return block;
      }
    }
    return new_block(bytes);
  }

  void give(std::byte* block, size_t bytes) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (held_ + bytes <= kCacheBytes) {
        blocks_[bytes].push_back(block);
        held_ += bytes;
        return;
      }
    }
    delete_block(block);
  }

  // A child of fork() has this thread only: whoever held the lock would hold it for ever.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

  void release() {
    const std::lock_guard lock(mutex_);
    for (auto& [bytes, blocks] : blocks_)
      for (std::byte* block : blocks) delete_block(block);
    blocks_.clear();
    held_ = 0;
  }

  static std::byte* new_block(size_t bytes) {
    // Not the form that throws by itself: a sanitizer ends the process there.
    auto* block = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment}, std::nothrow));
    if (block == nullptr) throw std::bad_alloc();
    return block;
  }
  static void delete_block(std::byte* block) { ::operator delete (block, std::align_val_t{kAlignment}); }

 private:
  std::mutex mutex_;
  std::unordered_map<size_t, std::vector<std::byte*>> blocks_;
  size_t held_ = 0;
};

/// Never destroyed: tensors with static lifetime may outlive everything else.
Cache& cache() {
  static Cache* shared = nullptr;
  static Cache& instance = []() -> Cache& {
    Cache* made = new Cache;
    shared = made;
    pthread_atfork([] { shared->lock(); }, [] { shared->unlock(); }, [] { shared->unlock(); });
    return *made;
  }();
  return instance;
}

}  // namespace

std::shared_ptr<std::byte> allocate_storage(size_t bytes) {
  if (bytes < kSmallest) return {Cache::new_block(bytes > 0 ? bytes : 1), [](std::byte* block) { Cache::delete_block(block); }};
  const size_t rounded = size_class(bytes);
  return {cache().take(rounded), [rounded](std::byte* block) { cache().give(block, rounded); }};
}

void release_cached_storage() { cache().release(); }

}  // namespace octet
