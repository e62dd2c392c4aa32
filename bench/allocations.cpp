// SPDX-License-Identifier: Apache-2.0
// operator new and malloc with counters. The caller's return address tells who asked. A standard container's code that lies in the
// C++ library itself counts as octet's, so octet never looks better than it is.
#include "bench/allocations.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
}

namespace {

struct Range {
  uintptr_t begin = 0, end = 0;
};
std::array<Range, 64> g_onednn;
std::atomic<size_t> g_ranges{0};
std::atomic<bool> g_counting{false};
std::atomic<int64_t> g_by_octet{0}, g_by_onednn{0};

void find_libraries() {
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  if (maps == nullptr) return;
  char line[1024];
  size_t n = 0;
  while (std::fgets(line, sizeof(line), maps) != nullptr) {
    unsigned long begin = 0, end = 0;
    if (std::strstr(line, "libdnnl") == nullptr && std::strstr(line, "libgomp") == nullptr) continue;
    if (std::sscanf(line, "%lx-%lx", &begin, &end) == 2 && n < g_onednn.size()) g_onednn[n++] = {begin, end};
  }
  std::fclose(maps);
  g_ranges.store(n);
}

void count(const void* caller) {
  if (!g_counting.load(std::memory_order_relaxed)) return;
  const auto address = reinterpret_cast<uintptr_t>(caller);
  for (size_t i = 0, n = g_ranges.load(std::memory_order_relaxed); i < n; ++i)
    if (address >= g_onednn[i].begin && address < g_onednn[i].end) {
      g_by_onednn.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  g_by_octet.fetch_add(1, std::memory_order_relaxed);
}

void* or_throw(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

namespace octet::bench {

Allocations allocations() {
  if (!g_counting.load()) {
    find_libraries();
    g_counting.store(true);
  }
  return {g_by_octet.load(), g_by_onednn.load()};
}

}  // namespace octet::bench

#define CALLER __builtin_return_address(0)

extern "C" {
void* malloc(size_t n) {
  count(CALLER);
  return __libc_malloc(n);
}
void* calloc(size_t n, size_t size) {
  count(CALLER);
  return __libc_calloc(n, size);
}
void* realloc(void* p, size_t n) {
  count(CALLER);
  return __libc_realloc(p, n);
}
void* memalign(size_t alignment, size_t n) {
  count(CALLER);
  return __libc_memalign(alignment, n);
}
void* aligned_alloc(size_t alignment, size_t n) {
  count(CALLER);
  return __libc_memalign(alignment, n);
}
int posix_memalign(void** p, size_t alignment, size_t n) {
  count(CALLER);
  *p = __libc_memalign(alignment, n);
  return *p == nullptr ? ENOMEM : 0;
}
}

void* operator new(size_t n) {
  count(CALLER);
  return or_throw(__libc_malloc(n));
}
void* operator new[](size_t n) {
  count(CALLER);
  return or_throw(__libc_malloc(n));
}
void* operator new(size_t n, std::align_val_t alignment) {
  count(CALLER);
  return or_throw(__libc_memalign(static_cast<size_t>(alignment), n));
}
void* operator new[](size_t n, std::align_val_t alignment) {
  count(CALLER);
  return or_throw(__libc_memalign(static_cast<size_t>(alignment), n));
}
void operator delete(void* p) noexcept { __libc_free(p); }
void operator delete[](void* p) noexcept { __libc_free(p); }
void operator delete(void* p, size_t) noexcept { __libc_free(p); }
void operator delete[](void* p, size_t) noexcept { __libc_free(p); }
void operator delete(void* p, std::align_val_t) noexcept { __libc_free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { __libc_free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { __libc_free(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { __libc_free(p); }
