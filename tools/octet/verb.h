// SPDX-License-Identifier: Apache-2.0
// What all verbs of the command have in common: help with examples and exit statuses, and results as text or as JSON.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "tools/progress.h"

namespace octet::cli {

using Json = nlohmann::ordered_json;

/// A verb whose help ends with these examples and the exit statuses; `status` adds to those that every verb has ("3 a limit …").
CLI::App* add_verb(CLI::App&, const std::string& name, const std::string& does, const std::vector<std::string>& examples,
                   const std::string& status = "");

/// The heading of an option in --help, in place of "Options".
inline constexpr const char* kDataGroup = "Data";
inline constexpr const char* kRunGroup = "Running";

/// Where a verb's results go: text on standard output, and JSON in its place (--json) or in a file besides (--json=FILE).
class Results {
 public:
  void add(CLI::App&);
  /// Whether lines for people are printed at all.
  bool text() const { return target_ != "-"; }
  /// The file to be written, or empty.
  std::string file() const { return text() ? target_ : ""; }
  void show(const std::string& text, const Json& json) const;
  /// A line about what was done, for people.
  void note(const std::string& line) const;

 private:
  std::string target_;
};

/// A progress bar where standard error is a terminal, and nothing elsewhere.
class Bar : public tools::ProgressBar {
 public:
  Bar(const std::string& title, int64_t steps, double rows_per_step)
      : tools::ProgressBar(title, steps, "rows", rows_per_step, Elsewhere::nothing) {}
};

/// A figure as JSON: infinities are strings, as in reports.
Json json_number(double);
/// JSON laid out as reports are, with a newline at its end.
std::string dumped(const Json&);

/// A whole file or, whatever happens, the one that was there before: also where Ctrl-C comes meanwhile.
void write_bytes(const std::string& path, std::span<const std::byte>);
void write_text(const std::string& path, const std::string& text);

}  // namespace octet::cli
