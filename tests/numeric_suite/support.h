// SPDX-License-Identifier: Apache-2.0
// Networks and data that the tests of the numeric suite share.
#pragma once

#include <algorithm>

#include "engine/model.h"
#include "numeric_suite/compare.h"
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

/// Two branches of equal shape that want different data, joined and classified.
inline Model two_inputs(uint64_t seed) {
  Model m;
  const int left = m.add("left", Input{{1, 6, 6, 3}}), right = m.add("right", Input{{1, 6, 6, 3}});
  const int a = m.add("a", Conv2d{.in = 3, .out = 6, .padding = pad_all(1), .act = Activation::relu}, {left});
  const int b = m.add("b", Conv2d{.in = 3, .out = 6, .padding = pad_all(1), .act = Activation::relu}, {right});
  m.add("both", Concat{3}, {a, b});
  m.add("mix", Conv2d{.in = 12, .out = 8, .kernel = {1, 1}, .act = Activation::relu});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{8, 4});
  Generator g(seed);
  initialize(m, g);
  return m;
}

/// For two_inputs(): the right input is thirty times larger than the left, so a swap is no small thing.
inline std::vector<std::vector<Tensor>> pairs(int count, int64_t rows, uint64_t seed) {
  Generator g(seed);
  std::vector<std::vector<Tensor>> all;
  for (int i = 0; i < count; ++i) {
    Tensor left = rand(g, {rows, 6, 6, 3}), right = randn(g, {rows, 6, 6, 3});
    for (float& v : left.mutable_data<float>()) v *= 0.1F;
    for (float& v : right.mutable_data<float>()) v *= 3;
    all.push_back({left, right});
  }
  return all;
}

inline std::vector<Tensor> batches(const Shape& shape, int count, uint64_t seed) {
  Generator g(seed);
  std::vector<Tensor> all;
  for (int i = 0; i < count; ++i) all.push_back(rand(g, shape));
  return all;
}

/// The row of `path`, which has to be there.
inline const LayerComparison& row(const ModelComparison& c, std::string_view path) {
  return c.layers.at(static_cast<size_t>(std::ranges::find(c.layers, path, &LayerComparison::path) - c.layers.begin()));
}

inline Model post_training(const Model& model, const std::vector<Tensor>& data, const QConfig& qconfig = octet_qconfig()) {
  Model prepared = prepare(fuse(model, Aim::inference), {{"", qconfig}});
  calibrate(prepared, data);
  return convert(prepared);
}

}  // namespace octet::suite_test
