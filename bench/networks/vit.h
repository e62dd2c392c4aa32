// SPDX-License-Identifier: Apache-2.0
// A vision transformer.
#pragma once

#include "engine/model.h"

namespace octet::bench {

/// ViT-Tiny on 224x224: patches of 16x16, 12 blocks of 192 features and 3 heads, the mean of all patches at the end.
Model vit_tiny();

}  // namespace octet::bench
