// SPDX-License-Identifier: Apache-2.0
// Dead channels of an int8 model taken out, with the same codes at its outputs.
#pragma once

#include <string>
#include <vector>

#include "engine/model.h"

namespace octet {

struct PrunedLayer {
  std::string path;
  int64_t removed = 0, channels = 0;  ///< output channels, and how many there were
};

struct PruneReport {
  std::vector<PrunedLayer> layers;            ///< those that lost any
  int64_t macs_before = 0, macs_after = 0;    ///< of the nominal input
  int64_t bytes_before = 0, bytes_after = 0;  ///< of parameters
};

/// "3 layers lost 17 of 96 channels: 2656768 MACs, then 1903104; 52992 bytes, then 40120".
std::string to_string(const PruneReport&);

/// A converted model without the output channels of convolutions and linear layers that give their zero point whatever they read:
/// no sum of products notices, because a zero point adds nothing to one. That a channel is dead follows from the codes its inputs
/// can be and from the arithmetic of its kernel, for every input there is, so that the output codes are the same for all of them.
/// Only channels go whose every reader is such a sum, directly or through pools, clamps, flattening and depthwise layers in which
/// they are dead as well; layers with a residual, tied ones and those that compute in float stay whole, and so does what is a model
/// output. A layer keeps one channel at least. Throws for a model that is not converted.
[[nodiscard]] Model prune_exact(const Model& int8, PruneReport* report = nullptr);

}  // namespace octet
