// SPDX-License-Identifier: Apache-2.0
// Gradients of training-mode batch normalization on a [rows, channels] matrix; sums as in columns.cpp.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {
namespace {

constexpr int64_t kBlockRows = 128;

void batch_norm_sums(int64_t rows, int64_t channels, const float* x, const float* dy, const float* mean, const float* inv_std,
                     float* dgamma, float* dbeta) {
  const int64_t grain = row_grain(2 * channels);
  const int count = chunks(rows, grain);
  // Per chunk: sums of dy * (x - mean), then of dy.
  double* all = scratch_doubles(Scratch::partials, static_cast<size_t>(count * 2 * channels));
  __builtin_memset(all, 0, static_cast<size_t>(count * 2 * channels) * sizeof(double));
  parallel(rows, grain, [&](int chunk, int64_t begin, int64_t end) {
    double* products = all + chunk * 2 * channels;
    double* sums = products + channels;
    for (int64_t r0 = begin; r0 < end; r0 += kBlockRows) {
      const int64_t r1 = min_of(end, r0 + kBlockRows);
      for_strips<4>(0, channels, [&]<int L, int V>(int64_t c) {
        Vec<L> product[V] = {}, sum[V] = {}, center[V];
        for (int v = 0; v < V; ++v) center[v] = load<L>(mean + c + v * L);
        for (int64_t r = r0; r < r1; ++r)
          for (int v = 0; v < V; ++v) {
            const Vec<L> d = load<L>(dy + r * channels + c + v * L);
            sum[v] += d;
            product[v] += d * (load<L>(x + r * channels + c + v * L) - center[v]);
          }
        for (int v = 0; v < V; ++v)
          for (int i = 0; i < L; ++i) {
            products[c + v * L + i] += static_cast<double>(product[v][i]);
            sums[c + v * L + i] += static_cast<double>(sum[v][i]);
          }
      });
    }
  });
  for (int64_t c = 0; c < channels; ++c) {
    double product = 0, sum = 0;
    for (int i = 0; i < count; ++i) {
      product += all[i * 2 * channels + c];
      sum += all[(i * 2 + 1) * channels + c];
    }
    dgamma[c] = static_cast<float>(product * static_cast<double>(inv_std[c]));
    dbeta[c] = static_cast<float>(sum);
  }
}

void batch_norm_grad_input(int64_t rows, int64_t channels, const float* x, const float* dy, const float* mean, const float* inv_std,
                           const float* gamma, const float* dgamma, const float* dbeta, float* dx) {
  const float inverse = 1.0f / static_cast<float>(rows);
  parallel(rows, row_grain(2 * channels), [&](int, int64_t begin, int64_t end) {
    for (int64_t r0 = begin; r0 < end; r0 += kBlockRows) {
      const int64_t r1 = min_of(end, r0 + kBlockRows);
      for_strips<2>(0, channels, [&]<int L, int V>(int64_t c) {
        Vec<L> factor[V], center[V], slope[V], offset[V];
        for (int v = 0; v < V; ++v) {
          const int64_t at = c + v * L;
          center[v] = load<L>(mean + at);
          factor[v] = load<L>(gamma + at) * load<L>(inv_std + at);
          slope[v] = load<L>(inv_std + at) * (load<L>(dgamma + at) * inverse);
          offset[v] = load<L>(dbeta + at) * inverse;
        }
        for (int64_t r = r0; r < r1; ++r)
          for (int v = 0; v < V; ++v) {
            const int64_t at = r * channels + c + v * L;
            store<L>(dx + at, factor[v] * (load<L>(dy + at) - offset[v] - (load<L>(x + at) - center[v]) * slope[v]));
          }
      });
    }
  });
}

}  // namespace

void fill_batch_norm(Table& t) {
  t.batch_norm_sums = batch_norm_sums;
  t.batch_norm_grad_input = batch_norm_grad_input;
}

}  // namespace octet::f32::OCTET_ISA
