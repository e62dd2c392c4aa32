// SPDX-License-Identifier: Apache-2.0
// What a hook, an optimizer or a generator has to remember, as named tensors for files.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/tensor.h"

namespace octet {

using StateDict = std::map<std::string, Tensor, std::less<>>;

/// The entry of this name. Throws naming `who` and the entry if it is missing or of another dtype.
const Tensor& state_tensor(const StateDict&, std::string_view name, DType, std::string_view who);

}  // namespace octet
