// SPDX-License-Identifier: Apache-2.0
// Depthwise separable blocks, and inverted residuals: 1x1 wider, depthwise 3x3, 1x1 narrower without relu, and a sum where the
// shape stays.
#include "bench/networks/mobilenet.h"

#include "bench/networks/blocks.h"

namespace octet::bench {
namespace {

int inverted_residual(Model& m, const std::string& path, int input, int64_t in, int64_t out, int64_t stride, int64_t expand) {
  const int64_t wide = in * expand;
  int x = input;
  if (expand != 1) x = conv_bn(m, path + ".expand", x, {.in = in, .out = wide, .kernel = 1});
  x = conv_bn(m, path + ".dw", x, {.in = wide, .out = wide, .stride = stride, .groups = wide});
  x = conv_bn(m, path + ".project", x, {.in = wide, .out = out, .kernel = 1, .relu = false});
  return in == out && stride == 1 ? m.add(path + ".add", Binary{BinaryFn::add}, {input, x}) : x;
}

void conv_relu(Model& m, const std::string& path, const Conv2d& conv) {
  m.add(path + ".conv", conv);
  m.add(path + ".relu", Unary{UnaryFn::relu});
}

}  // namespace

Model dscnn() {
  Model m;
  m.add("mfcc", Input{{1, 49, 10, 1}});
  conv_relu(m, "stem", {.in = 1, .out = 64, .kernel = {10, 4}, .stride = {2, 2}, .padding = {4, 1, 5, 1}});
  for (int i = 1; i <= 4; ++i) {
    const std::string path = "block" + std::to_string(i);
    conv_relu(m, path + ".dw", {.in = 64, .out = 64, .padding = pad_all(1), .groups = 64});
    conv_relu(m, path + ".pw", {.in = 64, .out = 64, .kernel = {1, 1}});
  }
  classifier(m, static_cast<int>(m.modules.size()) - 1, 64, 12);
  return m;
}

Model mobilenetv1_025_96() {
  constexpr struct {
    int64_t in, out, stride;
  } kBlocks[] = {{8, 16, 1},    {16, 32, 2},   {32, 32, 1},   {32, 64, 2},   {64, 64, 1},   {64, 128, 2}, {128, 128, 1},
                 {128, 128, 1}, {128, 128, 1}, {128, 128, 1}, {128, 128, 1}, {128, 256, 2}, {256, 256, 1}};
  Model m;
  const int image = m.add("image", Input{{1, 96, 96, 3}});
  int x = conv_bn(m, "stem", image, {.in = 3, .out = 8, .stride = 2});
  int i = 0;
  for (const auto& b : kBlocks) {
    const std::string path = "block" + std::to_string(++i);
    x = conv_bn(m, path + ".dw", x, {.in = b.in, .out = b.in, .stride = b.stride, .groups = b.in});
    x = conv_bn(m, path + ".pw", x, {.in = b.in, .out = b.out, .kernel = 1});
  }
  classifier(m, x, 256, 2);
  return m;
}

Model mobilenetv2() {
  constexpr struct {
    int64_t expand, out;
    int repeats;
    int64_t stride;
  } kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  Model m;
  const int image = m.add("image", Input{{1, 224, 224, 3}});
  int x = conv_bn(m, "stem", image, {.in = 3, .out = 32, .stride = 2});
  int64_t in = 32;
  int block = 0;
  for (const auto& s : kStages)
    for (int i = 0; i < s.repeats; ++i) {
      x = inverted_residual(m, "block" + std::to_string(++block), x, in, s.out, i == 0 ? s.stride : 1, s.expand);
      in = s.out;
    }
  x = conv_bn(m, "last", x, {.in = in, .out = 1280, .kernel = 1});
  classifier(m, x, 1280, 1000);
  return m;
}

}  // namespace octet::bench
