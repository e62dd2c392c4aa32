// SPDX-License-Identifier: Apache-2.0
// Packs dense convolutions for the M4 block (m4_conv2d_block.h): per group of four output channels start values, 16-bit weight
// pairs in the order in which SXTB16 delivers the inputs (0, 2, 1, 3 of each word), rescaling constants.
#include "kernels/cortex_m/pack_channel.h"

namespace octet::cortex_m {
namespace {

/// Weights of one channel with every kernel row filled up to whole words; none for channels that only fill up a group.
std::vector<int8_t> padded(const Conv2dArgs& a, const int8_t* weights) {
  const int32_t row = a.kernel_w * a.in_c, words = round_up(row, 4);
  std::vector<int8_t> to(static_cast<size_t>(a.kernel_h * words), 0);
  for (int32_t ky = 0; ky < a.kernel_h; ++ky)
    for (int32_t i = 0; i < row; ++i) to[static_cast<size_t>(ky * words + i)] = weights[ky * row + i];
  return to;
}

}  // namespace

std::vector<uint8_t> m4_conv2d(const Conv2dArgs& a, const kernels::Buffers& data) {
  std::vector<Channel> channels;
  const bool sums = has_residual(a);
  const int32_t window = a.kernel_h * a.kernel_w * a.in_c;
  for (int32_t c = 0; c < round_up(a.out_c, 4); ++c) {
    if (c >= a.out_c) {
      channels.push_back(filler(channels[0].weights.size()));
      continue;
    }
    const int8_t* weights = data.weight + c * window;
    Channel channel = sums ? make_sums_channel(data, a.rounding, a.input_zero_point, c, weights, window)
                           : make_channel(data, a.rounding, a.output, a.input_zero_point, c, weights, window, Target::m4);
    channel.weights = padded(a, channel.weights.data());
    if (c % 2 == 0) sums ? check_high(channel, c) : make_high(channel, a.rounding, a.output, c);
    channels.push_back(std::move(channel));
  }
  Words words;
  for (size_t g = 0; g < channels.size(); g += 4) m4_group(words, &channels[g], 4, 1, static_cast<int32_t>(g), sums);
  if (sums) add_sum_constants(words, channels, a.rounding);
  return words.take();
}

}  // namespace octet::cortex_m
