// SPDX-License-Identifier: Apache-2.0
// An output buffer that notices writes beyond its ends.
#pragma once

#include <algorithm>
#include <cstdint>
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

}  // namespace octet::testing
