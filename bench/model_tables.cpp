// SPDX-License-Identifier: Apache-2.0
// A table each for speed, overhead over bare primitives, allocations, memory and, where asked for, single kernels.
#include "bench/model_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "kernels/f32/f32.h"
#include "kernels/kernel.h"

namespace octet::bench {
namespace {

using Json = nlohmann::json;
constexpr const char* kBare = "bare oneDNN";

double mebibytes(const Json& bytes) { return bytes.get<double>() / (1 << 20); }
double kibibytes(const Json& bytes) { return bytes.get<double>() / 1024; }

/// Variants that some row has, f32 first, the bare primitives left out.
std::vector<std::string> variants(const Json& all) {
  std::vector<std::string> names;
  for (const Json& model : all["models"])
    for (const Json& row : model["speed"])
      for (const auto& [name, timing] : row["ms"].items())
        if (name != kBare && std::ranges::find(names, name) == names.end()) names.push_back(name);
  std::ranges::sort(names);
  return names;
}

std::string header(const std::string& title, const std::vector<std::string>& columns, size_t left = 1) {
  std::string text = fmt::format("\n### {}\n\n|", title), rule = "|";
  for (size_t i = 0; i < columns.size(); ++i) text += " " + columns[i] + " |", rule += i < left ? "---|" : "---:|";
  return text + "\n" + rule + "\n";
}

std::string speed(const Json& all) {
  const std::vector<std::string> names = variants(all);
  std::vector<std::string> columns{"network", "batch", "threads"};
  for (const std::string& name : names) columns.push_back(name), columns.push_back("p99/median");
  std::string text = header("Milliseconds a run: smallest of the rounds' medians", columns);
  for (const Json& model : all["models"])
    for (const Json& row : model["speed"]) {
      text += fmt::format("| {} | {} | {} |", model["name"].get<std::string>(), row["batch"].get<int>(), row["threads"].get<int>());
      for (const std::string& name : names) {
        const bool has = row["ms"].contains(name);
        const Json t = has ? row["ms"][name] : Json();
        text += !has ? " - | - |"
                     : fmt::format(" {:.4g} | {:.2f}{} |", t["best"].get<double>(),
                                   t["p99"].get<double>() / t["median"].get<double>(), t["calls"].get<int>() < 100 ? "*" : "");
      }
      text += "\n";
    }
  return text + "\n\\* fewer than 100 runs.\n";
}

std::string overhead(const Json& all) {
  std::string text = header("Overhead over the same layers as bare oneDNN primitives, one thread, milliseconds",
                            {"network", "batch", "octet", "bare oneDNN", "ratio", "kernels oneDNN lacks"});
  bool any = false;
  for (const Json& model : all["models"])
    for (const Json& row : model["speed"]) {
      const std::string octet = row["ms"].contains("int8 onednn") ? "int8 onednn" : "int8 automatic";
      if (!row["ms"].contains(kBare) || !row["ms"].contains(octet)) continue;
      any = true;
      const double a = row["ms"][octet]["best"].get<double>(), b = row["ms"][kBare]["best"].get<double>();
      text += fmt::format("| {} | {} | {:.4g} | {:.4g} | {:.3f} | {} |\n", model["name"].get<std::string>(),
                          row["batch"].get<int>(), a, b, a / b, row["bare_missing"].get<int>());
    }
  return any ? text : "";
}

/// One row a network and variant: the most over all batches and thread counts.
std::string allocations(const Json& all) {
  std::string text =
      header("Heap allocations a run, the most of all batches and threads", {"network", "variant", "octet", "oneDNN"}, 2);
  for (const Json& model : all["models"]) {
    std::map<std::string, std::pair<double, double>> most;
    for (const Json& row : model["speed"])
      for (const auto& [name, count] : row["allocations"].items()) {
        auto& [octet, onednn] = most[name];
        octet = std::max(octet, count["octet"].get<double>()), onednn = std::max(onednn, count["onednn"].get<double>());
      }
    for (const auto& [name, counts] : most)
      text += fmt::format("| {} | {} | {:.1f} | {:.1f} |\n", model["name"].get<std::string>(), name, counts.first, counts.second);
  }
  return text;
}

std::string memory(const Json& all) {
  std::string text;
  for (const Json& model : all["models"])
    for (const Json& row : model.value("memory", Json::array())) {
      const auto bytes = [&](const char* key) { return row.contains(key) ? fmt::format("{:.1f}", kibibytes(row[key])) : "-"; };
      const double needed = mebibytes(row["weights"]) + mebibytes(row["arena"]);
      text += fmt::format("| {} | {} | {} | {} | {}{} | {} | {} | {:.2f} | {:.2f} | {:.2f} |\n", model["name"].get<std::string>(),
                          row["batch"].get<int>(), bytes("weights"), bytes("arena"), bytes("lower_bound"),
                          row.value("optimal", false) ? " (proved)" : "", bytes("values"), bytes("scratch"), needed,
                          mebibytes(row["running"]) - mebibytes(row["start"]), mebibytes(row["peak"]) - mebibytes(row["start"]));
    }
  if (text.empty()) return text;
  return header("Memory of a process that loads and runs an int8 network: planned in KiB, measured in MiB",
                {"network", "batch", "weights", "arena", "lower bound", "all values", "scratch", "MiB: weights + arena",
                 "process, running", "process, peak"}) +
         text;
}

std::string kernels(const Json& all) {
  std::string text;
  for (const Json& model : all["models"]) {
    if (!model.contains("profile")) continue;
    double total = 0, bare = 0;
    std::map<std::string, double> sums;  // by engine, with the automatic choice where it declines
    for (const Json& row : model["profile"]) {
      const Json engines = row.value("engines", Json::object());
      for (const auto& [engine, us] : engines.items()) sums[engine] = 0;
    }
    for (const Json& row : model["profile"]) {
      total += row["us"].get<double>(), bare += row.value("bare_us", 0.0);
      for (auto& [engine, sum] : sums) sum += row.value("engines", Json::object()).value(engine, row["us"].get<double>());
    }
    std::string title =
        fmt::format("{}: every kernel in a loop of its own, {:.1f} µs in all", model["name"].get<std::string>(), total);
    std::vector<std::string> columns{"module", "kernel", "µs", "share", "GMAC/s"};
    for (const auto& [engine, sum] : sums) {
      title += fmt::format(", {} {:.1f}", engine, sum);
      columns.push_back(engine + " µs");
    }
    columns.insert(columns.end(), {"bare µs", "µs / bare", "implementation"});
    text += header(title + fmt::format(", bare primitives {:.1f}", bare), columns, 2);
    for (const Json& row : model["profile"]) {
      const double us = row["us"].get<double>(), own = row.value("bare_us", 0.0), macs = row["macs"].get<double>();
      text += fmt::format("| {} | {} | {:.2f} | {:.0f} % | {} |", row["path"].get<std::string>(), row["kernel"].get<std::string>(),
                          us, 100 * us / total, macs > 0 ? fmt::format("{:.0f}", macs / us * 1e-3) : "-");
      for (const auto& [engine, sum] : sums) {
        const double time = row.value("engines", Json::object()).value(engine, 0.0);
        text += time > 0 ? fmt::format(" {:.2f} |", time) : " - |";
      }
      text += fmt::format(" {} | {} | {} |\n", own > 0 ? fmt::format("{:.2f}", own) : "-",
                          own > 0 ? fmt::format("{:.2f}", us / own) : "-", row["implementation"].get<std::string>());
    }
  }
  return text;
}

}  // namespace

Json machine() {
  Json engines = Json::array();
  for (const QEngineInfo& info : qengines())
    engines.push_back(
        {{"engine", to_string(info.engine)}, {"version", info.version}, {"isa", info.isa}, {"why_not", info.why_not}});
  return {{"f32", f32::isa()}, {"engines", engines}, {"hardware_threads", std::thread::hardware_concurrency()}};
}

std::string one_line(const Json& row) {
  std::string text = fmt::format("batch {}, threads {}:", row["batch"].get<int>(), row["threads"].get<int>());
  for (const auto& [name, timing] : row["ms"].items()) text += fmt::format("  {} {:.4g} ms", name, timing["best"].get<double>());
  return text;
}

std::string tables(const Json& all) {
  std::string engines;
  for (const Json& e : all["machine"]["engines"]) {
    const std::string why = e["why_not"].get<std::string>(), name = e["engine"].get<std::string>();
    engines += engines.empty() ? "" : ", ";
    engines += why.empty() ? fmt::format("{} {} {}", name, e["version"].get<std::string>(), e["isa"].get<std::string>())
                           : fmt::format("{} (not available: {})", name, why);
  }
  return fmt::format("\nFloat kernels: {}. Engines: {}.\n", all["machine"]["f32"].get<std::string>(), engines) + speed(all) +
         overhead(all) + memory(all) + allocations(all) + kernels(all);
}

}  // namespace octet::bench
