// SPDX-License-Identifier: Apache-2.0
// The one unit that sees Eigen: a single-threaded matrix product on strided row-major matrices, and the same on a second operand
// that was packed ahead. Eigen's namespace is renamed per instruction set by the build, and its own threads are off because
// parallel() cuts the work.
#define EIGEN_DONT_PARALLELIZE
#define EIGEN_NO_DEBUG
#include <Eigen/Core>

#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;
using Input = Eigen::Map<const Matrix, Eigen::Unaligned, Stride>;
using Output = Eigen::Map<Matrix, Eigen::Unaligned, Stride>;

template <class A, class B>
void product(const A& a, const B& b, bool accumulate, Output& c) {
  if (accumulate)
    c.noalias() += a * b;
  else
    c.noalias() = a * b;
}

}  // namespace

void gemm(const Gemm& g, const float* a, const float* b, float* c) {
  const Input left(a, g.transpose_a ? g.k : g.m, g.transpose_a ? g.m : g.k, Stride(g.lda));
  const Input right(b, g.transpose_b ? g.n : g.k, g.transpose_b ? g.k : g.n, Stride(g.ldb));
  Output out(c, g.m, g.n, Stride(g.ldc));
  if (g.transpose_a && g.transpose_b)
    product(left.transpose(), right.transpose(), g.accumulate, out);
  else if (g.transpose_a)
    product(left.transpose(), right, g.accumulate, out);
  else if (g.transpose_b)
    product(left, right.transpose(), g.accumulate, out);
  else
    product(left, right, g.accumulate, out);
}

// What follows is general_matrix_matrix_product::run for a row-major result, which computes the transposed product: B is the left
// operand there, whose panels it packs anew in every call, and A the right one.
namespace {

using Index = Eigen::Index;
using Traits = Eigen::internal::gebp_traits<float, float>;
using Left = Eigen::internal::const_blas_data_mapper<float, Index, Eigen::RowMajor>;
using Right = Eigen::internal::const_blas_data_mapper<float, Index, Eigen::ColMajor>;
using Result = Eigen::internal::blas_data_mapper<float, Index, Eigen::ColMajor, Eigen::Unaligned, 1>;
using PackLeft =
    Eigen::internal::gemm_pack_lhs<float, Index, Left, Traits::mr, Traits::LhsProgress, Traits::LhsPacket4Packing, Eigen::RowMajor>;
using PackRight = Eigen::internal::gemm_pack_rhs<float, Index, Right, Traits::nr, Eigen::ColMajor>;
using Kernel = Eigen::internal::gebp_kernel<float, float, Index, Result, Traits::mr, Traits::nr, false, false>;
using Blocking =
    Eigen::internal::gemm_blocking_space<Eigen::RowMajor, float, float, Eigen::Dynamic, Eigen::Dynamic, Eigen::Dynamic>;

constexpr int64_t kAligned = 16;  // floats: kernels load panels aligned
int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// f(first row of B, rows, first column, columns, place in the panels) for every panel in the product's order; the size of all.
template <class F>
int64_t for_panels(const Panels& how, int64_t n, int64_t k, const F& f) {
  int64_t at = 0;
  for (int64_t i = 0; i < n; i += how.mc)
    for (int64_t d = 0; d < k; d += how.kc) {
      const int64_t rows = least(how.mc, n - i), columns = least(how.kc, k - d);
      f(i, rows, d, columns, at);
      at += (rows * columns + kAligned - 1) / kAligned * kAligned;
    }
  return at;
}

int64_t size(const Panels& how, int64_t n, int64_t k) {
  return for_panels(how, n, k, [](int64_t, int64_t, int64_t, int64_t, int64_t) {});
}

void pack(const Panels& how, int64_t n, int64_t k, const float* b, float* panels) {
  const Left left(b, k);
  for_panels(how, n, k, [&](int64_t i, int64_t rows, int64_t d, int64_t columns, int64_t at) {
    PackLeft()(panels + at, left.getSubMapper(i, d), columns, rows);
  });
}

/// By packing numbers instead of weights, which tells where each went.
void unpack(const Panels& how, int64_t n, int64_t k, const float* panels, float* b) {
  for_panels(how, n, k, [&](int64_t i, int64_t rows, int64_t d, int64_t columns, int64_t at) {
    const int64_t count = rows * columns;
    float* numbers = scratch_floats(Scratch::product, static_cast<size_t>(2 * count + kAligned));
    float* packed = numbers + (count + kAligned - 1) / kAligned * kAligned;
    for (int64_t v = 0; v < count; ++v) numbers[v] = static_cast<float>(v);
    PackLeft()(packed, Left(numbers, columns).getSubMapper(0, 0), columns, rows);
    for (int64_t v = 0; v < count; ++v) {
      const auto from = static_cast<int64_t>(packed[v]);
      b[(i + from / columns) * k + d + from % columns] = panels[at + v];
    }
  });
}

}  // namespace

Panels panels_of(int64_t m, int64_t n, int64_t k) {
  // Vectors and the smallest products take other ways through Eigen.
  if (m < 2 || n < 2 || k < 1 || m + n + k < EIGEN_GEMM_TO_COEFFBASED_THRESHOLD) return {};
  const Blocking blocking(m, n, k, 1, true);
  const Panels how{blocking.kc(), least(n, blocking.mc())};
  constexpr int64_t kExact = 1 << 24;  // numbers that a float holds: unpack()
  return how.kc * how.mc < kExact ? how : Panels{};
}

void gemm_packed(const Gemm& g, const float* a, const Panels& how, const float* panels, float* c) {
  for (int64_t r = 0; r < g.m; ++r) __builtin_memset(c + r * g.ldc, 0, static_cast<size_t>(g.n) * sizeof(float));
  const int64_t nc = least(g.m, Blocking(g.m, g.n, g.k, 1, true).nc());
  float* block = scratch_floats(Scratch::product, static_cast<size_t>(how.kc * nc));
  const Right right(a, g.lda);
  const Result result(c, g.ldc, 1);
  const bool once = how.mc != g.n && how.kc == g.k && nc == g.m;  // the packed rows of A serve every panel
  for_panels(how, g.n, g.k, [&](int64_t i, int64_t rows, int64_t d, int64_t columns, int64_t at) {
    for (int64_t j = 0; j < g.m; j += nc) {
      const int64_t width = least(nc, g.m - j);
      if (!once || i == 0) PackRight()(block, right.getSubMapper(d, j), columns, width);
      Kernel()(result.getSubMapper(i, j), panels + at, block, rows, columns, width, 1.0F);
    }
  });
}

void fill_gemm(Table& t) {
  t.panels_size = size;
  t.pack_panels = pack;
  t.unpack_panels = unpack;
}

}  // namespace octet::f32::OCTET_ISA
