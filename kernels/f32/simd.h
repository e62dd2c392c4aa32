// SPDX-License-Identifier: Apache-2.0
// Vectors of L floats by the compilers' vector extension, and a walk over channels in vectors: the widest first, then narrower ones
// for what is left, so that no channel count needs masks or padding. Everything here is local to its unit (see unit.h).
#pragma once

#include <cstdint>

namespace octet::f32::OCTET_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

template <int L>
struct VecTypes {
  typedef float Float __attribute__((vector_size(L * 4)));
  typedef int32_t Int __attribute__((vector_size(L * 4)));
};
template <int L>
using Vec = typename VecTypes<L>::Float;
template <int L>
using IntVec = typename VecTypes<L>::Int;

template <int L>
[[gnu::always_inline]] inline Vec<L> load(const float* p) {
  Vec<L> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <int L>
[[gnu::always_inline]] inline void store(float* p, Vec<L> v) {
  __builtin_memcpy(p, &v, sizeof v);
}
/// x - 0 keeps the sign of -0, x + 0 would not.
template <int L>
[[gnu::always_inline]] inline Vec<L> splat(float x) {
  return x - Vec<L>{};
}
/// NaN stays NaN.
template <int L>
[[gnu::always_inline]] inline Vec<L> limit(Vec<L> v, Vec<L> lo, Vec<L> hi) {
  v = v < lo ? lo : v;
  return v > hi ? hi : v;
}

/// f.operator()<L, V>(c): V vectors of L channels from channel c on; V is at most `Wide`. The last few channels are V scalars side
/// by side, whose sums do not wait for each other.
template <int Wide, class F>
[[gnu::always_inline]] inline void for_strips(int64_t begin, int64_t end, const F& f) {
  int64_t c = begin;
  for (; c + Wide * kLanes <= end; c += Wide * kLanes) f.template operator()<kLanes, Wide>(c);
  if constexpr (Wide > 1)
    for (; c + kLanes <= end; c += kLanes) f.template operator()<kLanes, 1>(c);
  if constexpr (kLanes > 8)
    for (; c + 8 <= end; c += 8) f.template operator()<8, 1>(c);
  if constexpr (kLanes > 4)
    for (; c + 4 <= end; c += 4) f.template operator()<4, 1>(c);
  if constexpr (Wide > 2)
    if (end - c == 3) return f.template operator()<1, 3>(c);
  if constexpr (Wide > 1)
    if (end - c == 2) return f.template operator()<1, 2>(c);
  for (; c < end; ++c) f.template operator()<1, 1>(c);
}

constexpr int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }

/// Elements of a streaming kernel worth handing to another thread.
constexpr int64_t kStreamGrain = 16384;
constexpr int64_t row_grain(int64_t elements_per_row) { return max_of(1, kStreamGrain / max_of(1, elements_per_row)); }
/// Rows worth handing to another thread when each takes `macs` multiply-accumulates.
constexpr int64_t mac_grain(int64_t macs) { return max_of(1, 131072 / max_of(1, macs)); }

}  // namespace
}  // namespace octet::f32::OCTET_ISA
