// SPDX-License-Identifier: Apache-2.0
// Matrix product over threads: the longer side of the result is cut, each thread runs one GEMM on its part.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {

namespace {

constexpr float kInfinity = __builtin_inff();

template <bool Bias, bool Residual>
void finish_rows(int64_t rows, int64_t channels, int64_t ld, const Epilogue& e, float* y) {
  for_strips<4>(0, channels, [&]<int L, int V>(int64_t c) {
    Vec<L> b[V];
    const Vec<L> lo = splat<L>(e.act_min), hi = splat<L>(e.act_max);
    for (int v = 0; v < V; ++v) b[v] = Bias ? load<L>(e.bias + c + v * L) : Vec<L>{};
    for (int64_t r = 0; r < rows; ++r)
      for (int v = 0; v < V; ++v) {
        const int64_t at = r * ld + c + v * L;
        Vec<L> sum = load<L>(y + at);
        if constexpr (Bias) sum += b[v];
        if constexpr (Residual) sum += load<L>(e.residual + at);
        store<L>(y + at, limit<L>(sum, lo, hi));
      }
  });
}

}  // namespace

void finish(int64_t rows, int64_t channels, int64_t ld, const Epilogue& e, float* y) {
  if (e.bias != nullptr && e.residual != nullptr)
    finish_rows<true, true>(rows, channels, ld, e, y);
  else if (e.residual != nullptr)
    finish_rows<false, true>(rows, channels, ld, e, y);
  else if (e.bias != nullptr)
    finish_rows<true, false>(rows, channels, ld, e, y);
  else if (e.act_min != -kInfinity || e.act_max != kInfinity)
    finish_rows<false, false>(rows, channels, ld, e, y);
}

namespace {

/// Rows, or columns, of the result worth handing to another thread.
int64_t row_cut(const Matmul& mm) { return mac_grain(mm.n * mm.k); }
int64_t column_cut(const Matmul& mm) { return max_of(16, mac_grain(mm.m * mm.k)); }

void product(const Matmul& mm, const float* a, const LayerWeights& b, const Epilogue& e, float* c) {
  Gemm g{mm.m,           mm.n,           mm.k,         mm.transpose_a ? mm.m : mm.k, mm.transpose_b ? mm.k : mm.n, mm.n,
         mm.transpose_a, mm.transpose_b, mm.accumulate};
  const auto from = [&](int64_t row, int64_t column) {  // the epilogue of a part
    return Epilogue{e.bias == nullptr ? nullptr : e.bias + column,
                    e.residual == nullptr ? nullptr : e.residual + row * mm.n + column, e.act_min, e.act_max};
  };
  if (mm.m >= mm.n) {
    parallel(mm.m, row_cut(mm), [&](int, int64_t begin, int64_t end) {
      Gemm part = g;
      part.m = end - begin;
      const float* rows = a + (mm.transpose_a ? begin : begin * mm.k);
      float* out = c + begin * mm.n;
      if (b.panels != nullptr)
        gemm_packed(part, rows, b.how, b.panels, out);
      else
        gemm(part, rows, b.plain, out);
      finish(part.m, mm.n, mm.n, from(begin, 0), out);
    });
  } else if (b.panels != nullptr) {  // of all columns
    gemm_packed(g, a, b.how, b.panels, c);
    finish(mm.m, mm.n, mm.n, e, c);
  } else {
    parallel(mm.n, column_cut(mm), [&](int, int64_t begin, int64_t end) {
      Gemm part = g;
      part.n = end - begin;
      gemm(part, a, b.plain + (mm.transpose_b ? begin * mm.k : begin), c + begin);
      finish(mm.m, part.n, mm.n, from(0, begin), c + begin);
    });
  }
}

void matmul(const Matmul& mm, const float* a, const float* b, const float* bias, float* c) {
  product(mm, a, {b}, {.bias = mm.accumulate ? nullptr : bias}, c);
}

Panels product_panels(const Matmul& mm) {
  CommonPanels common;
  if (mm.m < mm.n) return chunks(mm.n, column_cut(mm)) == 1 ? panels_of(mm.m, mm.n, mm.k) : Panels{};
  const int count = chunks(mm.m, row_cut(mm));  // parts differ by one row at most
  common.add(mm.m / count, mm.n, mm.k);
  common.add((mm.m + count - 1) / count, mm.n, mm.k);
  return common.get();
}

}  // namespace

void fill_matmul(Table& t) {
  t.matmul = matmul;
  t.matmul_fused = product;
  t.matmul_panels = product_panels;
}

}  // namespace octet::f32::OCTET_ISA
