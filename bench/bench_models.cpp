// SPDX-License-Identifier: Apache-2.0
// Whole networks: float and int8, by engine, batch and threads, beside the bare oneDNN primitives of the same layers; allocations
// per run; memory of a process that runs one network.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>

#include "bench/child.h"
#include "bench/model_bench.h"
#include "bench/model_tables.h"
#include "bench/networks/networks.h"
#include "io/file.h"
#include "tools/program.h"

using namespace octet;
using namespace octet::bench;
using Json = nlohmann::json;

namespace {

struct Options {
  std::string filter = ".*", models, markdown, json;
  std::vector<int> threads{1, 2};
  std::vector<int64_t> batches{1, 32};
  RaceOptions race{.rounds = 3, .seconds = 0.15, .least = 1};
  bool reference = false, write = false, profile = false, no_memory = false;
};

std::vector<std::string> chosen(const std::string& filter) {
  std::vector<std::string> names;
  const std::regex pattern(filter);
  for (const Network& n : networks())
    if (std::regex_search(n.name, pattern)) names.push_back(n.name);
  if (names.empty()) network(filter);  // throws, listing the names
  return names;
}

/// A folder that is removed at the end.
struct TemporaryFolder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / fmt::format("octet-bench-{}", static_cast<long>(getpid()));
  TemporaryFolder() { std::filesystem::create_directories(path); }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

Json measure(const Options& o, const std::string& folder) {
  Json all{{"machine", machine()}, {"models", Json::array()}};
  const std::vector<std::string> names = chosen(o.filter);
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string& name = names[i];
    const auto say = [&](const std::string& what) { fmt::print(stderr, "[{}/{}] {}: {}\n", i + 1, names.size(), name, what); };
    const ModelFiles files = files_of(folder, name);
    Json entry{{"name", name}, {"speed", Json::array()}};
    if (o.write || !std::filesystem::exists(files.int8_path)) {
      say("building and quantizing");
      in_child([&] { return write_model(folder, name); });
    }
    if (o.write) continue;
    for (const int64_t batch : o.batches)
      for (const int threads : o.threads) {
        Json row = Json::parse(in_child([&] { return measure_speed({name, files, batch, threads, o.reference, o.race}); }));
        row["batch"] = batch, row["threads"] = threads;
        say(one_line(row));
        entry["speed"].push_back(row);
      }
    if (!o.no_memory) {
      for (const int64_t batch : o.batches) {
        Json row = Json::parse(in_child([&] { return measure_memory(files.int8_path, batch, o.threads[0]); }));
        row["batch"] = batch;
        entry["memory"].push_back(row);
      }
      say("memory measured");
    }
    if (o.profile) {
      entry["profile"] = Json::parse(in_child([&] { return profile({name, files, o.batches[0], o.threads[0], false, o.race}); }));
      say("profiled");
    }
    all["models"].push_back(entry);
  }
  return all;
}

const std::string kTitle = "## Networks\n";

void write_text(const std::string& path, const std::string& text) {
  if (!path.empty()) write_file(path, std::as_bytes(std::span(text)));
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("Times whole networks on every engine, beside bare oneDNN primitives; progress goes to standard error.",
               "bench_models");
  app.add_option("--filter", o.filter, "networks whose name matches this regular expression")
      ->check(regular_expression())
      ->capture_default_str();
  app.add_option("--batch", o.batches, "pictures at once")->delimiter(',')->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--threads", o.threads, "thread counts")->delimiter(',')->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--rounds", o.race.rounds, "turns each variant gets")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--seconds", o.race.seconds, "length of a turn")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("--reference", o.reference, "measure the reference engine, too (slow)");
  app.add_flag("--profile", o.profile, "time every kernel by itself, first batch and first thread count");
  app.add_flag("--no-memory", o.no_memory, "leave the table of memory out");
  app.add_option("--models", o.models, "folder that keeps the quantized networks (default: a temporary one)");
  app.add_flag("--write", o.write, "write the networks into --models, over what is there, and stop")->needs("--models");
  app.add_option("--markdown", o.markdown, "file for the tables");
  app.add_option("--json", o.json, "file for the figures");
  return tools::run_program(app, argc, argv, [&] {
    tools::check_outputs({o.markdown, o.json}, {});
    chosen(o.filter);
    std::optional<TemporaryFolder> temporary;
    std::string folder = o.models;
    if (folder.empty())
      folder = temporary.emplace().path.string();
    else
      tools::make_output_folder(folder);
    if (!o.write) {
      fmt::print("{}", kTitle);
      tools::require_output();
    }
    const Json all = measure(o, folder);
    if (o.write) return tools::kDone;
    const std::string text = tables(all);
    fmt::print("{}", text);
    write_text(o.markdown, kTitle + text);
    write_text(o.json, all.dump(1) + "\n");
    return tools::kDone;
  });
}
