// SPDX-License-Identifier: Apache-2.0
// Convolution forward: blocks of im2col rows that stay in the cache, one GEMM each; the input itself where the kernel is 1x1.
// Depthwise and first layers have kernels of their own.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {

bool is_pointwise(const ConvGeometry& g) {
  return g.kernel_h == 1 && g.kernel_w == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_top == 0 && g.pad_left == 0 &&
         g.out_h == g.in_h && g.out_w == g.in_w;
}

int64_t im2col_rows(const ConvGeometry& g) {
  constexpr int64_t kFloats = 65536;  // a quarter of a 1 MiB second-level cache
  const int64_t depth = g.kernel_h * g.kernel_w * (g.in_c / g.groups);
  return max_of(48, min_of(1024, kFloats / depth));
}

void im2col(const ConvGeometry& g, int64_t group, const float* x, int64_t begin, int64_t end, float* columns) {
  const int64_t channels = g.in_c / g.groups, row = g.kernel_w * channels;
  const bool contiguous = g.groups == 1 && g.dilation_w == 1;
  const auto zero = [](float* to, int64_t n) { __builtin_memset(to, 0, static_cast<size_t>(n) * sizeof(float)); };
  const auto copy = [](float* to, const float* from, int64_t n) {
    __builtin_memcpy(to, from, static_cast<size_t>(n) * sizeof(float));
  };
  int64_t ow = begin % g.out_w, oh = begin / g.out_w % g.out_h, n = begin / (g.out_w * g.out_h);
  for (int64_t p = begin; p < end; ++p) {
    const int64_t left = ow * g.stride_w - g.pad_left;
    for (int64_t kh = 0; kh < g.kernel_h; ++kh, columns += row) {
      const int64_t ih = oh * g.stride_h - g.pad_top + kh * g.dilation_h;
      if (ih < 0 || ih >= g.in_h) {
        zero(columns, row);
        continue;
      }
      const float* line = x + (n * g.in_h + ih) * g.in_w * g.in_c + group * channels;
      if (contiguous) {
        const int64_t first = min_of(g.kernel_w, max_of(0, -left)), last = max_of(first, min_of(g.kernel_w, g.in_w - left));
        if (first > 0) zero(columns, first * channels);
        if (last > first) copy(columns + first * channels, line + (left + first) * channels, (last - first) * channels);
        if (last < g.kernel_w) zero(columns + last * channels, (g.kernel_w - last) * channels);
        continue;
      }
      for (int64_t kw = 0; kw < g.kernel_w; ++kw) {
        const int64_t iw = left + kw * g.dilation_w;
        if (iw < 0 || iw >= g.in_w)
          zero(columns + kw * channels, channels);
        else
          copy(columns + kw * channels, line + iw * g.in_c, channels);
      }
    }
    if (++ow == g.out_w) {
      ow = 0;
      if (++oh == g.out_h) oh = 0, ++n;
    }
  }
}

namespace {

/// Of a few channels each: a matrix product is then mostly its own preparation. `K` inputs are summed in their order.
template <int K, int N>
void narrow(const ConvGeometry& g, const float* x, const float* w, const Epilogue& e, float* y) {
  parallel(g.batch * g.out_h * g.out_w, row_grain(4 * N), [&](int, int64_t begin, int64_t end) {
    float weights[N][K];
    __builtin_memcpy(weights, w, sizeof weights);
    for (int64_t p = begin; p < end; ++p)
      for (int n = 0; n < N; ++n) {
        float sum = 0;
        for (int k = 0; k < K; ++k) sum += x[p * K + k] * weights[n][k];
        if (e.bias != nullptr) sum += e.bias[n];
        if (e.residual != nullptr) sum += e.residual[p * N + n];
        sum = sum < e.act_min ? e.act_min : sum;
        y[p * N + n] = sum > e.act_max ? e.act_max : sum;
      }
  });
}

/// Positions worth handing to another thread.
int64_t position_cut(const ConvGeometry& g) { return mac_grain(g.kernel_h * g.kernel_w * (g.in_c / g.groups) * g.out_c); }

constexpr int kNarrowIn = 3, kNarrowOut = 4;
using Narrow = void (*)(const ConvGeometry&, const float*, const float*, const Epilogue&, float*);
bool is_narrow(const ConvGeometry& g) { return is_pointwise(g) && g.groups == 1 && g.in_c <= kNarrowIn && g.out_c <= kNarrowOut; }
constexpr Narrow kNarrow[kNarrowIn][kNarrowOut] = {{narrow<1, 1>, narrow<1, 2>, narrow<1, 3>, narrow<1, 4>},
                                                   {narrow<2, 1>, narrow<2, 2>, narrow<2, 3>, narrow<2, 4>},
                                                   {narrow<3, 1>, narrow<3, 2>, narrow<3, 3>, narrow<3, 4>}};

}  // namespace

void convolve(const ConvGeometry& g, const float* x, const LayerWeights& w, const Epilogue& e, float* y) {
  if (is_depthwise(g)) return depthwise(g, x, w, e, y);
  if (is_first_layer(g)) return first_layer(g, x, w, e, y);
  const int64_t channels = g.in_c / g.groups, outputs = g.out_c / g.groups, depth = g.kernel_h * g.kernel_w * channels;
  const bool pointwise = is_pointwise(g);
  if (is_narrow(g)) return kNarrow[g.in_c - 1][g.out_c - 1](g, x, w.plain, e, y);
  const int64_t block = im2col_rows(g);
  parallel(g.batch * g.out_h * g.out_w, position_cut(g), [&](int, int64_t begin, int64_t end) {
    float* columns = pointwise ? nullptr : scratch_floats(Scratch::columns, static_cast<size_t>(block * depth));
    for (int64_t p = begin; p < end; p += block) {
      const int64_t rows = min_of(block, end - p);
      float* out = y + p * g.out_c;
      for (int64_t group = 0; group < g.groups; ++group) {
        if (!pointwise) im2col(g, group, x, p, p + rows, columns);
        const Gemm product{.m = rows,
                           .n = outputs,
                           .k = depth,
                           .lda = pointwise ? g.in_c : depth,
                           .ldb = depth,
                           .ldc = g.out_c,
                           .transpose_b = true};
        const float* from = pointwise ? x + p * g.in_c + group * channels : columns;
        if (w.panels != nullptr)
          gemm_packed(product, from, w.how, w.panels, out);
        else
          gemm(product, from, w.plain + group * outputs * depth, out + group * outputs);
      }
      Epilogue here = e;
      if (e.residual != nullptr) here.residual += p * g.out_c;
      finish(rows, g.out_c, g.out_c, here, out);
    }
  });
}

namespace {

Panels convolution_panels(const ConvGeometry& g) {
  if (g.groups != 1 || is_depthwise(g) || is_first_layer(g) || is_narrow(g)) return {};
  const int64_t positions = g.batch * g.out_h * g.out_w, block = im2col_rows(g), depth = g.kernel_h * g.kernel_w * g.in_c;
  const int count = chunks(positions, position_cut(g));
  CommonPanels common;
  const int64_t parts[] = {positions / count, (positions + count - 1) / count};
  for (const int64_t part : parts) {
    common.add(min_of(block, part), g.out_c, depth);
    common.add(part % block, g.out_c, depth);
  }
  return common.get();
}

}  // namespace

void fill_conv2d(Table& t) {
  t.conv2d_panels = convolution_panels;
  t.conv2d_reads_taps = [](const ConvGeometry& g) { return is_depthwise(g) || is_first_layer(g); };
  t.conv2d_fused = convolve;
}

}  // namespace octet::f32::OCTET_ISA
