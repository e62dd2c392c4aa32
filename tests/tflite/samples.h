// SPDX-License-Identifier: Apache-2.0
// Arrays of samples, as files of golden values hold them.
#pragma once

#include <cstring>

#include "engine/tensor.h"

namespace octet::testing {

/// Of an array of samples, one.
inline Tensor sample_of(const Tensor& all, int64_t s, const Shape& shape) {
  Tensor one(shape, all.dtype());
  check(one.bytes() * static_cast<size_t>(all.size(0)) == all.bytes(), "samples of ", to_string(all.shape()), " for an input of ",
        to_string(shape));
  std::memcpy(one.mutable_raw(), static_cast<const std::byte*>(all.raw()) + static_cast<size_t>(s) * one.bytes(), one.bytes());
  return one;
}

}  // namespace octet::testing
