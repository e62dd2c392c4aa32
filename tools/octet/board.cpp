// SPDX-License-Identifier: Apache-2.0
// Writing the case, starting the script, reading what it measured.
#include "tools/octet/board.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "io/file.h"
#include "io/image.h"
#include "io/json.h"
#include "tools/octet/arguments.h"
#include "tools/octet/firmware.h"

namespace octet::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kScript = "examples/cortex_m/firmware.py";

/// The same network under short names: what a board prints is read word by word, and names in files may have blanks in them.
Model renamed(Model model) {
  std::map<std::string, std::string> names;
  for (size_t i = 0; i < model.modules.size(); ++i) {
    Module& m = model.modules[i];
    names[m.path] = fmt::format("l{}", i);
    m.path = names[m.path];
    m.fused.clear();
    if (!m.tied_to.empty()) m.tied_to = names.at(m.tied_to);
  }
  return model;
}

/// Checksums of every module's codes on the host, and the codes of the inputs one after the other.
struct HostRun {
  std::map<std::string, uint32_t> sums;
  Bytes inputs;
};

HostRun host_run(const Model& model, std::span<const Tensor> inputs) {
  HostRun run;
  infer(model, inputs, [&](int index, std::span<const Tensor> out) {
    if (out.empty()) return;
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(out[0].raw()), out[0].bytes());
    const Module& m = model.modules[static_cast<size_t>(index)];
    run.sums[m.path] = crc32(bytes);
    if (std::holds_alternative<Input>(m.op)) run.inputs.insert(run.inputs.end(), bytes.begin(), bytes.end());
  });
  return run;
}

std::string samples_source(const std::vector<HostRun>& runs) {
  std::string text = fmt::format(
      "#define SAMPLE_COUNT {}\n#define SAMPLE_BYTES {}u\nstatic const unsigned char "
      "samples[SAMPLE_COUNT][SAMPLE_BYTES] = {{\n",
      runs.size(), runs[0].inputs.size());
  for (const HostRun& run : runs) {
    text += "{";
    for (size_t i = 0; i < run.inputs.size(); ++i)
      text += std::to_string(std::to_integer<int>(run.inputs[i])) + (i % 24 == 23 ? ",\n" : ",");
    text += "},\n";
  }
  return text + "};\n";
}

/// Runs a program with its output in a file; the exit status, or -1 if it was ended by a signal.
int run_program(const std::vector<std::string>& command, const std::string& log) {
  const pid_t child = fork();
  check(child >= 0, command[0], ": cannot be started");
  if (child == 0) {
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    if (out >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0) execvp(words[0], words.data());
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string last_line(const std::string& log) {
  constexpr uint64_t kMostBytes = 1 << 26;
  const Bytes bytes = read_file(log, kMostBytes);
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.find_last_of('\n') + 1);
}

bool in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string folders = path == nullptr ? "" : path;
  for (size_t at = 0; at <= folders.size();) {
    const size_t end = std::min(folders.find(':', at), folders.size());
    if (access((folders.substr(at, end - at) + "/" + program).c_str(), X_OK) == 0) return true;
    at = end + 1;
  }
  return false;
}

FirmwareTarget target_of(const std::string& board) {
  if (board == "cortex-m55") return FirmwareTarget::cortex_m55;
  return board == "cortex-m4" || board == "cortex-m7" ? FirmwareTarget::cortex_m4 : FirmwareTarget::portable;
}

}  // namespace

std::string source_folder(const std::string& given) {
  std::error_code unknown;
  if (!given.empty()) {
    check(fs::is_regular_file(fs::path(given) / kScript, unknown), "--sources ", given, ": has no ", kScript);
    return given;
  }
  for (fs::path at = fs::read_symlink("/proc/self/exe", unknown); at.has_relative_path(); at = at.parent_path())
    if (fs::is_regular_file(at / kScript, unknown)) return at.string();
  fail("--sources: this program does not lie in a build folder of octet's sources, and boards need them (", kScript, ")");
}

