// SPDX-License-Identifier: Apache-2.0
// Histogram with PyTorch's bin rule, division included: indices are computed in vectors and exact on every instruction set; the
// counting is spread over interleaved arrays, so that runs of equal elements do not wait for one counter.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {
namespace {

constexpr int kArrays = 4;
/// Elements after which the 16-bit counters are added up: none can overflow, and all of them stay in the first-level cache.
constexpr int64_t kBlock = int64_t{1} << 17;

struct Bins {
  float lo, hi, width, bins;
};

/// Index of each element; `bins` for what is outside [lo, hi] or NaN.
template <int L>
[[gnu::always_inline]] inline IntVec<L> indices(const Bins& b, Vec<L> x) {
  const Vec<L> position = (x - b.lo) * b.bins / b.width;
  const Vec<L> last = splat<L>(b.bins - 1), outside = splat<L>(b.bins);
  const Vec<L> inside = position < last ? position : last;  // x = hi, or rounded up to it
  const IntVec<L> valid = (x >= b.lo) & (x <= b.hi);
  return __builtin_convertvector(valid ? inside : outside, IntVec<L>);
}

/// Counts at most kBlock elements; the arrays of counters are `stride` apart.
void count(int64_t n, const float* x, const Bins& b, int64_t stride, uint16_t* counters) {
  constexpr int L = kLanes;
  uint16_t *c0 = counters, *c1 = c0 + stride, *c2 = c1 + stride, *c3 = c2 + stride;
  alignas(64) uint32_t index[4 * L];
  int64_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) {
    for (int v = 0; v < 4; ++v) {
      const IntVec<L> part = indices<L>(b, load<L>(x + i + v * L));
      __builtin_memcpy(index + v * L, &part, sizeof part);
    }
    for (int j = 0; j < 4 * L; j += kArrays) ++c0[index[j]], ++c1[index[j + 1]], ++c2[index[j + 2]], ++c3[index[j + 3]];
  }
  for (; i < n; ++i) ++c0[indices<1>(b, load<1>(x + i))[0]];
}

void histogram(int64_t n, const float* x, float lo, float hi, int bins, int64_t* counts) {
  const Bins b{lo, hi, hi - lo, static_cast<float>(bins)};
  const int64_t stride = (bins + 1 + 31) / 32 * 32 + 32;  // a counter for what is outside; arrays start at different cache sets
  const int64_t grain = max_of(kStreamGrain, 8 * stride);
  const int parts = chunks(n, grain);
  const size_t total_bytes = static_cast<size_t>(bins) * sizeof(int64_t), counter_bytes = kArrays * static_cast<size_t>(stride) * 2;
  const size_t bytes = (total_bytes + counter_bytes + 63) / 64 * 64;
  auto* all = static_cast<char*>(scratch(Scratch::partials, static_cast<size_t>(parts) * bytes));
  parallel(n, grain, [&](int chunk, int64_t begin, int64_t end) {
    auto* totals = reinterpret_cast<int64_t*>(all + static_cast<size_t>(chunk) * bytes);
    auto* counters = reinterpret_cast<uint16_t*>(totals + bins);
    __builtin_memset(totals, 0, total_bytes);
    for (int64_t from = begin; from < end; from += kBlock) {
      __builtin_memset(counters, 0, counter_bytes);
      count(min_of(kBlock, end - from), x + from, b, stride, counters);
      for (int64_t i = 0; i < bins; ++i)
        totals[i] += counters[i] + counters[i + stride] + counters[i + 2 * stride] + counters[i + 3 * stride];
    }
  });
  for (int part = 0; part < parts; ++part) {
    const auto* totals = reinterpret_cast<const int64_t*>(all + static_cast<size_t>(part) * bytes);
    for (int i = 0; i < bins; ++i) counts[i] += totals[i];
  }
}

}  // namespace

void fill_histogram(Table& t) { t.histogram = histogram; }

}  // namespace octet::f32::OCTET_ISA
