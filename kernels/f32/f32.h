// SPDX-License-Identifier: Apache-2.0
// Float kernels for training, calibration and float inference. Each is compiled for x86-64, x86-64-v3 and x86-64-v4 and chosen once
// by CPUID; all spread over threads() and repeat exactly for a fixed instruction set and number of threads.
// Layouts: activations N,H,W,C; convolution weights O,kH,kW,I/groups; matrices row-major. No function checks its arguments.
#pragma once

#include <cstdint>

#include "kernels/geometry.h"

namespace octet {
struct FloatProvider;
}

namespace octet::f32 {

/// "x86-64", "x86-64-v3", "x86-64-v4": what the kernels of this process use.
const char* isa();
/// For tests: uses that instruction set from now on, in all threads. False, and nothing changes, for an unknown name or one that
/// this processor does not have.
bool set_isa(const char* name);
/// The library that computes convolutions where it is faster (kernels/float_provider.h), "" if none is in use.
const char* provider();
/// For tests and benchmarks: takes that library, or octet's own kernels alone, from now on. False, and none is used, if this build
/// or processor has none.
bool use_provider(bool on);
/// Whom conv2d() asks first at these sizes, or null.
const FloatProvider* provider_for(const ConvGeometry&);

/// C[m,n] (+)= op(A)[m,k] * op(B)[k,n]. transpose_a: A is stored [k,m]; transpose_b: B is stored [n,k].
/// bias (length n, may be null) is added to every row when not accumulating.
struct Matmul {
  int64_t m, n, k;
  bool transpose_a = false, transpose_b = false, accumulate = false;
};
void matmul(const Matmul&, const float* a, const float* b, const float* bias, float* c);

/// What becomes of a sum before it is stored: limit(sum + bias[channel] + residual), in this order; what is null is not added.
struct Epilogue {
  const float* bias = nullptr;
  const float* residual = nullptr;  ///< of the output's layout; not the output itself
  float act_min = -__builtin_inff(), act_max = __builtin_inff();
};
/// How a product blocks its second operand [n, k], so that it can be packed ahead; kc 0: it is read as it is.
struct Panels {
  int64_t kc = 0, mc = 0;
  bool operator==(const Panels&) const = default;
};
/// A layer's weights: as they are and, made ahead, as a kernel reads them.
struct LayerWeights {
  const float* plain;             ///< may be null where one of the others is read
  const float* taps = nullptr;    ///< [kH*kW*I/groups][O], of depthwise and first layers; null: made at each call
  const float* panels = nullptr;  ///< of a product
  Panels how{};
};
/// The product with transpose_b alone, and this epilogue.
void matmul_fused(const Matmul&, const float* a, const LayerWeights& b, const Epilogue&, float* c);
/// Those of the product, or of the convolution's products, for threads() of now.
Panels matmul_panels(const Matmul&);
Panels conv2d_panels(const ConvGeometry&);
/// Floats that b of [n, k] takes in panels; they lie at a multiple of 64 bytes and are of this instruction set.
int64_t panels_size(const Panels&, int64_t n, int64_t k);
void pack_panels(const Panels&, int64_t n, int64_t k, const float* b, float* panels);
void unpack_panels(const Panels&, int64_t n, int64_t k, const float* panels, float* b);

/// y = conv(x, w) (+ bias), limited to [act_min, act_max] (pass -inf, +inf for none). bias may be null.
void conv2d(const ConvGeometry&, const float* x, const float* w, const float* bias, float act_min, float act_max, float* y);
/// Whether these sizes are computed from `taps`.
bool conv2d_reads_taps(const ConvGeometry&);
/// octet's own kernel, whatever library conv2d() would ask, and this epilogue.
void conv2d_fused(const ConvGeometry&, const float* x, const LayerWeights&, const Epilogue&, float* y);
void conv2d_grad_input(const ConvGeometry&, const float* dy, const float* w, float* dx);
void conv2d_grad_weight(const ConvGeometry&, const float* x, const float* dy, float* dw);

/// Columns of a [rows, channels] matrix (an NHWC tensor is one).
void column_sum(int64_t rows, int64_t channels, const float* x, float* sum);
/// mean and biased variance per column.
void column_moments(int64_t rows, int64_t channels, const float* x, float* mean, float* variance);
/// y = x * scale[c] + shift[c], limited to [act_min, act_max].
void column_affine(int64_t rows, int64_t channels, const float* x, const float* scale, const float* shift, float act_min,
                   float act_max, float* y);
/// dgamma[c] = sum dy * (x - mean[c]) * inv_std[c], dbeta[c] = sum dy.
void batch_norm_sums(int64_t rows, int64_t channels, const float* x, const float* dy, const float* mean, const float* inv_std,
                     float* dgamma, float* dbeta);
/// dx = gamma*inv_std * (dy - dbeta/rows - (x - mean)*inv_std * dgamma/rows): training-mode batch norm.
void batch_norm_grad_input(int64_t rows, int64_t channels, const float* x, const float* dy, const float* mean, const float* inv_std,
                           const float* gamma, const float* dgamma, const float* dbeta, float* dx);

/// NaN stays NaN. y may be x.
void clamp(int64_t n, const float* x, float lo, float hi, float* y);
/// dx = dy where lo < x < hi, else 0 (PyTorch's relu, relu6, hardtanh).
void clamp_grad(int64_t n, const float* x, const float* dy, float lo, float hi, float* dx);
void add(int64_t n, const float* a, const float* b, float* y);
/// y = a + b, limited to [lo, hi]. y may be a or b.
void add_clamped(int64_t n, const float* a, const float* b, float lo, float hi, float* y);
/// y = alpha * x + beta * y
void axpby(int64_t n, float alpha, const float* x, float beta, float* y);
/// One SGD step: v = momentum*v + (g + decay*w); w -= rate*v. v is the velocity buffer.
void sgd(int64_t n, float rate, float momentum, float decay, bool nesterov, const float* g, float* v, float* w);

/// Smallest and largest element; a NaN anywhere makes both NaN. Zeros come out as +0. n > 0.
void min_max(int64_t n, const float* x, float* lo, float* hi);
/// The same per block: x is [outer, channels, inner], lo and hi have `channels` entries.
void min_max_channels(int64_t outer, int64_t channels, int64_t inner, const float* x, float* lo, float* hi);
/// counts[i] += number of elements with index trunc( f32(f32(x-lo)*bins) / f32(hi-lo) ) = i; the last bin takes x = hi.
/// Elements outside [lo,hi] and NaN are skipped. All float32; hi > lo; bins at most 2^24.
void histogram(int64_t n, const float* x, float lo, float hi, int bins, int64_t* counts);

/// Per-tensor fake quantization: y = f32( (clip(z + rne(f32(x*inv_scale)), qmin, qmax) - z) * scale ); NaN gives 0.
/// qmin - z and qmax - z lie within 2^21 of zero. The same bits on every instruction set, as are min_max and histogram.
struct FakeQuant {
  float scale, inv_scale;
  int32_t zero_point, qmin, qmax;
};
void fake_quantize(int64_t n, const FakeQuant&, const float* x, float* y);
/// dx = dy where the unclipped code of x lies in [qmin, qmax], else 0.
void fake_quantize_grad(int64_t n, const FakeQuant&, const float* x, const float* dy, float* dx);

void pool2d_max(const PoolGeometry&, const float* x, float* y);
void pool2d_max_grad(const PoolGeometry&, const float* x, const float* dy, float* dx);
void pool2d_average(const PoolGeometry&, const float* x, float* y);
void pool2d_average_grad(const PoolGeometry&, const float* dy, float* dx);

}  // namespace octet::f32
