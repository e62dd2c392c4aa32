// SPDX-License-Identifier: Apache-2.0
// Gradients of a convolution. Input: with stride 1 itself a convolution of dy with the flipped weights, else GEMM and col2im.
// Weight: dy^T times im2col, one accumulator per chunk of positions, added in the order of the chunks.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {

void sum_transposed(int count, int64_t rows, int64_t columns, const float* partials, float* dw) {
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t r = 0; r < rows; ++r) {
      float sum = 0;
      for (int i = 0; i < count; ++i) sum += partials[(i * rows + r) * columns + c];
      dw[c * rows + r] = sum;
    }
}

namespace {

/// Geometry of the convolution that maps dy to dx at stride 1.
ConvGeometry flipped(const ConvGeometry& g) {
  ConvGeometry f = g;
  f.in_h = g.out_h, f.in_w = g.out_w, f.in_c = g.out_c;
  f.out_h = g.in_h, f.out_w = g.in_w, f.out_c = g.in_c;
  f.pad_top = (g.kernel_h - 1) * g.dilation_h - g.pad_top;
  f.pad_left = (g.kernel_w - 1) * g.dilation_w - g.pad_left;
  return f;
}

/// O,kH,kW,I/groups to I,kH,kW,O/groups with the taps in reverse.
void flip_weights(const ConvGeometry& g, const float* w, float* flipped_w) {
  const int64_t inputs = g.in_c / g.groups, outputs = g.out_c / g.groups, taps = g.kernel_h * g.kernel_w;
  for (int64_t group = 0; group < g.groups; ++group)
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t t = 0; t < taps; ++t) {
        const float* from = w + ((group * outputs + o) * taps + t) * inputs;
        float* to = flipped_w + (group * inputs * taps + taps - 1 - t) * outputs + o;
        for (int64_t i = 0; i < inputs; ++i) to[i * taps * outputs] = from[i];
      }
}

/// Adds rows of the im2col matrix's gradient to the image they came from.
void col2im(const ConvGeometry& g, int64_t group, int64_t begin, int64_t end, const float* columns, float* image) {
  const int64_t channels = g.in_c / g.groups;
  for (int64_t p = begin; p < end; ++p) {
    const int64_t top = p / g.out_w * g.stride_h - g.pad_top, left = p % g.out_w * g.stride_w - g.pad_left;
    for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
      const int64_t ih = top + kh * g.dilation_h;
      for (int64_t kw = 0; kw < g.kernel_w; ++kw, columns += channels) {
        const int64_t iw = left + kw * g.dilation_w;
        if (ih < 0 || ih >= g.in_h || iw < 0 || iw >= g.in_w) continue;
        float* to = image + (ih * g.in_w + iw) * g.in_c + group * channels;
        for (int64_t c = 0; c < channels; ++c) to[c] += columns[c];
      }
    }
  }
}

void strided_grad_input(const ConvGeometry& g, const float* dy, const float* w, float* dx) {
  const int64_t channels = g.in_c / g.groups, outputs = g.out_c / g.groups, depth = g.kernel_h * g.kernel_w * channels;
  const int64_t positions = g.out_h * g.out_w, image = g.in_h * g.in_w * g.in_c, block = im2col_rows(g);
  parallel(g.batch, 1, [&](int, int64_t begin, int64_t end) {
    float* columns = scratch_floats(Scratch::columns, static_cast<size_t>(block * depth));
    for (int64_t n = begin; n < end; ++n) {
      float* to = dx + n * image;
      __builtin_memset(to, 0, static_cast<size_t>(image) * sizeof(float));
      for (int64_t p = 0; p < positions; p += block) {
        const int64_t rows = min_of(block, positions - p);
        for (int64_t group = 0; group < g.groups; ++group) {
          gemm({.m = rows, .n = depth, .k = outputs, .lda = g.out_c, .ldb = depth, .ldc = depth},
               dy + (n * positions + p) * g.out_c + group * outputs, w + group * outputs * depth, columns);
          col2im(g, group, p, p + rows, columns, to);
        }
      }
    }
  });
}

void conv2d_grad_input(const ConvGeometry& g, const float* dy, const float* w, float* dx) {
  if (is_depthwise(g)) return depthwise_grad_input(g, dy, w, dx);
  if (g.stride_h != 1 || g.stride_w != 1) return strided_grad_input(g, dy, w, dx);
  float* flipped_w =
      scratch_floats(Scratch::gradient_weights, static_cast<size_t>(g.out_c * g.kernel_h * g.kernel_w * (g.in_c / g.groups)));
  flip_weights(g, w, flipped_w);
  convolve(flipped(g), dy, {flipped_w}, {}, dx);
}

void conv2d_grad_weight(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  if (is_depthwise(g)) return depthwise_grad_weight(g, x, dy, dw);
  if (is_first_layer(g)) return first_layer_grad_weight(g, x, dy, dw);
  const int64_t channels = g.in_c / g.groups, outputs = g.out_c / g.groups, depth = g.kernel_h * g.kernel_w * channels;
  const int64_t positions = g.batch * g.out_h * g.out_w, grain = mac_grain(depth * g.out_c), size = g.out_c * depth;
  const int64_t block = im2col_rows(g);
  const bool pointwise = is_pointwise(g);
  const int count = chunks(positions, grain);
  float* partials = scratch_floats(Scratch::partials, static_cast<size_t>((count - 1) * size));  // chunk 0 sums in dw itself
  parallel(positions, grain, [&](int chunk, int64_t begin, int64_t end) {
    float* sum = chunk == 0 ? dw : partials + (chunk - 1) * size;
    float* columns = pointwise ? nullptr : scratch_floats(Scratch::columns, static_cast<size_t>(block * depth));
    for (int64_t p = begin; p < end; p += block) {
      const int64_t rows = min_of(block, end - p);
      for (int64_t group = 0; group < g.groups; ++group) {
        if (!pointwise) im2col(g, group, x, p, p + rows, columns);
        gemm({.m = outputs,
              .n = depth,
              .k = rows,
              .lda = g.out_c,
              .ldb = pointwise ? g.in_c : depth,
              .ldc = depth,
              .transpose_a = true,
              .accumulate = p > begin},
             dy + p * g.out_c + group * outputs, pointwise ? x + p * g.in_c + group * channels : columns,
             sum + group * outputs * depth);
      }
    }
  });
  if (count == 1) return;
  parallel(size, kStreamGrain, [&](int, int64_t begin, int64_t end) {
    for (int chunk = 1; chunk < count; ++chunk) {
      const float* from = partials + (chunk - 1) * size;
      for (int64_t i = begin; i < end; ++i) dw[i] += from[i];
    }
  });
}

}  // namespace

void fill_conv2d_grad(Table& t) {
  t.conv2d_grad_input = conv2d_grad_input;
  t.conv2d_grad_weight = conv2d_grad_weight;
}

}  // namespace octet::f32::OCTET_ISA
