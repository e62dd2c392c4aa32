// SPDX-License-Identifier: Apache-2.0
// What tests of quantization share.
#pragma once

#include "engine/model.h"

namespace octet {

/// A float vector of these values.
inline Tensor of(const std::vector<float>& values) { return Tensor::of<float>({static_cast<int64_t>(values.size())}, values); }

/// Weights drawn from `seed`.
inline Model drawn(Model m, uint64_t seed = 1) {
  Generator g(seed);
  initialize(m, g);
  return m;
}

}  // namespace octet
