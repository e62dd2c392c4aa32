// SPDX-License-Identifier: Apache-2.0
// Layers of fewer channels.
#pragma once

#include <vector>

#include "engine/model.h"

namespace octet {

/// Of a convolution or linear layer only these output channels, of these input channels; a depthwise layer's are the same. Weights,
/// biases and their quantization parameters go along; wires and nominal shapes are the caller's business. Throws naming the module
/// if it is another operator, or a convolution of groups of several channels.
void keep_channels(Module&, const std::vector<int64_t>& outputs, const std::vector<int64_t>& inputs);

}  // namespace octet
