// SPDX-License-Identifier: Apache-2.0
// A report as a test: limits it must keep, and what changed between two reports that were written as JSON.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "numeric_suite/report.h"

namespace octet {

struct ReportLimits {
  std::optional<double> sqnr_db{};         ///< least, end to end, of every layer and of the network's output
  std::map<std::string, double> layers{};  ///< least of these layers, in place of `sqnr_db`
  std::optional<double> accuracy_drop{};   ///< most, in points of percent: float minus quantized
};

/// One line for every limit that is not kept, layers in the model's order: "head: SQNR 21.30 dB, at least 25 asked". Throws for a
/// layer that the report does not have, and for an accuracy where there were no labels.
std::vector<std::string> violations(const Report&, const ReportLimits&);

/// What a report's JSON says of the network and its layers.
struct ReportFigures {
  OutputFigures output;
  struct Layer {
    std::string path;
    double end_to_end_db = 0, own_db = 0;
  };
  std::vector<Layer> layers;
};
/// Throws naming `name` for text that is not a whole report of to_json().
ReportFigures read_report(std::string_view json, std::string_view name);

struct ChangeOptions {
  double least_db = 0.1;                  ///< changes smaller than this are not listed
  std::optional<double> drop_db{};        ///< most that a layer's end to end SQNR or the output's may fall
  std::optional<double> accuracy_drop{};  ///< most that the quantized accuracy may fall, in points
};
struct ReportChanges {
  std::string table;                    ///< headline figures and the layers that changed, came or went
  std::vector<std::string> violations;  ///< one line a limit that is not kept
};
/// Throws if an accuracy is limited that one of the reports does not have.
ReportChanges compare_reports(const ReportFigures& before, const ReportFigures& after, const ChangeOptions& = {});

}  // namespace octet
