// SPDX-License-Identifier: Apache-2.0
// A training or calibration run in one file, so that it can stop at any point and end with the same bytes: the model with its
// observers, the state of optimizer and generators, and where to go on.
#pragma once

#include "engine/state.h"
#include "io/model_file.h"

namespace octet {

struct Checkpoint {
  Model model{};
  std::map<std::string, StateDict, std::less<>> states{};  ///< Sgd::state(), Generator::state(), …, by names of your own
  int64_t epoch = 0, step = 0;                             ///< the next ones
  std::vector<std::string> notes{};                        ///< of loading, as LoadedModel has them

  /// The state of this name; throws naming those there are.
  const StateDict& state(std::string_view name) const;
};

/// Writes completely or not at all: whoever is interrupted while it writes finds the checkpoint before it. Throws Error naming the
/// module or state if something could not be loaded again.
void save_checkpoint(const std::string& path, const Checkpoint&);

/// Throws Error naming the file, and the module or state. `make` is make_hook where models were prepared. A checkpoint's model
/// alone can be read by load_model, too.
Checkpoint load_checkpoint(const std::string& path, const HookFactory& make = no_hooks, const CustomFactory& custom = no_custom);

/// The same from and to memory; `name` stands for the file in messages.
Bytes checkpoint_bytes(const Checkpoint&, std::string_view name);
Checkpoint parse_checkpoint(std::span<const std::byte> bytes, std::string_view name, const HookFactory& make = no_hooks,
                            const CustomFactory& custom = no_custom);

}  // namespace octet
