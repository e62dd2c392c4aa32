// SPDX-License-Identifier: Apache-2.0
// Networks of depthwise and pointwise convolutions.
#pragma once

#include "engine/model.h"

namespace octet::bench {

Model dscnn();               ///< MLPerf Tiny keyword spotting: 49x10x1, 12 classes, convolutions with bias, no batch norm
Model mobilenetv1_025_96();  ///< MLPerf Tiny visual wake words: 96x96x3, a quarter of the channels, 2 classes
Model mobilenetv2();         ///< 224x224x3, 1000 classes, relu where the paper has relu6

Model mobilenetv3_small();  ///< 224x224x3, 1000 classes: hard_swish, squeeze and excitation by hard_sigmoid
Model efficientnet_b0();    ///< 224x224x3, 1000 classes: silu, squeeze and excitation by sigmoid
Model shufflenetv2();       ///< 224x224x3, 1000 classes: halves that are split, joined and shuffled

}  // namespace octet::bench
