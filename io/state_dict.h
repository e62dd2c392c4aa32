// SPDX-License-Identifier: Apache-2.0
// PyTorch's state dicts in safetensors files: parameters of a float model under PyTorch's names and in PyTorch's layouts. See
// docs/from-pytorch.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"
#include "io/file.h"

namespace octet {

struct StateDictOptions {
  std::string prefix{};  ///< of every key in the file: "module." (DataParallel), "model."
  bool strict = true;    ///< missing and unexpected keys are errors; else they are returned. Wrong shapes are errors always.
};

struct StateDictReport {
  std::vector<std::string> missing{};     ///< keys that the file lacks; these parameters are what they were
  std::vector<std::string> unexpected{};  ///< keys that no module asks for
  std::vector<std::string> notes{};       ///< what was unusual but no error
};

/// Gives the model the values of a checkpoint (safetensors.torch.save_file(net.state_dict(), path)); parameters that it lacks are
/// made. Module paths are PyTorch's module names. Values are permuted to octet's layouts, always: convolutions from O,I,kH,kW,
/// transposed ones from I,O,kH,kW, the columns of a layer behind a flattened picture from C,H,W. A fused layer's batch norm is read
/// by the name it had or as PyTorch's fused modules call it ("conv.bn.weight"). Throws one Error that names the file and every key
/// that is missing, unexpected, of another shape or no finite float; then the model is what it was.
StateDictReport load_state_dict(Model&, const std::string& path, const StateDictOptions& = {});
StateDictReport parse_state_dict(Model&, std::span<const std::byte> bytes, std::string_view name, const StateDictOptions& = {});

/// The way back: a file that net.load_state_dict(safetensors.torch.load_file(path)) takes.
void save_state_dict(const Model&, const std::string& path, const StateDictOptions& = {});
Bytes state_dict_bytes(const Model&, std::string_view name, const StateDictOptions& = {});

}  // namespace octet
