// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution (one input and one output channel per group), vectorized over channels: forward and both gradients.
// Weights are first transposed from [channel][tap] to [tap][channel].
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {
namespace {

struct Range {
  int64_t begin, end;
};
/// Output positions i in [0, out) whose tap i*stride + offset lies in [0, in).
Range valid_outputs(int64_t out, int64_t in, int64_t stride, int64_t offset) {
  const int64_t begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const int64_t end = offset >= in ? 0 : (in - 1 - offset) / stride + 1;
  return {min_of(begin, out), max_of(min_of(begin, out), min_of(end, out))};
}
/// Taps k in [0, kernel) with start + k*dilation in [0, in).
Range valid_taps(int64_t kernel, int64_t in, int64_t dilation, int64_t start) { return valid_outputs(kernel, in, dilation, start); }
/// Output columns for which taps first … last of a kernel row all lie inside.
Range inner_columns(const ConvGeometry& g, int64_t first, int64_t last) {
  const int64_t begin = valid_outputs(g.out_w, g.in_w, g.stride_w, first * g.dilation_w - g.pad_left).begin;
  const int64_t end = valid_outputs(g.out_w, g.in_w, g.stride_w, last * g.dilation_w - g.pad_left).end;
  return {begin, max_of(begin, end)};
}

float* transposed_weights(const ConvGeometry& g, const float* w, bool flip) {
  const int64_t taps = g.kernel_h * g.kernel_w;
  float* to = scratch_floats(Scratch::weights, static_cast<size_t>(taps * g.in_c));
  for (int64_t c = 0; c < g.in_c; ++c)
    for (int64_t t = 0; t < taps; ++t) to[(flip ? taps - 1 - t : t) * g.in_c + c] = w[c * taps + t];
  return to;
}

/// `P` neighbouring outputs of V vectors of L channels; x and w point at the first tap of the first output.
template <int L, int V, int P>
[[gnu::always_inline]] inline void outputs(const ConvGeometry& g, Range rows, Range columns, const float* x, const float* w,
                                           const Epilogue& e, int64_t c, int64_t first, float* y) {
  Vec<L> sum[P][V];
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < V; ++v) sum[p][v] = e.bias ? load<L>(e.bias + c + v * L) : Vec<L>{};
  for (int64_t kh = rows.begin; kh < rows.end; ++kh) {
    const float* line = x + kh * g.dilation_h * g.in_w * g.in_c;
    for (int64_t kw = columns.begin; kw < columns.end; ++kw) {
      const float* at = line + kw * g.dilation_w * g.in_c;
      for (int v = 0; v < V; ++v) {
        const Vec<L> tap = load<L>(w + (kh * g.kernel_w + kw) * g.in_c + v * L);
        for (int p = 0; p < P; ++p) sum[p][v] += load<L>(at + p * g.stride_w * g.in_c + v * L) * tap;
      }
    }
  }
  if (e.residual != nullptr)
    for (int p = 0; p < P; ++p)
      for (int v = 0; v < V; ++v) sum[p][v] += load<L>(e.residual + first + p * g.in_c + v * L);
  const Vec<L> lo = splat<L>(e.act_min), hi = splat<L>(e.act_max);
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < V; ++v) store<L>(y + first + p * g.in_c + v * L, limit<L>(sum[p][v], lo, hi));
}

/// The same of all channels: more vectors side by side where there are fewer neighbours, so that enough sums run at once.
template <int P>
void outputs_of_all(const ConvGeometry& g, Range rows, Range columns, const float* x, const float* wt, const Epilogue& e,
                    int64_t first, float* y) {
  for_strips<(P > 2 ? 2 : 4)>(
      0, g.in_c, [&]<int L, int V>(int64_t c) { outputs<L, V, P>(g, rows, columns, x + c, wt + c, e, c, first + c, y); });
}

/// wt is [tap][channel].
void forward(const ConvGeometry& g, const float* x, const float* wt, const Epilogue& e, float* y) {
  const Range inner = inner_columns(g, 0, g.kernel_w - 1), all{0, g.kernel_w};
  const int64_t taps = g.kernel_h * g.kernel_w;
  parallel(g.batch * g.out_h, mac_grain(g.out_w * g.in_c * taps * 4), [&](int, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t top = row % g.out_h * g.stride_h - g.pad_top;
      const Range rows = valid_taps(g.kernel_h, g.in_h, g.dilation_h, top);
      const float* image = x + (row / g.out_h * g.in_h + top) * g.in_w * g.in_c;
      for (int64_t ow = 0; ow < g.out_w;) {
        const int64_t n = ow < inner.begin || ow >= inner.end ? 1 : min_of(4, inner.end - ow), left = ow * g.stride_w - g.pad_left;
        const Range columns = n > 1 ? all : valid_taps(g.kernel_w, g.in_w, g.dilation_w, left);
        const float* at = image + left * g.in_c;
        const int64_t first = (row * g.out_w + ow) * g.in_c;
        switch (n) {
          case 4: outputs_of_all<4>(g, rows, columns, at, wt, e, first, y); break;
          case 3: outputs_of_all<3>(g, rows, columns, at, wt, e, first, y); break;
          case 2: outputs_of_all<2>(g, rows, columns, at, wt, e, first, y); break;
          default: outputs_of_all<1>(g, rows, columns, at, wt, e, first, y); break;
        }
        ow += n;
      }
    }
  });
}

