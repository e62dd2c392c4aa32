// SPDX-License-Identifier: Apache-2.0
// Packs fully connected layers for the M4 block (m4_linear_block.h): per group of eight outputs start values, 16-bit weight pairs,
// rescaling constants.
#include "kernels/cortex_m/pack_channel.h"

namespace octet::cortex_m {

std::vector<uint8_t> m4_linear(const kernels::LinearArgs& a, const kernels::Buffers& data) {
  std::vector<Channel> channels;
  const auto inputs = static_cast<size_t>(round_up(a.in, 4));
  for (int32_t c = 0; c < round_up(a.out, 8); ++c) {
    if (c >= a.out) {
      channels.push_back(filler(inputs));
      continue;
    }
    Channel channel =
        make_channel(data, a.rounding, a.output, a.input_zero_point, c, data.weight + int64_t{c} * a.in, a.in, Target::m4);
    channel.weights.resize(inputs, 0);
    if (c % 2 == 0) make_high(channel, a.rounding, a.output, c);
    channels.push_back(std::move(channel));
  }
  Words words;
  for (size_t g = 0; g < channels.size(); g += 8) m4_group(words, &channels[g], 8, 2, static_cast<int32_t>(g));
  return words.take();
}

}  // namespace octet::cortex_m