void require_board_tools(const std::string& board) {
  const bool arm = board != "rv32imac";
  const std::vector<std::pair<std::string, std::string>> needed{
      {"python3", "python3"},
      {"meson", "meson"},
      {"ninja", "ninja-build"},
      {arm ? "arm-none-eabi-g++" : "riscv64-unknown-elf-g++", arm ? "gcc-arm-none-eabi" : "gcc-riscv64-unknown-elf"},
      {arm ? "qemu-system-arm" : "qemu-system-riscv32", arm ? "qemu-system-arm" : "qemu-system-misc"}};
  for (const auto& [program, package] : needed)
    check(in_path(program), "--board ", board, ": needs ", program,
          ", which is not in PATH; ./dev deps firmware installs it (Debian: ", package, ")");
}

BoardResult run_on_board(const Model& model, std::span<const Tensor> inputs, const std::string& board, const std::string& folder,
                         const std::string& sources, const std::string& name) {
  const Model short_names = renamed(model);
  FirmwareOptions options;
  options.target = target_of(board);
  plan_of(model, options, name, 1);  // names the module under the name that it has
  const FirmwarePlan plan = plan_of(short_names, options, name, 1);
  std::vector<HostRun> runs;
  for (int64_t i = 0; i < inputs[0].size(0); ++i) {
    std::vector<Tensor> one;
    for (const Tensor& t : inputs) one.push_back(slice_rows(t, i, i + 1));
    runs.push_back(host_run(short_names, one));
  }
  std::string expected;
  for (size_t i = 0; i < runs.size(); ++i)
    for (const FirmwareStep& step : plan.steps)
      if (step.completes && !step.temporary) expected += fmt::format("{} {} {:08x}\n", i, step.path, runs[i].sums.at(step.path));

  // The script finds a case by the name of its folder.
  const std::string cases = folder + "/models";
  const std::string here = fmt::format("{}/model-{}-{}", cases, to_string(plan.rounding),
                                       options.target == FirmwareTarget::portable    ? "portable"
                                       : options.target == FirmwareTarget::cortex_m4 ? "cortex_m4"
                                                                                     : "cortex_m55");
  std::error_code ignored;
  fs::remove_all(cases, ignored);
  fs::create_directories(here);
  const ImageSource source = image_source(plan, "model");
  write_text(here + "/model.c", source.c);
  write_text(here + "/model.h", source.h);
  write_text(here + "/samples.h", samples_source(runs));
  write_text(here + "/expected.txt", expected);

  const std::string log = folder + "/log.txt", measured = folder + "/measured.json";
  fs::remove(measured, ignored);
  const int status = run_program(
      {"python3", sources + "/" + kScript, "--cases", cases, "--out", folder, "--board", board, "--json", measured}, log);
  check(fs::exists(measured), "--board ", board, ": ", last_line(log), " (all of it is in ", log, ", status ", status, ")");
  constexpr uint64_t kMostBytes = 1 << 24;
  constexpr int kDepth = 4;
  const Bytes bytes = read_file(measured, kMostBytes);
  const json::Value rows = json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, measured, kDepth);
  check(rows.is_array() && rows.size() == 1, "--board ", board, ": ", last_line(log), " (all of it is in ", log, ")");
  const json::Value& row = rows[0];
  const auto number = [&](const char* key) { return static_cast<int64_t>(json::number(json::at(row, key, measured), measured)); };
  BoardResult result{.equal = number("equal"),
                     .of = number("of"),
                     .instructions = number("instructions"),
                     .open = number("open"),
                     .text = number("text"),
                     .rodata = number("rodata"),
                     .ram = number("ram"),
                     .stack = number("stack"),
                     .layers = {},
                     .first_other = {}};
  const json::Value &names = json::at(row, "names", measured), &layers = json::at(row, "layers", measured);
  const auto path_of = [&](const std::string& short_name) {
    return model.modules.at(static_cast<size_t>(number_of(short_name.substr(1)))).path;
  };
  for (size_t i = 0; i < names.size() && i < layers.size(); ++i)
    result.layers.push_back({path_of(json::string(names[i], measured)), static_cast<int64_t>(json::number(layers[i], measured))});
  if (const std::string other = json::string(json::at(row, "first_other", measured), measured); !other.empty()) {
    const size_t blank = other.find(' ');
    result.first_other =
        "sample " + other.substr(0, blank) + ", " + path_of(other.substr(blank + 1, other.find(' ', blank + 1) - blank - 1));
  }
  return result;
}

}  // namespace octet::cli
