// SPDX-License-Identifier: Apache-2.0
// Plans of depthwise convolutions: tables for every 64 codes of a row until channels and strips come round together.
#include <numeric>

#include "kernels/native/vnni/plan_parts.h"

namespace octet::native::vnni {
namespace {

/// Strips before they start with channel 0 again, where a row is one string.
int32_t period(const kernels::Conv2dArgs& a) { return std::lcm(a.out_c, 64) / 64; }

/// Whether every pixel is a string of its own: where that wastes no lanes it saves splitting rows by column, and few tables do.
bool by_pixel(const kernels::Conv2dArgs& a) { return (a.stride_w > 1 && a.out_c % 64 == 0) || period(a) > kMostStrips; }

/// The code of a strip that lane `at % 16` of vector `at / 16` holds.
int32_t code_of(int32_t at) { return at % 16 / 4 * 16 + at / 16 * 4 + at % 4; }

}  // namespace

Packed pack_depthwise(const kernels::Conv2dArgs& a, const Blobs& b, const int8_t* codes) {
  Packed packed;
  packed.zero_point = unsigned_zero_point(a);
  packed.joined = joined(a), packed.pairs = in_pairs(a), packed.layer = a;
  const int32_t column_bytes = packed.pairs ? 512 : 256, groups = (a.kernel_h + 3) / 4;
  const bool alone = by_pixel(a);
  const int32_t strips = alone ? (a.out_c + 63) / 64 : period(a);
  for (int32_t s = 0; s < strips; ++s) {
    auto* weights = packed.memory.take<int8_t>(int64_t{groups} * a.kernel_w * column_bytes);
    auto* initial = packed.memory.take<int32_t>(64);
    auto* scale = packed.memory.take<float>(64);
    auto* bias = packed.memory.take<float>(64);
    for (int32_t at = 0; at < 64; ++at) {
      const int32_t code = code_of(at);
      if (alone && 64 * s + code >= a.out_c) continue;
      const auto channel = static_cast<size_t>((64 * s + code) % a.out_c);
      const int8_t* w = codes + channel * static_cast<size_t>(a.kernel_h * a.kernel_w);
      for (int32_t y = 0; y < a.kernel_h; ++y)
        for (int32_t x = 0; x < a.kernel_w; ++x) {
          int8_t* to = weights + int64_t{y / 4 * a.kernel_w + x} * column_bytes + at * 4;
          to[y % 4] = w[y * a.kernel_w + x];
          if (packed.pairs) to[256 + y + 1] = w[y * a.kernel_w + x];  // the same rows are one further down the second window
        }
      initial[at] = initial_sum(a, std::accumulate(w, w + a.kernel_h * a.kernel_w, 0));
      scale[at] = b.scale[channel];
      bias[at] = b.bias.empty() ? 0 : b.bias[channel];
    }
    packed.strips.push_back({weights, initial, scale, bias});
  }
  return packed;
}

std::vector<int8_t> unpack_depthwise(const Packed& packed) {
  const kernels::Conv2dArgs& a = packed.layer;
  const int32_t column_bytes = packed.pairs ? 512 : 256, window = a.kernel_h * a.kernel_w;
  std::vector<int8_t> plain(static_cast<size_t>(a.out_c) * static_cast<size_t>(window));
  for (int32_t c = 0; c < a.out_c; ++c) {  // every channel's first place
    int32_t at = 0;
    while (code_of(at) != c % 64) ++at;
    const int8_t* from = packed.strips[static_cast<size_t>(c / 64)].weights;
    for (int32_t y = 0; y < a.kernel_h; ++y)
      for (int32_t x = 0; x < a.kernel_w; ++x)
        plain[static_cast<size_t>(c * window + y * a.kernel_w + x)] =
            from[int64_t{y / 4 * a.kernel_w + x} * column_bytes + at * 4 + y % 4];
  }
  return plain;
}

void plan_depthwise(const kernels::Conv2dArgs& a, Plan& plan) {
  Depthwise& d = plan.depthwise;
  const bool alone = by_pixel(a);
  const int32_t planes = alone ? 1 : a.stride_w;
  d.source = source_of(a, planes);
  d.out_h = a.out_h, d.row_codes = a.out_w * a.out_c;
  d.pieces = alone ? a.out_w : 1, d.piece_codes = d.row_codes / d.pieces;
  d.piece_step = int64_t{a.stride_w} * a.in_c;
  d.stride_h = a.stride_h, d.dilation_h = a.dilation_h, d.pad_top = a.pad_top, d.kernel_h = a.kernel_h, d.kernel_w = a.kernel_w;
  d.pairs = in_pairs(a);
  d.groups = (a.kernel_h + 3) / 4;
  d.ring = (a.kernel_h - 1) * a.dilation_h + (d.pairs ? 2 : 1);
  for (int32_t x = 0; x < a.kernel_w; ++x)
    plan.offsets.push_back(x * a.dilation_w % planes * d.source.plane_bytes + int64_t{x * a.dilation_w / planes} * a.in_c);
  d.column_offset = plan.offsets.data();
  plan.scratch_bytes = ((int64_t{d.ring} + 1) * d.source.row_bytes + kSlack + 63) / 64 * 64;
  d.strips = static_cast<int32_t>(plan.packed->strips.size());
  d.strip = plan.packed->strips.data();
  d.rescale = &plan.rescale;
}

}  // namespace octet::native::vnni
