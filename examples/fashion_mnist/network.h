// SPDX-License-Identifier: Apache-2.0
// The demo network: 1.30 million multiply-accumulates on a 28x28 picture, with everything quantization has to deal with:
// conv-bn-relu, a residual addition, depthwise-separable blocks, pooling, a linear head.
#pragma once

#include <string>

#include "engine/model.h"

namespace octet::demo {

inline int conv_bn_relu(Model& m, const std::string& path, Conv2d conv) {
  conv.bias = false;
  m.add(path + ".conv", conv);
  m.add(path + ".bn", BatchNorm{conv.out});
  return m.add(path + ".relu", Unary{UnaryFn::relu});
}

/// Depthwise 3x3 then pointwise, each with batch norm and relu.
inline int separable(Model& m, const std::string& path, int64_t in, int64_t out, int64_t stride) {
  conv_bn_relu(m, path + ".dw", {.in = in, .out = in, .stride = {stride, stride}, .padding = pad_all(1), .groups = in});
  return conv_bn_relu(m, path + ".pw", {.in = in, .out = out, .kernel = {1, 1}});
}

inline Model network() {
  Model m;
  m.add("image", Input{{1, 28, 28, 1}});
  conv_bn_relu(m, "stem", {.in = 1, .out = 16, .padding = pad_all(1)});
  const int pooled = m.add("pool", Pool2d{.kind = Pool::max});
  conv_bn_relu(m, "block.a", {.in = 16, .out = 16, .padding = pad_all(1)});
  m.add("block.b.conv", Conv2d{.in = 16, .out = 16, .padding = pad_all(1), .bias = false});
  const int branch = m.add("block.b.bn", BatchNorm{16});
  m.add("block.add", Binary{BinaryFn::add}, {branch, pooled});
  m.add("block.relu", Unary{UnaryFn::relu});
  separable(m, "separable1", 16, 64, 2);
  separable(m, "separable2", 64, 64, 1);
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{64, 10});
  return m;
}

// Fashion-MNIST's mean and standard deviation on pixels of 0..1.
inline constexpr float kMean = 0.2860F, kDeviation = 0.3530F;
inline constexpr float kPixelScale = 1 / (255 * kDeviation), kPixelShift = -kMean / kDeviation;

}  // namespace octet::demo
