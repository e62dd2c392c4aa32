// SPDX-License-Identifier: Apache-2.0
// Inverted residuals whose channels are gated by squeeze and excitation, and whose functions are no relu.
#include "bench/networks/blocks.h"
#include "bench/networks/mobilenet.h"

namespace octet::bench {
namespace {

struct Gated {
  int64_t in, kernel, wide, out, stride;
  UnaryFn act;
  std::optional<Excitation> excitation;
};

int gated_residual(Model& m, const std::string& path, int input, const Gated& b) {
  int x = input;
  if (b.wide != b.in) x = conv_bn(m, path + ".expand", x, {.in = b.in, .out = b.wide, .kernel = 1, .act = b.act});
  const ConvBn depthwise{.in = b.wide, .out = b.wide, .kernel = b.kernel, .stride = b.stride, .groups = b.wide, .act = b.act};
  x = conv_bn(m, path + ".dw", x, depthwise);
  if (b.excitation) x = excited(m, path + ".se", x, *b.excitation);
  x = conv_bn(m, path + ".project", x, {.in = b.wide, .out = b.out, .kernel = 1, .relu = false});
  return b.in == b.out && b.stride == 1 ? m.add(path + ".add", Binary{BinaryFn::add}, {input, x}) : x;
}

/// A quarter, as a multiple of eight that is not much less.
int64_t quarter(int64_t channels) {
  const int64_t wanted = channels / 4, near = std::max<int64_t>(8, (wanted + 4) / 8 * 8);
  return near * 10 < wanted * 9 ? near + 8 : near;
}

}  // namespace

Model mobilenetv3_small() {
  constexpr UnaryFn kRelu = UnaryFn::relu, kSwish = UnaryFn::hard_swish;
  constexpr struct {
    int64_t kernel, wide, out;
    bool excited;
    UnaryFn act;
    int64_t stride;
  } kBlocks[] = {{3, 16, 16, true, kRelu, 2},   {3, 72, 24, false, kRelu, 2},  {3, 88, 24, false, kRelu, 1},
                 {5, 96, 40, true, kSwish, 2},  {5, 240, 40, true, kSwish, 1}, {5, 240, 40, true, kSwish, 1},
                 {5, 120, 48, true, kSwish, 1}, {5, 144, 48, true, kSwish, 1}, {5, 288, 96, true, kSwish, 2},
                 {5, 576, 96, true, kSwish, 1}, {5, 576, 96, true, kSwish, 1}};
  Model m;
  const int image = m.add("image", Input{{1, 224, 224, 3}});
  int x = conv_bn(m, "stem", image, {.in = 3, .out = 16, .stride = 2, .act = kSwish});
  int64_t in = 16;
  int block = 0;
  for (const auto& b : kBlocks) {
    Gated g{in, b.kernel, b.wide, b.out, b.stride, b.act, {}};
    if (b.excited) g.excitation = Excitation{b.wide, quarter(b.wide), kRelu, UnaryFn::hard_sigmoid};
    x = gated_residual(m, "block" + std::to_string(++block), x, g);
    in = b.out;
  }
  x = conv_bn(m, "last", x, {.in = in, .out = 576, .kernel = 1, .act = kSwish});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average}, {x});
  m.add("flatten", Reshape{{0, -1}});
  m.add("hidden", Linear{576, 1024});
  m.add("hidden.act", Unary{kSwish});
  m.add("head", Linear{1024, 1000});
  return m;
}

Model efficientnet_b0() {
  constexpr struct {
    int64_t expand, kernel, stride, out;
    int repeats;
  } kStages[] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                 {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};
  Model m;
  const int image = m.add("image", Input{{1, 224, 224, 3}});
  int x = conv_bn(m, "stem", image, {.in = 3, .out = 32, .stride = 2, .act = UnaryFn::silu});
  int64_t in = 32;
  int block = 0;
  for (const auto& s : kStages)
    for (int i = 0; i < s.repeats; ++i) {
      Gated g{in, s.kernel, in * s.expand, s.out, i == 0 ? s.stride : 1, UnaryFn::silu, {}};
      g.excitation = Excitation{g.wide, in / 4, UnaryFn::silu, UnaryFn::sigmoid};
      x = gated_residual(m, "block" + std::to_string(++block), x, g);
      in = s.out;
    }
  x = conv_bn(m, "last", x, {.in = in, .out = 1280, .kernel = 1, .act = UnaryFn::silu});
  classifier(m, x, 1280, 1000);
  return m;
}

}  // namespace octet::bench
