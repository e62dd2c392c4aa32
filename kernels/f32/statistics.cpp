// SPDX-License-Identifier: Apache-2.0
// Smallest and largest elements. Exact on every instruction set: zeros come out as +0, whatever their sign and order.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {
namespace {

constexpr float kInfinity = __builtin_inff();

struct Extremes {
  float lo = kInfinity, hi = -kInfinity;
  bool nan = false;

  void add(const Extremes& other) {
    lo = other.lo < lo ? other.lo : lo;
    hi = other.hi > hi ? other.hi : hi;
    nan |= other.nan;
  }
  void write(float* to_lo, float* to_hi) const {
    *to_lo = nan ? __builtin_nanf("") : lo + 0.0f;
    *to_hi = nan ? __builtin_nanf("") : hi + 0.0f;
  }
};

Extremes extremes(const float* x, int64_t n) {
  constexpr int L = kLanes, V = 4;
  Vec<L> lo[V], hi[V];
  IntVec<L> nan[V] = {};
  for (int v = 0; v < V; ++v) lo[v] = splat<L>(kInfinity), hi[v] = splat<L>(-kInfinity);
  int64_t i = 0;
  for (; i + V * L <= n; i += V * L)
    for (int v = 0; v < V; ++v) {
      const Vec<L> e = load<L>(x + i + v * L);
      lo[v] = e < lo[v] ? e : lo[v];
      hi[v] = e > hi[v] ? e : hi[v];
      nan[v] |= e != e;
    }
  Extremes all;
  for (int v = 0; v < V; ++v)
    for (int l = 0; l < L; ++l) all.add({lo[v][l], hi[v][l], nan[v][l] != 0});
  for (; i < n; ++i) all.add({x[i], x[i], x[i] != x[i]});
  return all;
}

void min_max(int64_t n, const float* x, float* lo, float* hi) {
  const int count = chunks(n, kStreamGrain);
  auto* parts = static_cast<Extremes*>(scratch(Scratch::partials, static_cast<size_t>(count) * sizeof(Extremes)));
  parallel(n, kStreamGrain, [&](int chunk, int64_t begin, int64_t end) { parts[chunk] = extremes(x + begin, end - begin); });
  Extremes all;
  for (int i = 0; i < count; ++i) all.add(parts[i]);
  all.write(lo, hi);
}

/// inner == 1: columns of a matrix, channels [begin, end).
void column_extremes(int64_t rows, int64_t channels, int64_t begin, int64_t end, const float* x, float* lo, float* hi) {
  for_strips<4>(begin, end, [&]<int L, int V>(int64_t c) {
    Vec<L> low[V], high[V];
    IntVec<L> nan[V] = {};
    for (int v = 0; v < V; ++v) low[v] = splat<L>(kInfinity), high[v] = splat<L>(-kInfinity);
    for (int64_t r = 0; r < rows; ++r)
      for (int v = 0; v < V; ++v) {
        const Vec<L> e = load<L>(x + r * channels + c + v * L);
        low[v] = e < low[v] ? e : low[v];
        high[v] = e > high[v] ? e : high[v];
        nan[v] |= e != e;
      }
    for (int v = 0; v < V; ++v)
      for (int l = 0; l < L; ++l) Extremes{low[v][l], high[v][l], nan[v][l] != 0}.write(lo + c + v * L + l, hi + c + v * L + l);
  });
}

void min_max_channels(int64_t outer, int64_t channels, int64_t inner, const float* x, float* lo, float* hi) {
  parallel(channels, max_of(inner == 1 ? 4 * kLanes : 1, row_grain(outer * inner)), [&](int, int64_t begin, int64_t end) {
    if (inner == 1) return column_extremes(outer, channels, begin, end, x, lo, hi);
    for (int64_t c = begin; c < end; ++c) {
      Extremes all;
      for (int64_t o = 0; o < outer; ++o) all.add(extremes(x + (o * channels + c) * inner, inner));
      all.write(lo + c, hi + c);
    }
  });
}

}  // namespace

void fill_statistics(Table& t) {
  t.min_max = min_max;
  t.min_max_channels = min_max_channels;
}

}  // namespace octet::f32::OCTET_ISA
