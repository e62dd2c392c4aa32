// SPDX-License-Identifier: Apache-2.0
// What training and calibration are measured on: a network with made-up data of its size.
#pragma once

#include <string>
#include <vector>

#include "bench/networks/networks.h"

namespace octet::bench {

struct Case {
  std::string name;
  Model model;
  Tensor images, labels;
};

/// The networks that are trained, each with its batch.
inline std::vector<Case> training_cases() {
  std::vector<Case> all;
  for (const Network& n : networks()) {
    if (n.training_batch == 0) continue;
    Case c{n.name, n.build(), {}, Tensor(Shape{n.training_batch}, DType::i32)};
    Generator g(1);
    initialize(c.model, g);
    c.images = inputs_of(c.model, n.training_batch);
    for (int32_t& label : c.labels.mutable_data<int32_t>()) label = static_cast<int32_t>(g.integer(0, 10));
    all.push_back(std::move(c));
  }
  return all;
}

}  // namespace octet::bench
