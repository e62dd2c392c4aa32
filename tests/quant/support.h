// SPDX-License-Identifier: Apache-2.0
// What tests of observers share.
#pragma once

#include "engine/tensor.h"

namespace octet {

/// A float vector of these values.
inline Tensor of(const std::vector<float>& values) { return Tensor::of<float>({static_cast<int64_t>(values.size())}, values); }

}  // namespace octet
