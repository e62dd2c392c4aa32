// SPDX-License-Identifier: Apache-2.0
// The whole comparison as one thing to look at: a self-contained HTML page, JSON, or a table for the terminal.
#pragma once

#include <string>
#include <vector>

#include "numeric_suite/compare.h"
#include "numeric_suite/diagnose.h"

namespace octet {

/// A module of the quantized model and where its values go, for the drawing of the network.
struct WiringRow {
  std::string path, op;
  std::vector<int> inputs;  ///< rows
  bool integer = false;     ///< runs as an integer kernel, or is where floats become codes
  bool crossing = false;    ///< reads floats and gives codes, or the other way round
  std::string detail{};     ///< beside the module in the drawing
};
std::vector<WiringRow> wiring_of(const Model&);

struct Report {
  std::string title;
  ModelComparison comparison;
  Diagnosis diagnosis;
  std::vector<WiringRow> wiring;
  std::vector<std::string> notes;  ///< summarize() of the quantized model
};

struct ReportOptions {
  std::string title = "Float against int8";
  QEngine engine = QEngine::automatic;
  std::span<const Tensor> labels{};  ///< i32, one tensor a batch
  bool float_layers = true;          ///< as DiagnoseOptions
  int64_t diagnosis_batches = 4;     ///< of the batches, for the causes and the leave-one-float measurement
  Progress progress{};               ///< batches of both parts; false stops
};
/// compare() over all batches, from which the headline figures are, and diagnose() over the first few. Stopped during the first,
/// the report has no diagnosis.
Report make_report(const Model& reference, const Model& quantized, const Batches&, const ReportOptions& = {});

std::string to_html(const Report&);
std::string to_json(const Report&);
/// For the terminal: worst layers with cause and remedy, then all layers.
std::string to_table(const Report&);

}  // namespace octet
