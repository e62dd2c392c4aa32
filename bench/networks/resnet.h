// SPDX-License-Identifier: Apache-2.0
// Residual networks.
#pragma once

#include "engine/model.h"

namespace octet::bench {

Model resnet8();      ///< MLPerf Tiny, 32x32x3, 10 classes
Model resnet18();     ///< 224x224x3, 1000 classes
Model resnet18_32();  ///< 32x32x3, 10 classes: a 3x3 stem with stride 1 and no pool
Model resnet50();     ///< 224x224x3, 1000 classes, the stride in the 3x3 convolutions

}  // namespace octet::bench
