// SPDX-License-Identifier: Apache-2.0
// Help and results of every verb.
#include "tools/octet/verb.h"

#include <cmath>
#include <cstdio>

#include "engine/check.h"
#include "io/file.h"
#include "tools/interrupt.h"

namespace octet::cli {

CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& does, const std::vector<std::string>& examples,
                   const std::string& status) {
  CLI::App* verb = app.add_subcommand(name, does);
  std::string footer = examples.size() > 1 ? "Examples:\n" : "Example:\n";
  for (const std::string& example : examples) footer += "  " + example + "\n";
  verb->footer(footer + "Exit status: 0 done, 1 an error, 2 wrong arguments" + (status.empty() ? "" : ", " + status));
  return verb;
}

void Results::add(CLI::App& verb) {
  verb.add_flag("--json{-}", target_, "print JSON instead of text; --json=FILE writes it besides");
}

void Results::show(const std::string& text, const Json& json) const {
  const std::string all = target_.empty() ? "" : dumped(json);
  std::fputs(target_ == "-" ? all.c_str() : text.c_str(), stdout);
  if (target_.empty() || target_ == "-") return;
  write_text(target_, all);
  note("wrote " + target_);
}

void Results::note(const std::string& line) const {
  if (text()) std::printf("%s\n", line.c_str());
}

Json json_number(double v) {
  if (std::isfinite(v)) return v;
  if (std::isnan(v)) return nullptr;
  return v > 0 ? "inf" : "-inf";
}

std::string dumped(const Json& json) {
  // A path need not be UTF-8; JSON is.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_bytes(const std::string& path, std::span<const std::byte> bytes) {
  const tools::Undisturbed whole;
  write_file(path, bytes);
}

void write_text(const std::string& path, const std::string& text) { write_bytes(path, std::as_bytes(std::span(text))); }

}  // namespace octet::cli
