// SPDX-License-Identifier: Apache-2.0
// A model's interface as JSON: {"inputs": [{"name", "preprocessing": {"mean", "std", "resize", "shorter", "layout"}}], "outputs":
// [name]}; private to io/.
#pragma once

#include "engine/model.h"
#include "io/json.h"

namespace octet {

inline constexpr int64_t kMostPixelsOfASide = 1 << 16;

/// Throws unless the model has as many inputs and outputs as its interface names (or it names none), and values that can be used.
void check_interface(const Model&, std::string_view where);
json::Value interface_json(const Interface&);
Interface interface_from_json(const json::Value&, std::string_view where);

}  // namespace octet
