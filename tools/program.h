// SPDX-License-Identifier: Apache-2.0
// What every program of this project does the same way: wrong arguments, errors in one line, output that cannot be written.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace octet::tools {

/// Exit statuses: done, an error, wrong arguments.
inline constexpr int kDone = 0, kError = 1, kUsage = 2;

/// Parses the arguments and runs `body`, whose status is returned. Wrong arguments and exceptions become one line "name: words" on
/// standard error and kUsage or kError; so does standard output that could not take all that was printed: a full disk or a closed
/// pipe is no success.
int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& body);
/// The same for programs that read their arguments themselves.
int run_program(const std::string& name, const std::function<int()>& body);

/// Throws if standard output is closed or did not take what was printed so far. For programs that work for minutes: called behind
/// the first line, so that nobody waits for what cannot be shown.
void require_output();

/// Throws where a file to write is a file that is read, or is to be written twice, by whatever paths and links; where its folder is
/// not there or may not be written. Before any work, that is. Empty paths are options that were not given.
void check_outputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs);

/// Makes a folder that files are to be written into. Throws if it cannot be made or written.
void make_output_folder(const std::string& folder);

}  // namespace octet::tools
