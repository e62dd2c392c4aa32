// SPDX-License-Identifier: Apache-2.0
// A model as firmware: the options that say for what, and the plan. Shared by the verbs that make firmware and that run it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "io/firmware_plan.h"
#include "tools/octet/verb.h"

namespace octet::cli {

/// How many output codes another rounding changes.
struct RoundingChange {
  std::string from, to;
  int64_t codes = 0, changed = 0, rows = 0;
  int32_t worst = 0;  ///< codes
};

/// Sets the model's rounding, and says what that changes on these rows.
RoundingChange change_rounding(Model&, Rounding, std::span<const Tensor> inputs, const std::string& name);
std::string described(const RoundingChange&, const std::string& data);
Json to_json(const RoundingChange&);

/// "real", "fixed_double" or "fixed_single".
Rounding device_rounding(const std::string& name);
inline const std::vector<std::string> kDeviceRoundings{"real", "fixed_double", "fixed_single"};

/// plan_firmware, with the model's file in what it throws and what would help where the rounding is none of a device.
FirmwarePlan plan_of(const Model&, FirmwareOptions, const std::string& name, int64_t batch);

}  // namespace octet::cli
