// SPDX-License-Identifier: Apache-2.0
// The two chains of PyTorch's bias-correction tests with its parameters and data, drawn in its order.
#pragma once

#include "engine/model.h"

namespace octet::bias_test {

constexpr uint64_t kSeed = 1234;
constexpr int64_t kHiddenDraws = 2990;  // what the test case draws before its body
constexpr int kBatches = 50;

struct Chain {
  Model model;
  std::vector<Tensor> data;
};

inline Chain linear_chain() {
  Chain c;
  c.model.add("quant", Input{{10, 3}});
  c.model.add("linear1", Linear{3, 4});
  c.model.add("linear2", Linear{4, 5});
  c.model.add("linear3", Linear{5, 6});
  Generator g(kSeed);
  g.skip(kHiddenDraws);
  initialize(c.model, g);
  for (int i = 0; i < kBatches; ++i) {
    c.data.push_back(rand(g, {10, 3}));
    g.skip(2);  // labels
  }
  return c;
}

inline Chain conv_chain() {
  Chain c;
  c.model.add("quant", Input{{10, 125, 125, 3}});
  for (const auto& [path, in] : {std::pair{"conv2d1", 3}, {"conv2d2", 4}, {"conv2d3", 5}})
    c.model.add(path, Conv2d{.in = in, .out = in + 1, .kernel = {5, 5}, .stride = {5, 5}});
  Generator g(kSeed);
  g.skip(kHiddenDraws);
  initialize(c.model, g);
  for (int i = 0; i < kBatches; ++i) {
    c.data.push_back(nhwc_from_nchw(rand(g, {10, 3, 125, 125})));
    g.skip(2);
  }
  return c;
}

}  // namespace octet::bias_test
