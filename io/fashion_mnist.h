// SPDX-License-Identifier: Apache-2.0
// The Fashion-MNIST images and labels as tensors, from the four IDX files that the Debian package dataset-fashion-mnist installs.
#pragma once

#include <string>

#include "engine/tensor.h"

namespace octet {

struct FashionMnist {
  Tensor train_images;  ///< u8 [60000, 28, 28, 1]
  Tensor train_labels;  ///< i32 [60000], 0..9
  Tensor test_images;   ///< u8 [10000, 28, 28, 1]
  Tensor test_labels;   ///< i32 [10000]
};

/// Throws Error naming the file; if one is missing, the message says which package brings it.
FashionMnist load_fashion_mnist(const std::string& folder = "/usr/share/datasets/fashion-mnist");

}  // namespace octet
