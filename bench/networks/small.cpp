// SPDX-License-Identifier: Apache-2.0
// Small networks: the training benchmark's, a chain of linear layers, and one of every operator.
#include "bench/networks/small.h"

#include "bench/networks/blocks.h"

namespace octet::bench {

Model call_floor() {
  Model m;
  m.add("values", Input{{1, 4}});
  m.add("relu", Unary{UnaryFn::relu});
  return m;
}

Model small_cnn() {
  Model m;
  int x = m.add("image", Input{{1, 28, 28, 1}});
  x = conv_bn(m, "a", x, {.in = 1, .out = 32});
  x = conv_bn(m, "b", x, {.in = 32, .out = 64, .stride = 2});
  x = conv_bn(m, "c", x, {.in = 64, .out = 128, .stride = 2});
  classifier(m, x, 128, 10);
  return m;
}

Model autoencoder() {
  constexpr int64_t kWidths[] = {640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640};
  Model m;
  m.add("spectrum", Input{{1, kWidths[0]}});
  for (size_t i = 0; i + 1 < std::size(kWidths); ++i) {
    const std::string path = "fc" + std::to_string(i + 1);
    m.add(path, Linear{kWidths[i], kWidths[i + 1]});
    if (i + 2 < std::size(kWidths)) m.add(path + "_relu", Unary{UnaryFn::relu});
  }
  return m;
}

Model multiple_ops() {
  Model m;
  const int x = m.add("image", Input{{1, 16, 16, 3}});
  const int branch = conv_bn(m, "conv1", x, {.in = 3, .out = 3, .kernel = 1});
  m.add("skip_add", Binary{BinaryFn::add}, {branch, x});
  m.add("relu2", Unary{UnaryFn::relu});
  m.add("avgpool", Pool2d{.kind = Pool::adaptive_average, .output = {4, 4}});
  m.add("conv2", Conv2d{.in = 3, .out = 3, .kernel = {1, 1}, .bias = false});
  const int pooled = m.add("maxpool", Pool2d{.kind = Pool::max});
  m.add("cat", Concat{0}, {pooled, pooled});
  m.add("nchw", Transpose{{0, 3, 1, 2}});
  m.add("rows", Reshape{{-1, 12}});
  m.add("fc", Linear{12, 6});
  return m;
}

}  // namespace octet::bench
