// SPDX-License-Identifier: Apache-2.0
// Convolution of images (one to four input channels), vectorized over output channels: a few output rows at a time are computed
// from a zero-padded copy of the input rows they need, so that no tap has to be tested. Weights are transposed to [tap][channel].
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {
namespace {

constexpr int64_t kMaxTaps = 256;
constexpr int64_t kTileFloats = 8192;  // a padded tile fits the first-level cache

/// Sizes of the padded tiles and where each tap is, relative to an output's first.
struct Tiles {
  explicit Tiles(const ConvGeometry& g)
      : width((g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1),
        line(width * g.in_c),
        taps(g.kernel_h * g.kernel_w * g.in_c),
        rows(max_of(1, (kTileFloats / line - (g.kernel_h - 1) * g.dilation_h - 1) / g.stride_h + 1)) {
    int32_t* to = offset;
    for (int64_t kh = 0; kh < g.kernel_h; ++kh)
      for (int64_t kw = 0; kw < g.kernel_w; ++kw)
        for (int64_t c = 0; c < g.in_c; ++c)
          *to++ = static_cast<int32_t>(kh * g.dilation_h * line + kw * g.dilation_w * g.in_c + c);
  }
  int64_t input_rows(const ConvGeometry& g, int64_t out_rows) const {
    return (out_rows - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h + 1;
  }
  int64_t width, line, taps;
  int64_t rows;  ///< output rows per tile
  int32_t offset[kMaxTaps];
};

/// The input under output rows [oh, oh + rows) of image n.
void copy_padded(const ConvGeometry& g, const Tiles& tiles, const float* x, int64_t n, int64_t oh, int64_t rows, float* tile) {
  const int64_t first = min_of(tiles.width, max_of(0, g.pad_left)), skip = max_of(0, -g.pad_left);
  const int64_t inside = max_of(0, min_of(tiles.width - first, g.in_w - skip)), last = first + inside;
  for (int64_t r = 0; r < tiles.input_rows(g, rows); ++r, tile += tiles.line) {
    const int64_t ih = oh * g.stride_h - g.pad_top + r;
    if (ih < 0 || ih >= g.in_h) {
      for (int64_t i = 0; i < tiles.line; ++i) tile[i] = 0;
      continue;
    }
    const float* from = x + ((n * g.in_h + ih) * g.in_w + skip) * g.in_c;
    for (int64_t i = 0; i < first * g.in_c; ++i) tile[i] = 0;
    for (int64_t i = 0; i < inside * g.in_c; ++i) tile[first * g.in_c + i] = from[i];
    for (int64_t i = last * g.in_c; i < tiles.line; ++i) tile[i] = 0;
  }
}

/// Calls f(tile, row, rows) for the tiles of output rows [begin, end) of all images.
template <class F>
void for_tiles(const ConvGeometry& g, const Tiles& tiles, const float* x, int64_t begin, int64_t end, const F& f) {
  float* tile = scratch_floats(Scratch::columns, static_cast<size_t>(tiles.input_rows(g, tiles.rows) * tiles.line));
  for (int64_t row = begin; row < end;) {
    const int64_t oh = row % g.out_h, rows = min_of(tiles.rows, min_of(end - row, g.out_h - oh));
    copy_padded(g, tiles, x, row / g.out_h, oh, rows, tile);
    f(tile, row, rows);
    row += rows;
  }
}

/// P neighbouring outputs of V*L channels.
template <int L, int V, int P>
[[gnu::always_inline]] inline void outputs(const Tiles& tiles, int64_t step, int64_t channels, const float* x, const float* w,
                                           const Vec<L>* bias, Vec<L> lo, Vec<L> hi, const float* residual, float* y) {
  Vec<L> sum[P][V];
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < V; ++v) sum[p][v] = bias[v];
  for (int64_t t = 0; t < tiles.taps; ++t, w += channels) {
    const float* at = x + tiles.offset[t];
    for (int v = 0; v < V; ++v) {
      const Vec<L> tap = load<L>(w + v * L);
      for (int p = 0; p < P; ++p) sum[p][v] += at[p * step] * tap;
    }
  }
  if (residual != nullptr)
    for (int p = 0; p < P; ++p)
      for (int v = 0; v < V; ++v) sum[p][v] += load<L>(residual + p * channels + v * L);
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < V; ++v) store<L>(y + p * channels + v * L, limit<L>(sum[p][v], lo, hi));
}

/// sums[j][channel] += dy * x over a tile, for T taps; `offset` of taps past the last repeats one and its sum is not kept.
template <int L, int T>
[[gnu::always_inline]] inline void add_tap_products(const ConvGeometry& g, const Tiles& tiles, int64_t rows, const int32_t* offset,
                                                    int64_t kept, const float* tile, const float* dy, float* sums) {
  Vec<L> sum[T] = {};
  int32_t at[T];
  for (int j = 0; j < T; ++j) at[j] = offset[min_of(j, kept - 1)];
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = tile + r * g.stride_h * tiles.line;
    for (int64_t ow = 0; ow < g.out_w; ++ow, x += g.stride_w * g.in_c, dy += g.out_c) {
      const Vec<L> d = load<L>(dy);
      for (int j = 0; j < T; ++j) sum[j] += x[at[j]] * d;
    }
  }
  for (int j = 0; j < T; ++j)
    if (j < kept) store<L>(sums + j * g.out_c, load<L>(sums + j * g.out_c) + sum[j]);
}

/// Taps summed at once: what wastes the fewest.
int64_t tap_block(int64_t taps) {
  int64_t best = 4, cost = (taps + 3) / 4 * 5;  // each pass costs about one tap more, for reading dy
  constexpr int64_t kSizes[] = {9, 12};
  for (const int64_t t : kSizes)
    if ((taps + t - 1) / t * (t + 1) <= cost) best = t, cost = (taps + t - 1) / t * (t + 1);
  return best;
}

}  // namespace

