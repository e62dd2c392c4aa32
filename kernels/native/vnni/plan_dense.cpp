// SPDX-License-Identifier: Apache-2.0
// Plans of dense convolutions: channels cut into blocks of 64, 32 and 16, weights by runs of bytes that are contiguous in a window.
#include <algorithm>
#include <cstring>

#include "kernels/native/vnni/plan_parts.h"

namespace octet::native::vnni {
namespace {

using kernels::Conv2dArgs;

/// The channel of a block behind a lane of a vector: what codes.h's packs turn into memory order.
int32_t channel_of(int32_t vectors, int32_t vector, int32_t lane) { return lane / 4 * 4 * vectors + 4 * vector + lane % 4; }

int32_t vectors_for(int32_t channels) { return channels > 48 ? 4 : channels > 16 ? 2 : 1; }

}  // namespace

void plan_dense(const Conv2dArgs& args, const Blobs& b, Plan& plan) {
  Conv2dArgs a = args;
  Dense& d = plan.dense;
  d.flat = a.kernel_h == 1 && a.kernel_w == 1 && a.stride_h == 1 && a.stride_w == 1 && a.pad_top == 0 && a.pad_left == 0 &&
           a.out_h == a.in_h && a.out_w == a.in_w;
  if (d.flat) a.in_h = a.out_h = a.batch * a.in_h, a.batch = 1;
  d.source = source_of(a, 1);
  d.reach_h = (a.kernel_h - 1) * a.dilation_h + 1;
  const bool joined = a.dilation_w == 1;  // a window row is one run
  const int32_t run = (joined ? a.kernel_w : 1) * a.in_c, per_row = joined ? 1 : a.kernel_w;
  const bool inside =
      a.pad_top == 0 && a.pad_left == 0 && (a.out_h - 1) * a.stride_h + d.reach_h <= a.in_h && d.source.padded_w <= a.in_w;
  d.copies = !inside || d.source.flip != 0 || run % 4 != 0;  // a run is read in groups of four, the last beyond its end
  if (!d.copies) d.source.row_bytes = int64_t{a.in_w} * a.in_c;
  d.out_h = a.out_h, d.out_w = a.out_w, d.out_c = a.out_c, d.stride_h = a.stride_h, d.pad_top = a.pad_top;
  d.runs = a.kernel_h * per_row, d.quads = (run + 3) / 4;
  auto* offsets = plan.memory.take<int64_t>(d.runs);
  for (int32_t i = 0; i < d.runs; ++i)
    offsets[i] = i / per_row * a.dilation_h * d.source.row_bytes + int64_t{i % per_row} * a.dilation_w * a.in_c;
  d.run_offset = offsets;
  d.pixel_step = int64_t{a.stride_w} * a.in_c;

  const int64_t weights = int64_t{d.runs} * d.quads * 4 * a.out_c;
  const int64_t in_cache = std::max<int64_t>(24 << 10, std::min<int64_t>(weights / 4, 256 << 10));  // input of a tile
  d.tile = static_cast<int32_t>(std::clamp<int64_t>(in_cache / std::max<int64_t>(1, a.stride_h * d.source.row_bytes), 1, a.out_h));
  plan.scratch_bytes =
      d.copies ? (((d.tile - 1) * int64_t{a.stride_h} + d.reach_h) * d.source.row_bytes + kSlack + 63) / 64 * 64 : 0;

  std::vector<Block> blocks;
  for (int32_t c = 0; c < a.out_c; c += blocks.back().count) {
    const int32_t vectors = vectors_for(a.out_c - c), count = std::min(vectors * 16, a.out_c - c);
    auto* packed = plan.memory.take<int8_t>(int64_t{d.runs} * d.quads * vectors * 64);
    auto* initial = plan.memory.take<int32_t>(vectors * 16);
    auto* scale = plan.memory.take<float>(vectors * 16);
    auto* bias = plan.memory.take<float>(vectors * 16);
    for (int32_t v = 0; v < vectors; ++v)
      for (int32_t lane = 0; lane < 16; ++lane) {
        const int32_t i = channel_of(vectors, v, lane), at = v * 16 + lane;
        if (i >= count) continue;
        const int8_t* w = b.weight.data() + int64_t{c + i} * d.runs * run;
        int32_t sum = 0;
        for (int32_t r = 0; r < d.runs; ++r)
          for (int32_t k = 0; k < run; ++k) {
            packed[((int64_t{r} * d.quads + k / 4) * vectors + v) * 64 + lane * 4 + k % 4] = w[int64_t{r} * run + k];
            sum += w[int64_t{r} * run + k];
          }
        initial[at] = initial_sum(d.source, sum);
        scale[at] = b.scale[static_cast<size_t>(c + i)];
        bias[at] = b.bias.empty() ? 0 : b.bias[static_cast<size_t>(c + i)];
      }
    blocks.push_back({c, count, vectors, packed, initial, scale, bias});
  }
  d.blocks = static_cast<int32_t>(blocks.size());
  auto* stored = plan.memory.take<Block>(d.blocks);
  std::memcpy(stored, blocks.data(), blocks.size() * sizeof(Block));
  d.block = stored;
  d.rescale = &plan.rescale;
}

}  // namespace octet::native::vnni
