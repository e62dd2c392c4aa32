// SPDX-License-Identifier: Apache-2.0
// Errors of programs, and outputs checked before there is anything to write.
#include "tools/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <new>

#include "engine/check.h"
#include "tools/interrupt.h"

namespace octet::tools {
namespace {

namespace fs = std::filesystem;

int refuse(const std::string& name, const std::string& words, int status) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), words.c_str());
  return status;
}

bool output_taken() { return fcntl(STDOUT_FILENO, F_GETFD) != -1 && std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

bool can_create(const fs::path& probe) {
  const Undisturbed whole;
  const bool created = static_cast<bool>(std::ofstream(probe));
  std::error_code ignored;
  fs::remove(probe, ignored);
  return created;
}

}  // namespace

int run_program(const std::string& name, const std::function<int()>& body) {
  int status = kError;
  try {
    status = body();
  } catch (const std::bad_alloc&) {
    return refuse(name, "not enough memory", kError);
  } catch (const std::exception& e) {
    return refuse(name, e.what(), kError);
  }
  if (!output_taken()) return refuse(name, "standard output cannot be written", kError);
  return status;
}

int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& body) {
  const std::string name = app.get_name();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return run_program(name, [&] { return app.exit(e); });  // --help
  } catch (const CLI::ParseError& e) {
    return refuse(name, std::string(e.what()) + "; --help says what it takes", kUsage);
  }
  return run_program(name, body);
}

void require_output() { check(output_taken(), "standard output cannot be written"); }

void check_outputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs) {
  std::error_code ignored;
  const auto same = [&](const std::string& a, const std::string& b) {
    return fs::equivalent(a, b, ignored) || fs::weakly_canonical(a, ignored) == fs::weakly_canonical(b, ignored);
  };
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& path = outputs[i];
    if (path.empty()) continue;
    for (const std::string& input : inputs)
      check(input.empty() || !same(path, input), path, ": would be written over ", input, ", which is read");
    for (size_t k = 0; k < i; ++k) check(outputs[k].empty() || !same(path, outputs[k]), path, ": would be written twice");
    const fs::path target(path), folder = target.has_parent_path() ? target.parent_path() : ".";
    check(fs::is_directory(folder), path, ": the folder ", folder.string(), " does not exist");
    check(!fs::is_directory(target), path, ": is a folder, expected a file");
    check(can_create(target.string() + ".probe"), path, ": cannot be written");
  }
}

void make_output_folder(const std::string& folder) {
  check(!folder.empty(), "the folder to write into has no name");
  std::error_code failed;
  fs::create_directories(folder, failed);
  check(!failed && fs::is_directory(folder), folder, ": expected a folder to write into, it cannot be made",
        failed ? ": " + failed.message() : "");
  check(can_create(fs::path(folder) / ".probe"), folder, ": files cannot be written into this folder");
}

}  // namespace octet::tools
