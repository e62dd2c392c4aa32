// SPDX-License-Identifier: Apache-2.0
// The verbs of the `octet` command, one source file each: a function that adds itself to the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace octet::cli {

void add_bench(CLI::App&);
void add_check(CLI::App&);
void add_compare(CLI::App&);
void add_compare_reports(CLI::App&);
void add_eval(CLI::App&);
void add_explain(CLI::App&);
void add_firmware(CLI::App&);
void add_help(CLI::App&);
void add_inspect(CLI::App&);
void add_prune(CLI::App&);
void add_quantize(CLI::App&);
void add_report(CLI::App&);
void add_run(CLI::App&);
void add_verify(CLI::App&);

/// A limit that was asked for is not kept: lines for standard error, and kLimitStatus.
struct LimitBroken {
  std::vector<std::string> lines;
};
/// The verb did its work and said what it found, and that is the status for it.
struct Finished {
  int status;
};
inline constexpr int kErrorStatus = 1, kUsageStatus = 2, kLimitStatus = 3;

}  // namespace octet::cli
