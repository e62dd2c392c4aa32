// SPDX-License-Identifier: Apache-2.0
// The inner block of the M55 depthwise 3x3 convolution: one line of outputs of several channels, four outputs of a channel at a
// time. Sixteen bytes of the ring are four columns of four lines, so that one dot product with the channel's weights gives an
// output.
#pragma once

#include "kernels/cortex_m/mve.h"

namespace octet::cortex_m::m55 {

/// One channel's weights, byte 4 * column + line (column 3 and line 3 zero), and its constants.
struct DepthwiseChannel {
  int8_t weights[16];
  int32_t start, multiplier, shift;
};

/// `ring`: for each channel `pitch` bytes, byte 4 * column + slot; line i of the window is in slot (turn + i) % 4. A line that is
/// no multiple of 4 long ends with a block that overlaps the one before.
struct DepthwiseLine {
  const int8_t* ring;
  int32_t pitch, turn, channels;
  int32_t blocks, overlap;  ///< full blocks of four, at least 1; outputs that one more block overlaps, 0: none
  int32_t step;             ///< bytes from one output to the next
  const DepthwiseChannel* packed;
  int8_t* out;
  Output4 output;
};

#if defined(OCTET_M55_ASSEMBLY)
extern "C" void octet_m55_depthwise_s1_fixed_double(DepthwiseLine*);
extern "C" void octet_m55_depthwise_s2_fixed_double(DepthwiseLine*);
extern "C" void octet_m55_depthwise_s1_fixed_single(DepthwiseLine*);
extern "C" void octet_m55_depthwise_s2_fixed_single(DepthwiseLine*);
extern "C" void octet_m55_depthwise_s1_real(DepthwiseLine*);
extern "C" void octet_m55_depthwise_s2_real(DepthwiseLine*);

/// The block uses its argument, here a copy, as working memory.
template <Rounding R, int32_t Stride>
inline void depthwise_line(DepthwiseLine l) {
  if constexpr (R == Rounding::fixed_double)
    return Stride == 1 ? octet_m55_depthwise_s1_fixed_double(&l) : octet_m55_depthwise_s2_fixed_double(&l);
  if constexpr (R == Rounding::fixed_single)
    return Stride == 1 ? octet_m55_depthwise_s1_fixed_single(&l) : octet_m55_depthwise_s2_fixed_single(&l);
  if constexpr (R == Rounding::real) return Stride == 1 ? octet_m55_depthwise_s1_real(&l) : octet_m55_depthwise_s2_real(&l);
}

#elif defined(OCTET_MVE)

/// Slots of the weights turned by as many as the ring's lines are.
inline int8x16_t turned(const int8_t* weights, int32_t turn) {
  const uint32x4_t w = vreinterpretq_u32_s8(vld1q_s8(weights));
  return vreinterpretq_s8_u32(vorrq_u32(vshlq_r_u32(w, 8 * turn), vshlq_r_u32(w, 8 * turn - 32)));
}

template <Rounding R, int32_t Stride>
inline void depthwise_line(const DepthwiseLine& l) {
  const uint32x4_t at = vmulq_n_u32(vidupq_n_u32(0, 1), static_cast<uint32_t>(l.step));
  const DepthwiseChannel* channel = l.packed;
  for (int32_t c = 0; c < l.channels; ++c, ++channel) {
    const int8x16_t w = turned(channel->weights, l.turn);
    const int32_t start = channel->start, multiplier = channel->multiplier, shift = channel->shift;
    const int8_t* x = l.ring + c * l.pitch;
    int8_t* out = l.out + c;
    const auto block = [&](int32_t back) __attribute__((always_inline)) {
      x -= 4 * Stride * back, out -= l.step * back;
      int32x4_t v{};
      v = vsetq_lane_s32(vmladavq_s8(vld1q_s8(x), w), v, 0);
      v = vsetq_lane_s32(vmladavq_s8(vld1q_s8(x + 4 * Stride), w), v, 1);
      v = vsetq_lane_s32(vmladavq_s8(vld1q_s8(x + 8 * Stride), w), v, 2);
      v = vsetq_lane_s32(vmladavq_s8(vld1q_s8(x + 12 * Stride), w), v, 3);
      v = codes4<R>(vaddq_n_s32(v, start), vdupq_n_s32(multiplier), vdupq_n_s32(shift), l.output);
      vstrbq_scatter_offset_s32(out, at, v);
      x += 16 * Stride, out += 4 * l.step;
    };
    for (int32_t b = 0; b < l.blocks; ++b) block(0);
    if (l.overlap != 0) block(l.overlap);
  }
}

#else

template <Rounding R, int32_t Stride>
inline void depthwise_line(const DepthwiseLine& l) {
  for (int32_t c = 0; c < l.channels; ++c) {
    const DepthwiseChannel& channel = l.packed[c];
    const int32_t blocks = l.blocks + (l.overlap != 0 ? 1 : 0);
    for (int32_t b = 0; b < blocks; ++b)
      for (int32_t i = 0; i < 4; ++i) {
        const int32_t at = 4 * b - (b == l.blocks ? l.overlap : 0) + i;
        int32_t sum = channel.start;
        for (int32_t t = 0; t < 16; ++t)
          sum = wrap(sum, l.ring[c * l.pitch + 4 * at * Stride + t / 4 * 4 + (t + l.turn) % 4] * channel.weights[t]);
        l.out[at * l.step + c] = static_cast<int8_t>(code<R>(sum, channel.multiplier, channel.shift, l.output));
      }
  }
}

#endif

}  // namespace octet::cortex_m::m55