/// Adds dy * x of N taps of one kernel row, kw on, along one output row; x points at the input row.
template <int L, int N>
[[gnu::always_inline]] inline void add_tap_products(const ConvGeometry& g, int64_t kw, const float* x, const float* dy,
                                                    float* sums) {
  const Range inner = inner_columns(g, kw, kw + N - 1);
  const int64_t offset = kw * g.dilation_w - g.pad_left;
  Vec<L> sum[N] = {};
  const auto border = [&](int64_t begin, int64_t end) {
    for (int64_t ow = begin; ow < end; ++ow)
      for (int i = 0; i < N; ++i) {
        const int64_t iw = ow * g.stride_w + offset + i * g.dilation_w;
        if (iw >= 0 && iw < g.in_w) sum[i] += load<L>(dy + ow * g.in_c) * load<L>(x + iw * g.in_c);
      }
  };
  border(0, inner.begin);
  for (int64_t ow = inner.begin; ow < inner.end; ++ow) {
    const Vec<L> d = load<L>(dy + ow * g.in_c);
    const float* at = x + (ow * g.stride_w + offset) * g.in_c;
    for (int i = 0; i < N; ++i) sum[i] += d * load<L>(at + i * g.dilation_w * g.in_c);
  }
  border(inner.end, g.out_w);
  for (int i = 0; i < N; ++i) store<L>(sums + i * g.in_c, load<L>(sums + i * g.in_c) + sum[i]);
}

}  // namespace

bool is_depthwise(const ConvGeometry& g) { return g.groups == g.in_c && g.groups == g.out_c && g.groups > 1; }

void depthwise(const ConvGeometry& g, const float* x, const LayerWeights& w, const Epilogue& e, float* y) {
  forward(g, x, w.taps ? w.taps : transposed_weights(g, w.plain, false), e, y);
}

void depthwise_grad_input(const ConvGeometry& g, const float* dy, const float* w, float* dx) {
  if (g.stride_h == 1 && g.stride_w == 1) {
    ConvGeometry f = g;
    f.in_h = g.out_h, f.in_w = g.out_w, f.out_h = g.in_h, f.out_w = g.in_w;
    f.pad_top = (g.kernel_h - 1) * g.dilation_h - g.pad_top;
    f.pad_left = (g.kernel_w - 1) * g.dilation_w - g.pad_left;
    return forward(f, dy, transposed_weights(g, w, true), {}, dx);
  }
  const float* wt = transposed_weights(g, w, false);
  const int64_t taps = g.kernel_h * g.kernel_w;
  parallel(g.batch * g.in_h, mac_grain(g.in_w * g.in_c * taps), [&](int, int64_t begin, int64_t end) {
    // For one input position: where in dy and wt the taps that read it are.
    auto* used = static_cast<int64_t*>(scratch(Scratch::columns, static_cast<size_t>(2 * taps) * sizeof(int64_t)));
    for (int64_t row = begin; row < end; ++row) {
      const int64_t n = row / g.in_h, ih = row % g.in_h;
      for (int64_t iw = 0; iw < g.in_w; ++iw) {
        int64_t count = 0;
        for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
          const int64_t h = ih + g.pad_top - kh * g.dilation_h;
          if (h < 0 || h % g.stride_h != 0 || h / g.stride_h >= g.out_h) continue;
          for (int64_t kw = 0; kw < g.kernel_w; ++kw) {
            const int64_t v = iw + g.pad_left - kw * g.dilation_w;
            if (v < 0 || v % g.stride_w != 0 || v / g.stride_w >= g.out_w) continue;
            used[count++] = ((n * g.out_h + h / g.stride_h) * g.out_w + v / g.stride_w) * g.in_c;
            used[count++] = (kh * g.kernel_w + kw) * g.in_c;
          }
        }
        float* to = dx + (row * g.in_w + iw) * g.in_c;
        for_strips<1>(0, g.in_c, [&]<int L, int>(int64_t c) {
          Vec<L> sum = {};
          for (int64_t i = 0; i < count; i += 2) sum += load<L>(dy + used[i] + c) * load<L>(wt + used[i + 1] + c);
          store<L>(to + c, sum);
        });
      }
    }
  });
}

void depthwise_grad_weight(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  const int64_t taps = g.kernel_h * g.kernel_w, grain = mac_grain(g.out_w * g.in_c * taps * 4), size = taps * g.in_c;
  const int count = chunks(g.batch * g.out_h, grain);
  float* partials = scratch_floats(Scratch::partials, static_cast<size_t>(count * size));
  __builtin_memset(partials, 0, static_cast<size_t>(count * size) * sizeof(float));
  parallel(g.batch * g.out_h, grain, [&](int chunk, int64_t begin, int64_t end) {
    float* sums = partials + chunk * size;
    for (int64_t row = begin; row < end; ++row) {
      const int64_t top = row % g.out_h * g.stride_h - g.pad_top;
      const Range rows = valid_taps(g.kernel_h, g.in_h, g.dilation_h, top);
      for (int64_t kh = rows.begin; kh < rows.end; ++kh)
        for_strips<1>(0, g.in_c, [&]<int L, int>(int64_t c) {
          const float* line = x + (row / g.out_h * g.in_h + top + kh * g.dilation_h) * g.in_w * g.in_c + c;
          const float* from = dy + row * g.out_w * g.in_c + c;
          float* to = sums + kh * g.kernel_w * g.in_c + c;
          int64_t kw = 0;
          for (; kw + 3 <= g.kernel_w; kw += 3) add_tap_products<L, 3>(g, kw, line, from, to + kw * g.in_c);
          for (; kw < g.kernel_w; ++kw) add_tap_products<L, 1>(g, kw, line, from, to + kw * g.in_c);
        });
    }
  });
  sum_transposed(count, taps, g.in_c, partials, dw);
}

}  // namespace octet::f32::OCTET_ISA
