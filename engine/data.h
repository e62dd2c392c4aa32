// SPDX-License-Identifier: Apache-2.0
// DataLoader: batches of (input, label) from two tensors, in an order that depends only on seed and epoch.
#pragma once

#include <vector>

#include "engine/tensor.h"

namespace octet {

struct Batch {
  Tensor inputs;  ///< f32, first axis = batch
  Tensor labels;  ///< i32 [batch]
};

struct DataLoaderOptions {
  int64_t batch = 64;
  bool shuffle = false;
  bool drop_last = false;  ///< leave out a last batch that is not full
  uint64_t seed = 0;
  float scale = 1, shift = 0;  ///< inputs become value * scale + shift
};

class DataLoader {
 public:
  /// inputs: f32 or u8, [n, …]; labels: i32 [n].
  DataLoader(Tensor inputs, Tensor labels, DataLoaderOptions options = {});

  int64_t samples() const { return labels_.numel(); }
  int64_t batches() const;
  /// Starts an epoch: the same (seed, epoch) gives the same order.
  void start(int64_t epoch);
  /// Batch `index` of the current epoch.
  Batch batch(int64_t index) const;

 private:
  Tensor inputs_, labels_;
  DataLoaderOptions options_;
  std::vector<int64_t> order_;
};

}  // namespace octet
