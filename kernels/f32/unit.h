// SPDX-License-Identifier: Apache-2.0
// What every unit of an instruction set's build shares. OCTET_ISA is its namespace (v1, v3, v4). Whatever a unit does not export
// sits in an unnamed namespace: an inline function of a common name would merge at link time and one build serve all.
#pragma once

#include "kernels/f32/scratch.h"
#include "kernels/f32/table.h"
#include "kernels/parallel.h"

#ifndef OCTET_ISA
#error "compile through kernels/f32/meson.build, which sets OCTET_ISA"
#endif

namespace octet::f32::OCTET_ISA {

void fill_gemm(Table&);
void fill_matmul(Table&);
void fill_conv2d(Table&);
void fill_conv2d_grad(Table&);
void fill_columns(Table&);
void fill_batch_norm(Table&);
void fill_elementwise(Table&);
void fill_statistics(Table&);
void fill_histogram(Table&);
void fill_fake_quantize(Table&);
void fill_pool2d(Table&);

/// C[m,n] (+)= op(A) op(B) on the calling thread; leading dimensions are those of the stored matrices.
struct Gemm {
  int64_t m, n, k, lda, ldb, ldc;
  bool transpose_a = false, transpose_b = false, accumulate = false;
};
void gemm(const Gemm&, const float* a, const float* b, float* c);
/// What gemm() with transpose_b makes of B at these sizes; kc 0: nothing.
Panels panels_of(int64_t m, int64_t n, int64_t k);
/// gemm() with transpose_b on packed panels: the same bits where panels_of() is `how`.
void gemm_packed(const Gemm&, const float* a, const Panels& how, const float* panels, float* c);

/// One answer for all the products of a layer, or none.
class CommonPanels {
 public:
  void add(int64_t m, int64_t n, int64_t k) {
    if (m == 0) return;
    const Panels p = panels_of(m, n, k);
    same_ = same_ && (first_ || p == panels_);
    panels_ = p, first_ = false;
  }
  Panels get() const { return same_ ? panels_ : Panels{}; }

 private:
  Panels panels_;
  bool first_ = true, same_ = true;
};

/// Rows [begin, end) of the matrix [batch*out_h*out_w, kernel_h*kernel_w*in_c/groups] whose product with a group's weights is the
/// convolution.
void im2col(const ConvGeometry&, int64_t group, const float* x, int64_t begin, int64_t end, float* columns);
/// Rows of that matrix that fit the cache beside a GEMM.
int64_t im2col_rows(const ConvGeometry&);
/// A 1x1 convolution whose matrix is the input itself.
bool is_pointwise(const ConvGeometry&);

/// The epilogue of sums that were stored, on rows of `ld` apart in y and in the residual.
void finish(int64_t rows, int64_t channels, int64_t ld, const Epilogue&, float* y);

bool is_depthwise(const ConvGeometry&);
void depthwise(const ConvGeometry&, const float* x, const LayerWeights&, const Epilogue&, float* y);
void depthwise_grad_input(const ConvGeometry&, const float* dy, const float* w, float* dx);
void depthwise_grad_weight(const ConvGeometry&, const float* x, const float* dy, float* dw);

/// Few input channels (images): computed from a padded copy of some rows, without im2col.
bool is_first_layer(const ConvGeometry&);
void first_layer(const ConvGeometry&, const float* x, const LayerWeights&, const Epilogue&, float* y);
void first_layer_grad_weight(const ConvGeometry&, const float* x, const float* dy, float* dw);

/// Any of the above, by geometry.
void convolve(const ConvGeometry&, const float* x, const LayerWeights&, const Epilogue&, float* y);

/// dw[column][row] = sum over chunks of partials[chunk][row][column], in the order of the chunks.
void sum_transposed(int count, int64_t rows, int64_t columns, const float* partials, float* dw);

}  // namespace octet::f32::OCTET_ISA
