// SPDX-License-Identifier: Apache-2.0
// Matrix product over threads: the longer side of the result is cut, each thread runs one GEMM on its part.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {

void add_bias(int64_t rows, int64_t channels, int64_t ld, const float* bias, float act_min, float act_max, float* y) {
  constexpr float kInfinity = __builtin_inff();
  if (!bias && act_min == -kInfinity && act_max == kInfinity) return;
  for_strips<4>(0, channels, [&]<int L, int V>(int64_t c) {
    Vec<L> b[V];
    const Vec<L> lo = splat<L>(act_min), hi = splat<L>(act_max);
    for (int v = 0; v < V; ++v) b[v] = bias ? load<L>(bias + c + v * L) : Vec<L>{};
    for (int64_t r = 0; r < rows; ++r)
      for (int v = 0; v < V; ++v) {
        float* p = y + r * ld + c + v * L;
        store<L>(p, limit<L>(load<L>(p) + b[v], lo, hi));
      }
  });
}

namespace {

void matmul(const Matmul& mm, const float* a, const float* b, const float* bias, float* c) {
  Gemm g{mm.m,           mm.n,           mm.k,         mm.transpose_a ? mm.m : mm.k, mm.transpose_b ? mm.k : mm.n, mm.n,
         mm.transpose_a, mm.transpose_b, mm.accumulate};
  const float* added = mm.accumulate ? nullptr : bias;
  constexpr float kInfinity = __builtin_inff();
  if (mm.m >= mm.n) {
    parallel(mm.m, mac_grain(mm.n * mm.k), [&](int, int64_t begin, int64_t end) {
      Gemm part = g;
      part.m = end - begin;
      float* out = c + begin * mm.n;
      gemm(part, a + (mm.transpose_a ? begin : begin * mm.k), b, out);
      add_bias(part.m, mm.n, mm.n, added, -kInfinity, kInfinity, out);
    });
  } else {
    parallel(mm.n, max_of(16, mac_grain(mm.m * mm.k)), [&](int, int64_t begin, int64_t end) {
      Gemm part = g;
      part.n = end - begin;
      gemm(part, a, b + (mm.transpose_b ? begin * mm.k : begin), c + begin);
      add_bias(mm.m, part.n, mm.n, added ? added + begin : nullptr, -kInfinity, kInfinity, c + begin);
    });
  }
}

}  // namespace

void fill_matmul(Table& t) { t.matmul = matmul; }

}  // namespace octet::f32::OCTET_ISA