bool is_first_layer(const ConvGeometry& g) {
  return g.groups == 1 && g.in_c <= 4 && g.out_c >= 4 && g.kernel_h * g.kernel_w * g.in_c <= kMaxTaps && !is_pointwise(g) &&
         ((g.kernel_h - 1) * g.dilation_h + 1) * ((g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1) * g.in_c <
             1 << 20;
}

void first_layer(const ConvGeometry& g, const float* x, const LayerWeights& w, const Epilogue& e, float* y) {
  const Tiles tiles(g);
  const float* wt = w.taps;
  if (wt == nullptr) {
    float* made = scratch_floats(Scratch::weights, static_cast<size_t>(tiles.taps * g.out_c));
    for (int64_t o = 0; o < g.out_c; ++o)
      for (int64_t t = 0; t < tiles.taps; ++t) made[t * g.out_c + o] = w.plain[o * tiles.taps + t];
    wt = made;
  }
  const int64_t step = g.stride_w * g.in_c;
  parallel(g.batch * g.out_h, mac_grain(g.out_w * g.out_c * tiles.taps), [&](int, int64_t begin, int64_t end) {
    for_tiles(g, tiles, x, begin, end, [&](const float* tile, int64_t row, int64_t rows) {
      for_strips<2>(0, g.out_c, [&]<int L, int V>(int64_t c) {
        const Vec<L> lo = splat<L>(e.act_min), hi = splat<L>(e.act_max);
        Vec<L> b[V];
        for (int v = 0; v < V; ++v) b[v] = e.bias ? load<L>(e.bias + c + v * L) : Vec<L>{};
        for (int64_t r = 0; r < rows; ++r) {
          const float* line = tile + r * g.stride_h * tiles.line;
          int64_t ow = 0, at = (row + r) * g.out_w * g.out_c + c;
          const auto residual = [&] { return e.residual ? e.residual + at : nullptr; };
          for (; ow + 4 <= g.out_w; ow += 4, at += 4 * g.out_c)
            outputs<L, V, 4>(tiles, step, g.out_c, line + ow * step, wt + c, b, lo, hi, residual(), y + at);
          for (; ow < g.out_w; ++ow, at += g.out_c)
            outputs<L, V, 1>(tiles, step, g.out_c, line + ow * step, wt + c, b, lo, hi, residual(), y + at);
        }
      });
    });
  });
}

void first_layer_grad_weight(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  const Tiles tiles(g);
  const int64_t size = tiles.taps * g.out_c, grain = mac_grain(g.out_w * size), block = tap_block(tiles.taps);
  const int count = chunks(g.batch * g.out_h, grain);
  float* partials = scratch_floats(Scratch::partials, static_cast<size_t>(count * size));
  __builtin_memset(partials, 0, static_cast<size_t>(count * size) * sizeof(float));
  parallel(g.batch * g.out_h, grain, [&](int chunk, int64_t begin, int64_t end) {
    for_tiles(g, tiles, x, begin, end, [&](const float* tile, int64_t row, int64_t rows) {
      for_strips<1>(0, g.out_c, [&]<int L, int>(int64_t c) {
        for (int64_t t = 0; t < tiles.taps; t += block) {
          const float* from = dy + row * g.out_w * g.out_c + c;
          float* to = partials + chunk * size + t * g.out_c + c;
          const int64_t kept = min_of(block, tiles.taps - t);
          if (block == 4)
            add_tap_products<L, 4>(g, tiles, rows, tiles.offset + t, kept, tile, from, to);
          else if (block == 9)
            add_tap_products<L, 9>(g, tiles, rows, tiles.offset + t, kept, tile, from, to);
          else
            add_tap_products<L, 12>(g, tiles, rows, tiles.offset + t, kept, tile, from, to);
        }
      });
    });
  });
  sum_transposed(count, tiles.taps, g.out_c, partials, dw);
}

}  // namespace octet::f32::OCTET_ISA
