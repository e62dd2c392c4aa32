// SPDX-License-Identifier: Apache-2.0
// ShuffleNet: one half of the channels stays, the other is computed, and both are shuffled.
#include "bench/networks/blocks.h"
#include "bench/networks/mobilenet.h"

namespace octet::bench {
namespace {

/// The half that is computed: 1x1, depthwise 3x3, 1x1.
int shuffled_branch(Model& m, const std::string& path, Wire input, int64_t in, int64_t half, int64_t stride) {
  m.add(path + ".1.conv", Conv2d{.in = in, .out = half, .kernel = {1, 1}, .bias = false}, {input});
  m.add(path + ".1.bn", BatchNorm{half});
  int x = m.add(path + ".1.relu", Unary{UnaryFn::relu});
  x = conv_bn(m, path + ".dw", x, {.in = half, .out = half, .stride = stride, .groups = half, .relu = false});
  return conv_bn(m, path + ".2", x, {.in = half, .out = half, .kernel = 1});
}

}  // namespace

Model shufflenetv2() {
  constexpr struct {
    int64_t out;
    int repeats;
  } kStages[] = {{116, 4}, {232, 8}, {464, 4}};
  Model m;
  const int image = m.add("image", Input{{1, 224, 224, 3}});
  conv_bn(m, "stem", image, {.in = 3, .out = 24, .stride = 2});
  int x = m.add("pool", Pool2d{.kernel = {3, 3}, .padding = pad_all(1)});
  int64_t in = 24;
  int stage = 1;
  for (const auto& s : kStages) {
    const int64_t half = s.out / 2;
    ++stage;
    for (int i = 0; i < s.repeats; ++i) {
      const std::string path = "stage" + std::to_string(stage) + "." + std::to_string(i);
      Wire kept;
      int computed;
      if (i == 0) {  // both halves are computed, of all channels
        kept = {conv_bn(m, path + ".left.dw", x, {.in = in, .out = in, .stride = 2, .groups = in, .relu = false}), 0};
        kept = {conv_bn(m, path + ".left.pw", kept.module, {.in = in, .out = half, .kernel = 1}), 0};
        computed = shuffled_branch(m, path + ".right", {x, 0}, in, half, 2);
      } else {
        const int halves = m.add(path + ".split", Split{3, {half, half}}, {x});
        kept = {halves, 0};
        computed = shuffled_branch(m, path + ".right", {halves, 1}, half, half, 1);
      }
      m.add(path + ".join", Concat{3}, std::vector<Wire>{kept, {computed, 0}});
      x = m.add(path + ".shuffle", ChannelShuffle{2});
      in = s.out;
    }
  }
  x = conv_bn(m, "last", x, {.in = in, .out = 1024, .kernel = 1});
  classifier(m, x, 1024, 1000);
  return m;
}

}  // namespace octet::bench
