// SPDX-License-Identifier: Apache-2.0
// octet compare-reports: what changed between two reports that `report --json` wrote.
#include <memory>

#include "io/file.h"
#include "numeric_suite/gate.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

constexpr uint64_t kMaxReport = uint64_t{1} << 30;

struct Comparing {
  std::string before, after, least = "0.1", drop, accuracy_drop;
  Results results;
};

ReportFigures read(const std::string& path) {
  const Bytes bytes = read_file(path, kMaxReport);
  return read_report({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

Json to_json(const ReportFigures& f) {
  Json json{{"samples", f.output.samples}, {"output_sqnr_db", json_number(f.output.sqnr_db)}};
  if (f.output.float_accuracy)
    json["accuracy"] = {{"float", *f.output.float_accuracy}, {"quantized", *f.output.quantized_accuracy}};
  for (const ReportFigures::Layer& l : f.layers)
    json["layers"].push_back(
        {{"path", l.path}, {"end_to_end_db", json_number(l.end_to_end_db)}, {"own_db", json_number(l.own_db)}});
  return json;
}

void run_compare_reports(const Comparing& o) {
  ChangeOptions options{.least_db = number_of(o.least)};
  if (!o.drop.empty()) options.drop_db = number_of(o.drop);
  if (!o.accuracy_drop.empty()) options.accuracy_drop = number_of(o.accuracy_drop);
  tools::check_outputs({o.results.file()}, {o.before, o.after});
  const ReportFigures before = read(o.before), after = read(o.after);
  const ReportChanges changes = compare_reports(before, after, options);
  o.results.show(changes.table, {{"before", to_json(before)}, {"after", to_json(after)}, {"violations", changes.violations}});
  if (!changes.violations.empty()) throw LimitBroken{changes.violations};
}

}  // namespace

void add_compare_reports(CLI::App& app) {
  CLI::App* command =
      add_verb(app, "compare-reports", "print what changed between two reports written with report --json=FILE",
               {"octet compare-reports old.json new.json --fail-drop 2"}, "3 a limit that was asked for is not kept");
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
  o->results.add(*command);
  command->callback([o] { run_compare_reports(*o); });
}

}  // namespace octet::cli
