// SPDX-License-Identifier: Apache-2.0
// A network of five operators as a file, for tests that damage it.
#pragma once

#include <algorithm>

#include "engine/model.h"
#include "tests/tflite/writer.h"

namespace octet::testing {

/// x -> convolution -> sum with itself -> pool -> dense layer -> softmax
inline FlatGraph small_network() {
  FlatGraph g;
  const std::vector<int8_t> w1(36, 3), w2(40, -2);
  g.tensors = {{"x", {1, 4, 4, 2}, kI8, {0.5F}, {3}},
               {"w1", {2, 3, 3, 2}, kI8, {0.25F, 0.5F}, {0, 0}, bytes_of(w1)},
               {"b1", {2}, kI32, {0.125F, 0.25F}, {0, 0}, bytes_of(std::vector<int32_t>{100, -7})},
               {"conv", {1, 4, 4, 2}, kI8, {2}, {-128}},
               {"sum", {1, 4, 4, 2}, kI8, {4}, {-100}},
               {"pool", {1, 2, 2, 2}, kI8, {4}, {-100}},
               {"w2", {5, 8}, kI8, {0.1F}, {0}, bytes_of(w2)},
               {"dense", {1, 5}, kI8, {1}, {5}},
               {"y", {1, 5}, kI8, {1.0F / 256}, {-128}}};
  g.operators = {{3, {0, 1, 2}, {3}, 1, {{0, int8_t{0}}, {1, 1}, {2, 1}, {3, int8_t{1}}, {4, 1}, {5, 1}}},
                 {0, {3, 3}, {4}, 11, {{0, int8_t{0}}}},
                 {17, {4}, {5}, 5, {{0, int8_t{1}}, {1, 2}, {2, 2}, {3, 2}, {4, 2}, {5, int8_t{0}}}},
                 {9, {5, 6, -1}, {7}, 8, {{0, int8_t{0}}}},
                 {25, {7}, {8}, 9, {{0, 1.0F}}}};
  g.inputs = {0}, g.outputs = {8};
  return g;
}

/// Whether there is time to run it: a damaged file may say any sizes.
inline bool runs_quickly(const Model& model) {
  int64_t all = 0;
  for (const Module& m : model.modules) {
    int64_t here = 0;
    for (const Shape& s : m.nominal) here += numel(s);
    int64_t weights = 0;
    for (const auto& [name, t] : m.params) weights += t.numel();
    all += here * std::max<int64_t>(1, weights);
    if (all > (1 << 24)) return false;
  }
  return true;
}

}  // namespace octet::testing
