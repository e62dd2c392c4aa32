// SPDX-License-Identifier: Apache-2.0
// Packs depthwise 3x3 convolutions for the M4 block (m4_depthwise_line.h): for each pair of channels (c, c + 2) two start values,
// nine words of two 16-bit weights in the order of the scan, rescaling constants.
#include "kernels/cortex_m/pack_channel.h"
#include "kernels/cortex_m/scan.h"

namespace octet::cortex_m {

std::vector<uint8_t> m4_depthwise3x3(const kernels::Conv2dArgs& a, const kernels::Buffers& data) {
  std::vector<Channel> channels;
  for (int32_t c = 0; c < a.out_c; ++c)
    channels.push_back(make_channel(data, a.rounding, a.output, a.input_zero_point, c, data.weight + c * 9, 9, Target::m4));
  const bool columns = Scan(a).columns;
  Words words;
  for (size_t c = 0; c < channels.size(); c += c % 4 == 0 ? 1 : 3) {
    const Channel &low = channels[c], &high = channels[c + 2];
    words.add(low.start), words.add(high.start);
    for (size_t t = 0; t < 9; ++t) {
      const size_t tap = columns ? t % 3 * 3 + t / 3 : t;
      words.add_halves(low.weights[tap], high.weights[tap]);
    }
    words.add(low.rescale), words.add(high.rescale);
  }
  return words.take();
}

}  // namespace octet::cortex_m
