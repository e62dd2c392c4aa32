// SPDX-License-Identifier: Apache-2.0
// What tests mean by "the same tensor".
#pragma once

#include <cstring>

#include "engine/tensor.h"

namespace octet::testing {

/// Same shape, dtype and bytes; of quantized tensors the codes, not the parameters.
inline bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

}  // namespace octet::testing
