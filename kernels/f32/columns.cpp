// SPDX-License-Identifier: Apache-2.0
// Sums, moments and affine maps of the columns of a [rows, channels] matrix. Sums run in float over blocks of rows and in double
// over the blocks, so their error does not grow with the number of rows.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {
namespace {

constexpr int64_t kBlockRows = 128;

void column_sum(int64_t rows, int64_t channels, const float* x, float* sum) {
  const int64_t grain = row_grain(channels);
  const int count = chunks(rows, grain);
  double* totals = scratch_doubles(Scratch::partials, static_cast<size_t>(count * channels));
  __builtin_memset(totals, 0, static_cast<size_t>(count * channels) * sizeof(double));
  parallel(rows, grain, [&](int chunk, int64_t begin, int64_t end) {
    double* total = totals + chunk * channels;
    for (int64_t r0 = begin; r0 < end; r0 += kBlockRows) {
      const int64_t r1 = min_of(end, r0 + kBlockRows);
      for_strips<4>(0, channels, [&]<int L, int V>(int64_t c) {
        Vec<L> s[V] = {};
        for (int64_t r = r0; r < r1; ++r)
          for (int v = 0; v < V; ++v) s[v] += load<L>(x + r * channels + c + v * L);
        for (int v = 0; v < V; ++v)
          for (int i = 0; i < L; ++i) total[c + v * L + i] += static_cast<double>(s[v][i]);
      });
    }
  });
  for (int64_t c = 0; c < channels; ++c) {
    double total = 0;
    for (int i = 0; i < count; ++i) total += totals[i * channels + c];
    sum[c] = static_cast<float>(total);
  }
}

/// Mean and sum of squared deviations of n values, merged as by Chan, Golub and LeVeque.
struct Moments {
  double n, mean, m2;
};
Moments merge(const Moments& a, const Moments& b) {
  const double n = a.n + b.n, delta = b.mean - a.mean;
  return {n, a.mean + delta * (b.n / n), a.m2 + b.m2 + delta * delta * (a.n * b.n / n)};
}

void column_moments(int64_t rows, int64_t channels, const float* x, float* mean, float* variance) {
  const int64_t grain = row_grain(channels);
  const int count = chunks(rows, grain);
  // Per chunk: means, then sums of squared deviations.
  double* all = scratch_doubles(Scratch::partials, static_cast<size_t>(count * 2 * channels));
  parallel(rows, grain, [&](int chunk, int64_t begin, int64_t end) {
    double* means = all + chunk * 2 * channels;
    double* squares = means + channels;
    for (int64_t r0 = begin; r0 < end; r0 += kBlockRows) {
      const int64_t r1 = min_of(end, r0 + kBlockRows);
      const auto n = static_cast<double>(r1 - r0);
      const float inverse = 1.0f / static_cast<float>(r1 - r0);
      for_strips<4>(0, channels, [&]<int L, int V>(int64_t c) {
        Vec<L> center[V] = {}, square[V] = {}, rest[V] = {};
        for (int64_t r = r0; r < r1; ++r)
          for (int v = 0; v < V; ++v) center[v] += load<L>(x + r * channels + c + v * L);
        for (int v = 0; v < V; ++v) center[v] *= inverse;
        for (int64_t r = r0; r < r1; ++r)  // the block is still in the cache
          for (int v = 0; v < V; ++v) {
            const Vec<L> d = load<L>(x + r * channels + c + v * L) - center[v];
            rest[v] += d;
            square[v] += d * d;
          }
        for (int v = 0; v < V; ++v)
          for (int i = 0; i < L; ++i) {
            const int64_t at = c + v * L + i;
            const double d = static_cast<double>(rest[v][i]) / n;  // what rounding the mean to float left
            const Moments block{n, static_cast<double>(center[v][i]) + d, static_cast<double>(square[v][i]) - n * d * d};
            const Moments merged = r0 == begin ? block : merge({static_cast<double>(r0 - begin), means[at], squares[at]}, block);
            means[at] = merged.mean;
            squares[at] = merged.m2;
          }
      });
    }
  });
  for (int64_t c = 0; c < channels; ++c) {
    Moments total{0, 0, 0};
    for (int i = 0; i < count; ++i) {
      const double n = static_cast<double>(rows * (i + 1) / count - rows * i / count);  // as run_chunks() cuts
      const Moments chunk{n, all[i * 2 * channels + c], all[(i * 2 + 1) * channels + c]};
      total = i == 0 ? chunk : merge(total, chunk);
    }
    mean[c] = static_cast<float>(total.mean);
    variance[c] = static_cast<float>(total.m2 > 0 ? total.m2 / total.n : total.m2 * 0);  // NaN stays NaN
  }
}

void column_affine(int64_t rows, int64_t channels, const float* x, const float* scale, const float* shift, float act_min,
                   float act_max, float* y) {
  parallel(rows, row_grain(channels), [&](int, int64_t begin, int64_t end) {
    for (int64_t r0 = begin; r0 < end; r0 += kBlockRows) {
      const int64_t r1 = min_of(end, r0 + kBlockRows);
      for_strips<4>(0, channels, [&]<int L, int V>(int64_t c) {
        const Vec<L> lo = splat<L>(act_min), hi = splat<L>(act_max);
        Vec<L> a[V], b[V];
        for (int v = 0; v < V; ++v) a[v] = load<L>(scale + c + v * L), b[v] = load<L>(shift + c + v * L);
        for (int64_t r = r0; r < r1; ++r)
          for (int v = 0; v < V; ++v) {
            const int64_t at = r * channels + c + v * L;
            store<L>(y + at, limit<L>(load<L>(x + at) * a[v] + b[v], lo, hi));
          }
      });
    }
  });
}

}  // namespace

void fill_columns(Table& t) {
  t.column_sum = column_sum;
  t.column_moments = column_moments;
  t.column_affine = column_affine;
}

}  // namespace octet::f32::OCTET_ISA
