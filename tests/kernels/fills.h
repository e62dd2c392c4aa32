// SPDX-License-Identifier: Apache-2.0
// How test data is filled: seeded numbers, the extremes of a code range, and values whose rescaling ends in ties. Knows no test
// framework, so that the benches make the same data.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/args.h"

namespace octet::testing {

using kernels::CodeType;

inline constexpr Rounding kRoundings[] = {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single};
inline constexpr CodeType kTypes[] = {CodeType::u8, CodeType::i8};

enum class Fill { random, all_min, all_max, alternating, ties };
inline constexpr Fill kFills[] = {Fill::random, Fill::all_min, Fill::all_max, Fill::alternating, Fill::ties};
inline const char* name(Fill f) {
  constexpr const char* kNames[] = {"random", "all_min", "all_max", "alternating", "ties"};
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

}  // namespace octet::testing
