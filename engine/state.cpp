// SPDX-License-Identifier: Apache-2.0
// Looking up an entry of a state, with a message that names it.
#include "engine/state.h"

namespace octet {

const Tensor& state_tensor(const StateDict& state, std::string_view name, DType dtype, std::string_view who) {
  const auto found = state.find(name);
  check(found != state.end(), who, ": \"", name, "\" is missing");
  check(found->second.dtype() == dtype, who, ": \"", name, "\" is ", to_string(found->second.dtype()), ", expected ",
        to_string(dtype));
  return found->second;
}

}  // namespace octet
