// SPDX-License-Identifier: Apache-2.0
// Which module of a quantized model is which of the float model it came from: the float model fused in the same way, so that both
// have the same modules under the same paths.
#pragma once

#include <string>
#include <vector>

#include "engine/model.h"

namespace octet {

struct Pairing {
  Model reference;  ///< float, with the sequences folded that were folded in the quantized model, batch norms into their layers
  std::vector<int> counterpart;        ///< by index in the quantized model: index in `reference`, or -1
  std::vector<std::string> unmatched;  ///< paths of the quantized model without one: crossings, operators added on one side
};

/// Whether the module shares its parameters with another call.
bool is_tied(const Model&, const Module&);

/// Whether the module's output has codes, or any module's, as in what convert returns.
bool has_codes(const Module&);
bool is_quantized(const Model&);

/// Pairs by dotted path: a module fused from "conv", "bn" and "relu" is their sequence folded in the float model, which may come
/// fused or not, and fused for training. Throws if a layer with weights has no counterpart, or one of another kind or shape; the
/// message lists what matched and the first that did not. Throws for a quantized reference of a float model: the two were swapped.
Pairing pair_up(const Model& reference, const Model& quantized);

/// Throws unless every weight code of the layer is what its float weight rounds to, or a limit that the weight lies beyond.
/// Corrected by another model, one before it was trained for instance, a bias would be pulled to where that model's was.
void check_origin(const Pairing&, const Model& quantized, int index);

}  // namespace octet
