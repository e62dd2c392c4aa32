// SPDX-License-Identifier: Apache-2.0
// A user's model on a simulated board: the case that examples/cortex_m/firmware.py compiles, runs under QEMU and compares.
#pragma once

#include <string>
#include <vector>

#include "engine/model.h"
#include "tools/octet/verb.h"

namespace octet::cli {

inline const std::vector<std::string> kBoards{"cortex-m3", "cortex-m4", "cortex-m7", "cortex-m55", "rv32imac"};

/// The folder of octet's sources: the one given, or the one that this program was built in. Throws saying what was looked for.
std::string source_folder(const std::string& given);
/// Throws naming the program that is missing, and the package that has it.
void require_board_tools(const std::string& board);

/// What was measured.
struct BoardResult {
  struct Layer {
    std::string path;
    int64_t instructions = 0;
  };
  int64_t equal = 0, of = 0;  ///< checksums of layers, over all samples
  int64_t instructions = 0, open = 0, text = 0, rodata = 0, ram = 0, stack = 0;
  std::vector<Layer> layers;
  std::string first_other;  ///< "sample 3, conv1"; empty: all are equal
};

/// Writes the case into `folder`, builds and runs it. Throws naming the module that a device cannot run, and the last line of what
/// went wrong in the compiler or the simulator.
BoardResult run_on_board(const Model&, std::span<const Tensor> inputs, const std::string& board, const std::string& folder,
                         const std::string& sources, const std::string& name);

}  // namespace octet::cli
