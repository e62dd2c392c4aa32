// SPDX-License-Identifier: Apache-2.0
// An output buffer that notices writes beyond its ends, and memory that ends where the process may not read on.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

namespace octet::testing {

/// Output bytes with a band on either side that nobody may touch.
class Guarded {
 public:
  explicit Guarded(size_t n, uint8_t inside = 0x5a) : data_(n + 2 * kBand, kGuard) {
    std::fill_n(data_.begin() + kBand, n, inside);
  }
  uint8_t* data() { return data_.data() + kBand; }
  std::vector<uint8_t> inner() const { return {data_.begin() + kBand, data_.end() - kBand}; }
  bool intact() const {
    for (size_t i = 0; i < kBand; ++i)
      if (data_[i] != kGuard || data_[data_.size() - 1 - i] != kGuard) return false;
    return true;
  }

 private:
  static constexpr int kBand = 64;
  static constexpr uint8_t kGuard = 0xa5;
  std::vector<uint8_t> data_;
};

/// Bytes whose last one is the last of a page; the next page may not be touched. Vector instructions and assembly are seen, too.
class PageEnd {
 public:
  explicit PageEnd(size_t n) : n_(n) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    whole_ = (n + page - 1) / page * page + page;
    void* memory = ::mmap(nullptr, whole_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    begin_ = static_cast<uint8_t*>(memory);
    if (::mprotect(begin_ + whole_ - page, page, PROT_NONE) != 0) throw std::bad_alloc();
    end_ = begin_ + whole_ - page;
  }
  PageEnd(const void* from, size_t n) : PageEnd(n) { std::copy_n(static_cast<const uint8_t*>(from), n, data()); }
  PageEnd(PageEnd&& other) noexcept : n_(other.n_), whole_(other.whole_), begin_(other.begin_), end_(other.end_) {
    other.begin_ = nullptr;
  }
  PageEnd(const PageEnd&) = delete;
  PageEnd& operator=(const PageEnd&) = delete;
  ~PageEnd() {
    if (begin_ != nullptr) ::munmap(begin_, whole_);
  }
  uint8_t* data() { return end_ - n_; }

 private:
  size_t n_, whole_ = 0;
  uint8_t *begin_ = nullptr, *end_ = nullptr;
};

}  // namespace octet::testing
