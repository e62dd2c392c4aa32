// SPDX-License-Identifier: Apache-2.0
// The one unit that sees Eigen: a single-threaded matrix product on strided row-major matrices. Eigen's namespace is renamed per
// instruction set by the build, and its own threads are off because parallel() cuts the work.
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

}  // namespace octet::f32::OCTET_ISA
