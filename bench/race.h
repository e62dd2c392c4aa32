// SPDX-License-Identifier: Apache-2.0
// Side-by-side timing: the variants take turns round by round, so that a noisy machine is noisy for all of them.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace octet::bench {

struct Variant {
  std::string name;
  std::function<void()> run;
};

/// Milliseconds per call.
struct Timing {
  std::string name;
  double best = 0;                               ///< smallest of the rounds' medians: the number to compare with
  double median = 0, p10 = 0, p90 = 0, p99 = 0;  ///< over all calls
  int64_t calls = 0;
};

struct RaceOptions {
  int rounds = 5;
  double seconds = 0.4;  ///< per variant and round; at least `least` calls
  int least = 3;
};

std::vector<Timing> race(const std::vector<Variant>&, const RaceOptions&);

/// Tables of timings as Markdown on standard output and, where paths are given, as Markdown and JSON files.
class Report {
 public:
  explicit Report(std::string title);
  /// One row: `labels` describe the case, ratios are to `timings[0]`.
  void add(const std::string& table, const std::vector<std::pair<std::string, std::string>>& labels,
           const std::vector<Timing>& timings);
  bool empty() const { return tables_.empty(); }
  /// The title has been printed already.
  void write(const std::string& markdown_path, const std::string& json_path) const;

 private:
  struct Row {
    std::vector<std::pair<std::string, std::string>> labels;
    std::vector<Timing> timings;
  };
  struct Table {
    std::string name;
    std::vector<Row> rows;
  };
  std::string markdown() const;

  std::string title_;
  std::vector<Table> tables_;
};

/// Options every benchmark takes.
struct Arguments {
  std::vector<int> threads{1, 2};
  RaceOptions race{.rounds = 3, .seconds = 0.3, .least = 1};
  std::string filter = ".*", markdown, json;
  bool wants(const std::string& name) const;
};

/// For options that choose networks by name.
CLI::Validator regular_expression();

/// A benchmark program: reads its options, checks files and standard output before any work, prints the title, runs the body, and
/// writes the report. Returns the exit status.
int run_benchmark(int argc, char** argv, const std::string& title, const std::string& description,
                  const std::function<void(const Arguments&, Report&)>& body);

}  // namespace octet::bench
