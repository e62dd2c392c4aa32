// SPDX-License-Identifier: Apache-2.0
// Packs for the M55 blocks: groups of four channels with 16 weights each in turn (m55_conv2d_block.h), depthwise channels as
// vectors of four columns of four lines (m55_depthwise_line.h).
#include "kernels/cortex_m/m55_depthwise_line.h"
#include "kernels/cortex_m/pack_channel.h"
#include "kernels/cortex_m/scan.h"

namespace octet::cortex_m {
namespace {

/// Channels first .. first + outputs of `window` weights each, filled up to whole vectors and groups of four. `sums`: for codes of
/// sums with a residual.
std::vector<uint8_t> groups(const kernels::Buffers& data, Rounding rounding, const kernels::OutputArgs& output, int32_t zero_point,
                            int32_t outputs, int32_t window, bool sums = false) {
  Words words;
  std::vector<Channel> all;
  const auto padded = static_cast<size_t>(round_up(window, 16));
  for (int32_t c = 0; c < outputs; c += 4) {
    std::vector<Channel> four;
    for (int32_t i = c; i < c + 4; ++i) {
      if (i < outputs) {
        const int8_t* weights = data.weight + int64_t{i} * window;
        four.push_back(sums ? make_sums_channel(data, rounding, zero_point, i, weights, window)
                            : make_channel(data, rounding, output, zero_point, i, weights, window, Target::m55));
        four.back().weights.resize(padded, 0);
      } else {
        four.push_back(filler(padded));
      }
    }
    for (size_t k = 0; k < padded; k += 16)
      for (const Channel& channel : four) words.add(channel.weights.data() + k, 16);
    for (const Channel& channel : four) words.add(channel.start);
    all.insert(all.end(), four.begin(), four.end());
    if (sums) continue;
    for (const Channel& channel : four) words.add(channel.rescale.multiplier);
    for (const Channel& channel : four) words.add(rounding == Rounding::real ? channel.rescale.addend : channel.rescale.shift);
  }
  if (sums) add_sum_constants(words, all, rounding);
  return words.take();
}

}  // namespace

std::vector<uint8_t> m55_conv2d(const kernels::Conv2dArgs& a, const kernels::Buffers& data) {
  return groups(data, a.rounding, a.output, a.input_zero_point, a.out_c, a.kernel_h * a.kernel_w * a.in_c, has_residual(a));
}

std::vector<uint8_t> m55_linear(const kernels::LinearArgs& a, const kernels::Buffers& data) {
  return groups(data, a.rounding, a.output, a.input_zero_point, a.out, a.in);
}

std::vector<uint8_t> m55_depthwise3x3(const kernels::Conv2dArgs& a, const kernels::Buffers& data) {
  const bool columns = Scan(a).columns;
  Words words;
  for (int32_t c = 0; c < a.out_c; ++c) {
    const Channel channel = make_channel(data, a.rounding, a.output, a.input_zero_point, c, data.weight + c * 9, 9, Target::m55);
    int8_t weights[16] = {};
    for (size_t column = 0; column < 3; ++column)
      for (size_t line = 0; line < 3; ++line)
        weights[4 * column + line] = channel.weights[columns ? column * 3 + line : line * 3 + column];
    words.add(weights, 16);
    words.add(channel.start), words.add(channel.rescale.multiplier);
    words.add(a.rounding == Rounding::real ? channel.rescale.addend : channel.rescale.shift);
  }
  return words.take();
}

}  // namespace octet::cortex_m
