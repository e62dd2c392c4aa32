// SPDX-License-Identifier: Apache-2.0
// octet compare-reports: what changed between two reports that `report --json` wrote.
#include <cstdio>
#include <memory>

#include "io/file.h"
#include "numeric_suite/gate.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"

namespace octet::cli {
namespace {

constexpr uint64_t kMaxReport = uint64_t{1} << 30;

struct Comparing {
  std::string before, after, least = "0.1", drop, accuracy_drop;
};

ReportFigures read(const std::string& path) {
  const Bytes bytes = read_file(path, kMaxReport);
  return read_report({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

void run_compare_reports(const Comparing& o) {
  ChangeOptions options{.least_db = number_of(o.least)};
  if (!o.drop.empty()) options.drop_db = number_of(o.drop);
  if (!o.accuracy_drop.empty()) options.accuracy_drop = number_of(o.accuracy_drop);
  const ReportChanges changes = compare_reports(read(o.before), read(o.after), options);
  std::fputs(changes.table.c_str(), stdout);
  if (!changes.violations.empty()) throw LimitBroken{changes.violations};
}

}  // namespace

void add_compare_reports(CLI::App& app) {
  CLI::App* command = app.add_subcommand("compare-reports", "what changed between two reports written with report --json");
  const auto o = std::make_shared<Comparing>();
  command->add_option("before", o->before, "JSON of the earlier report")->required();
  command->add_option("after", o->after, "JSON of the later report")->required();
  command->add_option("--least", o->least, "dB from which a layer's change is listed")
      ->check(finite_number(false))
      ->capture_default_str();
  command->add_option("--fail-drop", o->drop, "fail if the output or a layer, end to end, loses more dB than this")
      ->check(finite_number(false));
  command
      ->add_option("--fail-accuracy-drop", o->accuracy_drop,
                   "fail if the quantized accuracy loses more points of percent than this")
      ->check(finite_number(false));
  command->callback([o] { run_compare_reports(*o); });
}

}  // namespace octet::cli
