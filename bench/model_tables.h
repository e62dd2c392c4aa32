// SPDX-License-Identifier: Apache-2.0
// Figures of whole networks as Markdown.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace octet::bench {

/// Instruction set of the float kernels, engines with version and instruction set, hardware threads.
nlohmann::json machine();
/// "batch 1, 1 thread: f32 0.123 ms, …"
std::string one_line(const nlohmann::json& row);
std::string tables(const nlohmann::json&);

}  // namespace octet::bench
