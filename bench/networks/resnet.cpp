// SPDX-License-Identifier: Apache-2.0
// Basic blocks (two 3x3 convolutions) and bottlenecks (1x1, 3x3, 1x1) beside a shortcut, which is a 1x1 convolution where the shape
// changes.
#include "bench/networks/resnet.h"

#include "bench/networks/blocks.h"

namespace octet::bench {
namespace {

int add_relu(Model& m, const std::string& path, int branch, int shortcut) {
  m.add(path + ".add", Binary{BinaryFn::add}, {branch, shortcut});
  return m.add(path + ".relu", Unary{UnaryFn::relu});
}

int shortcut_of(Model& m, const std::string& path, int input, int64_t in, int64_t out, int64_t stride) {
  if (in == out && stride == 1) return input;
  return conv_bn(m, path + ".downsample", input, {.in = in, .out = out, .kernel = 1, .stride = stride, .relu = false});
}

int basic(Model& m, const std::string& path, int input, int64_t in, int64_t out, int64_t stride) {
  int x = conv_bn(m, path + ".a", input, {.in = in, .out = out, .stride = stride});
  x = conv_bn(m, path + ".b", x, {.in = out, .out = out, .relu = false});
  return add_relu(m, path, x, shortcut_of(m, path, input, in, out, stride));
}

int bottleneck(Model& m, const std::string& path, int input, int64_t in, int64_t width, int64_t stride) {
  const int64_t out = 4 * width;
  int x = conv_bn(m, path + ".a", input, {.in = in, .out = width, .kernel = 1});
  x = conv_bn(m, path + ".b", x, {.in = width, .out = width, .stride = stride});
  x = conv_bn(m, path + ".c", x, {.in = width, .out = out, .kernel = 1, .relu = false});
  return add_relu(m, path, x, shortcut_of(m, path, input, in, out, stride));
}

/// Four stages of basic blocks, two blocks each.
int basic_stages(Model& m, int x) {
  int64_t in = 64;
  for (int stage = 0; stage < 4; ++stage)
    for (int block = 0; block < 2; ++block) {
      const int64_t out = int64_t{64} << stage;
      const std::string path = "layer" + std::to_string(stage + 1) + "." + std::to_string(block);
      x = basic(m, path, x, in, out, stage > 0 && block == 0 ? 2 : 1);
      in = out;
    }
  return x;
}

int image_stem(Model& m) {
  const int image = m.add("image", Input{{1, 224, 224, 3}});
  conv_bn(m, "stem", image, {.in = 3, .out = 64, .kernel = 7, .stride = 2});
  return m.add("pool", Pool2d{.kind = Pool::max, .kernel = {3, 3}, .stride = {2, 2}, .padding = pad_all(1)});
}

}  // namespace

Model resnet8() {
  Model m;
  const int image = m.add("image", Input{{1, 32, 32, 3}});
  int x = conv_bn(m, "stem", image, {.in = 3, .out = 16});
  x = basic(m, "stack1", x, 16, 16, 1);
  x = basic(m, "stack2", x, 16, 32, 2);
  x = basic(m, "stack3", x, 32, 64, 2);
  classifier(m, x, 64, 10);
  return m;
}

Model resnet18() {
  Model m;
  classifier(m, basic_stages(m, image_stem(m)), 512, 1000);
  return m;
}

Model resnet18_32() {
  Model m;
  const int image = m.add("image", Input{{1, 32, 32, 3}});
  classifier(m, basic_stages(m, conv_bn(m, "stem", image, {.in = 3, .out = 64})), 512, 10);
  return m;
}

Model resnet50() {
  Model m;
  int x = image_stem(m);
  constexpr int kBlocks[] = {3, 4, 6, 3};
  int64_t in = 64;
  for (int stage = 0; stage < 4; ++stage)
    for (int block = 0; block < kBlocks[stage]; ++block) {
      const int64_t width = int64_t{64} << stage;
      const std::string path = "layer" + std::to_string(stage + 1) + "." + std::to_string(block);
      x = bottleneck(m, path, x, in, width, stage > 0 && block == 0 ? 2 : 1);
      in = 4 * width;
    }
  classifier(m, x, in, 1000);
  return m;
}

}  // namespace octet::bench
