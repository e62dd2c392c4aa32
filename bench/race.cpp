// SPDX-License-Identifier: Apache-2.0
// Timing loops and their tables.
#include "bench/race.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>

#include "engine/check.h"
#include "io/file.h"
#include "kernels/f32/f32.h"
#include "tools/program.h"
#include "tools/progress.h"

namespace octet::bench {
namespace {

double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

void write_text(const std::string& path, const std::string& text) { write_file(path, std::as_bytes(std::span(text))); }

}  // namespace

std::vector<Timing> race(const std::vector<Variant>& variants, const RaceOptions& options) {
  std::vector<std::vector<double>> all(variants.size()), medians(variants.size());
  std::vector<double> once;  // seconds of the first call
  for (const Variant& v : variants) {
    const double start = tools::now();
    v.run();
    once.push_back(tools::now() - start);
  }
  for (int round = 0; round < options.rounds; ++round)
    for (size_t k = 0; k < variants.size(); ++k) {
      const size_t i = (k + static_cast<size_t>(round)) % variants.size();
      if (once[i] < options.seconds) variants[i].run();  // warm after the others; a slow one warms itself
      std::vector<double> times;
      const double begin = tools::now();
      while (times.size() < static_cast<size_t>(options.least) || tools::now() - begin < options.seconds) {
        const double start = tools::now();
        variants[i].run();
        times.push_back((tools::now() - start) * 1e3);
      }
      medians[i].push_back(quantile(times, 0.5));
      all[i].insert(all[i].end(), times.begin(), times.end());
    }
  std::vector<Timing> timings;
  for (size_t i = 0; i < variants.size(); ++i)
    timings.push_back({variants[i].name, *std::ranges::min_element(medians[i]), quantile(all[i], 0.5), quantile(all[i], 0.1),
                       quantile(all[i], 0.9), quantile(all[i], 0.99), static_cast<int64_t>(all[i].size())});
  return timings;
}

Report::Report(std::string title) : title_(std::move(title)) {}

void Report::add(const std::string& table, const std::vector<std::pair<std::string, std::string>>& labels,
                 const std::vector<Timing>& timings) {
  auto found = std::ranges::find(tables_, table, &Table::name);
  if (found == tables_.end()) found = tables_.insert(tables_.end(), {table, {}});
  found->rows.push_back({labels, timings});
  std::string line = table + ":";
  for (const auto& [name, value] : labels) line += " " + value;
  for (const Timing& t : timings) line += fmt::format("  {} {:.3f} ms ({:.2f}x)", t.name, t.best, t.best / timings[0].best);
  fmt::print(stderr, "{}\n", line);
}

std::string Report::markdown() const {
  std::string text = fmt::format(
      "## {}\n\nFloat kernels: {}. Milliseconds, smallest of the rounds' medians; in brackets times the first column.\n", title_,
      f32::isa());
  for (const Table& table : tables_) {
    text += fmt::format("\n### {}\n\n|", table.name);
    std::string rule = "|";
    for (const auto& [name, value] : table.rows[0].labels) text += " " + name + " |", rule += "---|";
    for (const Timing& t : table.rows[0].timings) text += " " + t.name + " |", rule += "---:|";
    text += "\n" + rule + "\n";
    for (const Row& row : table.rows) {
      text += "|";
      for (const auto& [name, value] : row.labels) text += " " + value + " |";
      for (const Timing& t : row.timings) text += fmt::format(" {:.3f} ({:.2f}x) |", t.best, t.best / row.timings[0].best);
      text += "\n";
    }
  }
  return text;
}

void Report::write(const std::string& markdown_path, const std::string& json_path) const {
  const std::string text = markdown();
  fmt::print("{}\n", text.substr(text.find('\n') + 1));
  if (!markdown_path.empty()) write_text(markdown_path, text);
  if (json_path.empty()) return;
  nlohmann::json json{{"title", title_}, {"isa", f32::isa()}, {"rows", nlohmann::json::array()}};
  for (const Table& table : tables_)
    for (const Row& row : table.rows) {
      nlohmann::json entry{{"table", table.name}};
      for (const auto& [name, value] : row.labels) entry[name] = value;
      for (const Timing& t : row.timings)
        entry["ms"][t.name] = {{"best", t.best}, {"median", t.median}, {"p10", t.p10},
                               {"p90", t.p90},   {"p99", t.p99},       {"calls", t.calls}};
      json["rows"].push_back(entry);
    }
  write_text(json_path, json.dump(1) + "\n");
}

bool Arguments::wants(const std::string& name) const { return std::regex_search(name, std::regex(filter)); }

int run_benchmark(int argc, char** argv, const std::string& title, const std::string& description,
                  const std::function<void(const Arguments&, Report&)>& body) {
  Arguments a;
  CLI::App app(description, std::filesystem::path(argv[0]).filename());
  app.add_option("--filter", a.filter, "networks whose name matches this regular expression")
      ->check(regular_expression())
      ->capture_default_str();
  app.add_option("--threads", a.threads, "thread counts to measure")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--rounds", a.race.rounds, "turns each variant gets")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--seconds", a.race.seconds, "length of a turn")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--markdown", a.markdown, "file for the tables");
  app.add_option("--json", a.json, "file for the figures");
  return tools::run_program(app, argc, argv, [&] {
    tools::check_outputs({a.markdown, a.json}, {});
    fmt::print("## {}\n", title);
    tools::require_output();
    Report report(title);
    body(a, report);
    check(!report.empty(), "--filter: no network matches \"", a.filter, "\"");
    report.write(a.markdown, a.json);
    return tools::kDone;
  });
}

CLI::Validator regular_expression() {
  const auto check_text = [](std::string& text) -> std::string {
    try {
      std::regex ignored(text);
      return "";
    } catch (const std::regex_error& e) {
      return "\"" + text + "\" is no regular expression: " + e.what();
    }
  };
  return CLI::Validator(check_text, "REGEX");
}

}  // namespace octet::bench
