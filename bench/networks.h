// SPDX-License-Identifier: Apache-2.0
// The networks that training and calibration are measured on, with made-up data of their size.
#pragma once

#include "engine/model.h"
#include "examples/fashion_mnist/network.h"

namespace octet::bench {

/// Three 3x3 conv-bn-relu (32, 64 and 128 channels, the last two with stride 2), mean, linear; 28x28x1 pictures.
inline Model small_cnn() {
  Model m;
  m.add("image", Input{{1, 28, 28, 1}});
  demo::conv_bn_relu(m, "a", {.in = 1, .out = 32, .padding = pad_all(1)});
  demo::conv_bn_relu(m, "b", {.in = 32, .out = 64, .stride = {2, 2}, .padding = pad_all(1)});
  demo::conv_bn_relu(m, "c", {.in = 64, .out = 128, .stride = {2, 2}, .padding = pad_all(1)});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{128, 10});
  return m;
}

struct Case {
  std::string name;
  Model model;
  Tensor images, labels;
};

inline std::vector<Case> cases(int64_t batch) {
  std::vector<Case> all;
  for (const auto& [name, model] : {std::pair{"demo", demo::network()}, std::pair{"small_cnn", small_cnn()}}) {
    Generator g(1);
    Case c{name, model, randn(g, {batch, 28, 28, 1}), Tensor(Shape{batch}, DType::i32)};
    initialize(c.model, g);
    for (int32_t& label : c.labels.mutable_data<int32_t>()) label = static_cast<int32_t>(g.integer(0, 10));
    all.push_back(std::move(c));
  }
  return all;
}

}  // namespace octet::bench
