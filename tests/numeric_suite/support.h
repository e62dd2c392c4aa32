// SPDX-License-Identifier: Apache-2.0
// Networks and data that the tests of the numeric suite share.
#pragma once

#include "engine/model.h"
#include "quant/quantize.h"

namespace octet::suite_test {

/// conv-bn-relu, depthwise, pointwise with a residual around both, mean, linear; 8x8x3 pictures.
inline Model small_network(uint64_t seed) {
  Model m;
  m.add("image", Input{{1, 8, 8, 3}});
  m.add("stem.conv", Conv2d{.in = 3, .out = 8, .padding = pad_all(1), .bias = false});
  m.add("stem.bn", BatchNorm{8});
  const int stem = m.add("stem.relu", Unary{UnaryFn::relu});
  m.add("dw", Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .groups = 8, .act = Activation::relu});
  const int pw = m.add("pw", Conv2d{.in = 8, .out = 8, .kernel = {1, 1}});
  m.add("sum", Binary{BinaryFn::add}, {pw, stem});
  m.add("last", Conv2d{.in = 8, .out = 12, .kernel = {1, 1}, .act = Activation::relu});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{12, 5});
  Generator g(seed);
  initialize(m, g);
  return m;
}

inline std::vector<Tensor> batches(const Shape& shape, int count, uint64_t seed) {
  Generator g(seed);
  std::vector<Tensor> all;
  for (int i = 0; i < count; ++i) all.push_back(rand(g, shape));
  return all;
}

inline Model post_training(const Model& model, const std::vector<Tensor>& data, const QConfig& qconfig = octet_qconfig()) {
  Model prepared = prepare(fuse(model, Aim::inference), {{"", qconfig}});
  calibrate(prepared, data);
  return convert(prepared);
}

}  // namespace octet::suite_test
