// SPDX-License-Identifier: Apache-2.0
// The subcommands of the `octet` tool, one source file each: a function that adds itself to the command line.
#pragma once

#include <CLI/CLI.hpp>

#include "io/firmware_plan.h"

namespace octet::cli {

void add_compare_reports(CLI::App&);
void add_explain(CLI::App&);
void add_image(CLI::App&);
void add_inspect(CLI::App&);
void add_plan(CLI::App&);
void add_prune(CLI::App&);
void add_report(CLI::App&);

/// A limit that was asked for is not kept: lines for standard error, and kLimitStatus.
struct LimitBroken {
  std::vector<std::string> lines;
};
inline constexpr int kErrorStatus = 1, kUsageStatus = 2, kLimitStatus = 3;

/// Options that `image` and `plan` share.
struct Planning {
  std::string model, target = "portable";
  bool float_inputs = false, float_outputs = false, no_names = false;
  int64_t ram = 0, flash = 0, batch = 1;

  void add(CLI::App&);
  /// The plan, within the budgets; throws Error naming the layer that breaks one.
  FirmwarePlan plan() const;
};

}  // namespace octet::cli
