// SPDX-License-Identifier: Apache-2.0
// What every kernel test shares: fills, guarded output buffers, codes of either type as integers, and a runner that checks that
// the result does not depend on how the units are cut.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/args.h"
#include "kernels/with_rounding.h"
#include "tests/catch.h"

namespace octet::testing {

using kernels::CodeType;

inline constexpr Rounding kRoundings[] = {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single};
inline constexpr CodeType kTypes[] = {CodeType::u8, CodeType::i8};

enum class Fill { random, all_min, all_max, alternating, ties };
inline constexpr Fill kFills[] = {Fill::random, Fill::all_min, Fill::all_max, Fill::alternating, Fill::ties};
inline const char* name(Fill f) {
  constexpr const char* kNames[] = {"random", "all min", "all max", "alternating", "ties"};
  return kNames[static_cast<int>(f)];
}
inline const char* name(Rounding r) {
  constexpr const char* kNames[] = {"real", "int_bias", "fixed_double", "fixed_single"};
  return kNames[static_cast<int>(r)];
}
inline const char* name(CodeType t) { return t == CodeType::u8 ? "u8" : "i8"; }

using Rng = std::mt19937;
inline int32_t uniform(Rng& rng, int32_t lo, int32_t hi) {
  return static_cast<int32_t>(lo + static_cast<int64_t>(rng() % (static_cast<uint64_t>(int64_t{hi} - lo) + 1)));
}
inline float uniform_real(Rng& rng, float lo, float hi) { return lo + (hi - lo) * static_cast<float>(rng()) / 4294967296.0f; }

inline int32_t lowest(CodeType t) { return t == CodeType::u8 ? 0 : -128; }
inline int32_t highest(CodeType t) { return t == CodeType::u8 ? 255 : 127; }
inline int32_t code_at(const void* p, size_t i, CodeType t) {
  return t == CodeType::u8 ? int32_t{static_cast<const uint8_t*>(p)[i]} : int32_t{static_cast<const int8_t*>(p)[i]};
}

/// n codes of [lo, hi]; ties: within two of `centre`, so that sums stay small.
inline std::vector<uint8_t> codes(Rng& rng, Fill fill, size_t n, int32_t lo, int32_t hi, int32_t centre) {
  std::vector<uint8_t> v(n);
  for (size_t i = 0; i < n; ++i) {
    int32_t q = uniform(rng, lo, hi);
    if (fill == Fill::all_min) q = lo;
    if (fill == Fill::all_max) q = hi;
    if (fill == Fill::alternating) q = i % 2 != 0 ? hi : lo;
    if (fill == Fill::ties) q = std::min(hi, std::max(lo, centre + uniform(rng, -2, 2)));
    v[i] = static_cast<uint8_t>(q);
  }
  return v;
}

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

/// Runs run(output, begin, end) in one go and in three pieces, last first; both must give `expected` and leave the guards alone.
template <class Run>
void check_kernel(int32_t units, const std::vector<uint8_t>& expected, Run run) {
  Guarded whole(expected.size()), pieces(expected.size());
  run(whole.data(), 0, units);
  const int32_t first = units / 3, second = units - units / 4;
  run(pieces.data(), second, units);
  run(pieces.data(), 0, first);
  run(pieces.data(), first, second);
  REQUIRE(whole.intact());
  REQUIRE(pieces.intact());
  const std::vector<uint8_t> got = whole.inner();
  size_t wrong = 0, at = 0;
  for (size_t i = expected.size(); i-- > 0;)
    if (got[i] != expected[i]) ++wrong, at = i;
  INFO(wrong << " of " << expected.size() << " bytes differ, first at " << at << ": " << int{got.empty() ? uint8_t{0} : got[at]}
             << " instead of " << int{expected.empty() ? uint8_t{0} : expected[at]});
  REQUIRE(wrong == 0);
  REQUIRE(pieces.inner() == expected);
}

}  // namespace octet::testing
