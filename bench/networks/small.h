// SPDX-License-Identifier: Apache-2.0
// Networks of a few layers.
#pragma once

#include "engine/model.h"

namespace octet::bench {

Model call_floor();    ///< one relu of four values: what a call costs by itself
Model small_cnn();     ///< three 3x3 conv-bn-relu (32, 64, 128 channels, the last two with stride 2), mean, linear; 28x28x1
Model autoencoder();   ///< MLPerf Tiny anomaly detection: ten linear layers, 640 to 8 to 640
Model multiple_ops();  ///< PyTorch's test network for 16x16x3: two branches, both kinds of pools, two copies joined along the batch

}  // namespace octet::bench
