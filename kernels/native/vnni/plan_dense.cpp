// SPDX-License-Identifier: Apache-2.0
// Plans of dense convolutions: channels cut into blocks of 64, 32 and 16, weights by runs of bytes that are contiguous in a window.
#include <algorithm>

#include "kernels/native/vnni/plan_parts.h"

namespace octet::native::vnni {
namespace {

using kernels::Conv2dArgs;

/// The channel of a block behind a lane of a vector: what codes.h's packs turn into memory order.
int32_t channel_of(int32_t vectors, int32_t vector, int32_t lane) { return lane / 4 * 4 * vectors + 4 * vector + lane % 4; }

/// The contiguous pieces of a window.
struct Runs {
  int32_t per_row, count, length, quads;

  explicit Runs(const Conv2dArgs& a)
      : per_row(joined(a) ? 1 : a.kernel_w),
        count(a.kernel_h * per_row),
        length((joined(a) ? a.kernel_w : 1) * a.in_c),
        quads((length + 3) / 4) {}
};

/// Where a weight lies in its block: element k of a run, for a lane of a vector.
int64_t place(const Runs& runs, int32_t vectors, int32_t run, int32_t k, int32_t vector, int32_t lane) {
  return ((int64_t{run} * runs.quads + k / 4) * vectors + vector) * 64 + lane * 4 + k % 4;
}

int32_t vectors_for(int32_t channels) { return channels > 48 ? 4 : channels > 16 ? 2 : 1; }

}  // namespace

Packed pack_dense(const Conv2dArgs& a, const Blobs& b, const int8_t* codes) {
  Packed packed;
  packed.zero_point = unsigned_zero_point(a);
  packed.joined = joined(a), packed.pairs = false, packed.layer = a;
  const Runs runs(a);
  for (int32_t c = 0; c < a.out_c; c += packed.blocks.back().count) {
    const int32_t vectors = vectors_for(a.out_c - c), count = std::min(vectors * 16, a.out_c - c);
    auto* weights = packed.memory.take<int8_t>(int64_t{runs.count} * runs.quads * vectors * 64);
    auto* initial = packed.memory.take<int32_t>(vectors * 16);
    auto* scale = packed.memory.take<float>(vectors * 16);
    auto* bias = packed.memory.take<float>(vectors * 16);
    for (int32_t v = 0; v < vectors; ++v)
      for (int32_t lane = 0; lane < 16; ++lane) {
        const int32_t i = channel_of(vectors, v, lane), at = v * 16 + lane;
        if (i >= count) continue;
        const int8_t* w = codes + int64_t{c + i} * runs.count * runs.length;
        int32_t sum = 0;
        for (int32_t r = 0; r < runs.count; ++r)
          for (int32_t k = 0; k < runs.length; ++k, ++w) {
            weights[place(runs, vectors, r, k, v, lane)] = *w;
            sum += *w;
          }
        initial[at] = initial_sum(a, sum);
        scale[at] = b.scale[static_cast<size_t>(c + i)];
        bias[at] = b.bias.empty() ? 0 : b.bias[static_cast<size_t>(c + i)];
      }
    packed.blocks.push_back({c, count, vectors, weights, initial, scale, bias});
  }
  return packed;
}

std::vector<int8_t> unpack_dense(const Packed& packed) {
  const Runs runs(packed.layer);
  const size_t row = static_cast<size_t>(runs.count) * static_cast<size_t>(runs.length);
  std::vector<int8_t> plain(row * static_cast<size_t>(packed.layer.out_c));
  for (const Block& b : packed.blocks)
    for (int32_t v = 0; v < b.vectors; ++v)
      for (int32_t lane = 0; lane < 16; ++lane) {
        const int32_t i = channel_of(b.vectors, v, lane);
        if (i >= b.count) continue;
        int8_t* w = plain.data() + static_cast<size_t>(b.channel + i) * row;
        for (int32_t r = 0; r < runs.count; ++r)
          for (int32_t k = 0; k < runs.length; ++k) *w++ = b.weights[place(runs, b.vectors, r, k, v, lane)];
      }
  return plain;
}

void plan_dense(const Conv2dArgs& args, Plan& plan) {
  Conv2dArgs a = args;
  Dense& d = plan.dense;
  d.flat = a.kernel_h == 1 && a.kernel_w == 1 && a.stride_h == 1 && a.stride_w == 1 && a.pad_top == 0 && a.pad_left == 0 &&
           a.out_h == a.in_h && a.out_w == a.in_w;
  if (d.flat) a.in_h = a.out_h = a.batch * a.in_h, a.batch = 1;
  d.source = source_of(a, 1);
  d.reach_h = (a.kernel_h - 1) * a.dilation_h + 1;
  const Runs runs(a);
  const bool inside =
      a.pad_top == 0 && a.pad_left == 0 && (a.out_h - 1) * a.stride_h + d.reach_h <= a.in_h && d.source.padded_w <= a.in_w;
  d.copies = !inside || d.source.flip != 0 || runs.length % 4 != 0;  // a run is read in groups of four, the last beyond its end
  if (!d.copies) d.source.row_bytes = int64_t{a.in_w} * a.in_c;
  d.out_h = a.out_h, d.out_w = a.out_w, d.out_c = a.out_c, d.stride_h = a.stride_h, d.pad_top = a.pad_top;
  d.runs = runs.count, d.quads = runs.quads;
  for (int32_t i = 0; i < d.runs; ++i)
    plan.offsets.push_back(i / runs.per_row * a.dilation_h * d.source.row_bytes +
                           int64_t{i % runs.per_row} * a.dilation_w * a.in_c);
  d.run_offset = plan.offsets.data();
  d.pixel_step = int64_t{a.stride_w} * a.in_c;

  const int64_t weights = int64_t{d.runs} * d.quads * 4 * a.out_c;
  const int64_t in_cache = std::max<int64_t>(24 << 10, std::min<int64_t>(weights / 4, 256 << 10));  // input of a tile
  d.tile = static_cast<int32_t>(std::clamp<int64_t>(in_cache / std::max<int64_t>(1, a.stride_h * d.source.row_bytes), 1, a.out_h));
  plan.scratch_bytes =
      d.copies ? (((d.tile - 1) * int64_t{a.stride_h} + d.reach_h) * d.source.row_bytes + kSlack + 63) / 64 * 64 : 0;
  d.blocks = static_cast<int32_t>(plan.packed->blocks.size());
  d.block = plan.packed->blocks.data();
  d.rescale = &plan.rescale;
}

}  // namespace octet::native::vnni
