// SPDX-License-Identifier: Apache-2.0
// A model among the tensors of a safetensors file, which may hold other things beside it: a checkpoint does.
#pragma once

#include "io/model_file.h"
#include "io/safetensors.h"

namespace octet {

inline constexpr const char* kModelKey = "octet.model";
inline constexpr const char* kCheckpointKey = "octet.checkpoint";
inline constexpr std::string_view kCheckpointPrefix = "checkpoint/";  ///< of what a checkpoint holds beside its model

/// Adds the model's tensors and its graph. Throws naming the module if something in it could not be loaded again.
void put_model(SafeTensors&, const Model&, std::string_view name);
/// Takes them out again; throws if a tensor is left that no module asks for.
Model take_model(SafeTensors&, std::string_view name, const HookFactory&, const CustomFactory&);

}  // namespace octet
