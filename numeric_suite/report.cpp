// SPDX-License-Identifier: Apache-2.0
// Collecting a report, and its JSON: everything the page shows, infinities as strings.
#include "numeric_suite/report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/float_scope.h"
#include "quant/pairing.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;

Json json_number(double v) {
  if (std::isfinite(v)) return v;
  if (std::isnan(v)) return nullptr;
  return v > 0 ? "inf" : "-inf";
}

Json to_object(const OutputFigures& f) {
  Json j{{"samples", f.samples}};
  if (f.samples > 0) j["output_sqnr_db"] = json_number(f.sqnr_db);
  if (f.float_accuracy) j["accuracy"] = {{"float", *f.float_accuracy}, {"quantized", *f.quantized_accuracy}};
  return j;
}

Json to_object(const Metrics& m, bool own) {
  Json j{{"sqnr_db", json_number(m.sqnr_db)},
         {"cosine", json_number(m.cosine)},
         {"max_abs_error", m.max_abs_error},
         {"noise_power", m.noise_power},
         {"effective_bits", json_number(m.effective_bits)},
         {"reference", {m.reference_min, m.reference_max}},
         {"mean_error", m.mean_error},
         {"elements", m.elements}};
  if (m.step > 0) {
    j["grid"] = {m.grid_min, m.grid_max};
    // Clipping is counted on a layer's own error only.
    if (own) j["clipped_low"] = m.saturated_low, j["clipped_high"] = m.saturated_high;
    j["codes_used"] = m.codes_used, j["dead_channels"] = m.dead_channels;
  }
  if (!m.note.empty()) j["note"] = m.note;
  return j;
}

}  // namespace

std::vector<WiringRow> wiring_of(const Model& model) {
  std::vector<WiringRow> rows;
  for (size_t i = 0; i < model.modules.size(); ++i) {
    const Module& m = model.modules[i];
    const bool reads_floats = std::ranges::none_of(m.inputs, [&](const Wire& w) { return has_codes(model.modules[w.module]); });
    WiringRow row{m.path, std::string(name_of(m.op)),
                  {},     runs_quantized(model, static_cast<int>(i)) || (has_codes(m) && reads_floats),
                  false,  {}};
    for (const Wire& w : m.inputs) {
      row.inputs.push_back(w.module);
      row.crossing |= has_codes(model.modules[w.module]) != row.integer;
    }
    if (m.inputs.empty()) row.crossing = row.integer;
    rows.push_back(std::move(row));
  }
  return rows;
}

Report make_report(const Model& reference, const Model& quantized, const Batches& batches, const ReportOptions& options) try {
  const FloatScope environment;
  check(!batches.empty(), "report: no data");
  check(is_quantized(quantized) || is_quantized(reference), "report: the second model is not quantized; convert it first");
  const int64_t count = batches.count(), some = std::clamp<int64_t>(options.diagnosis_batches, 1, count);
  bool stopped = false;
  const auto from = [&](int64_t before) {
    return [&, before](int64_t done, int64_t) {
      stopped |= options.progress && !options.progress(before + done, count + some);
      return !stopped;
    };
  };
  Report report;
  report.title = options.title;
  report.wiring = wiring_of(quantized);
  report.notes = summarize(quantized).notes;
  report.comparison =
      compare(reference, quantized, batches, {.engine = options.engine, .labels = options.labels, .progress = from(0)});
  if (stopped) {
    report.diagnosis.stopped = true;
    return report;
  }
  report.diagnosis = diagnose(reference, quantized, batches.first(some),
                              {.engine = options.engine,
                               .labels = options.labels.first(options.labels.empty() ? 0 : static_cast<size_t>(some)),
                               .float_layers = options.float_layers,
                               .progress = from(count)});
  return report;
} catch (const std::bad_alloc&) {
  fail("make_report: out of memory");
}

std::string to_json(const Report& report) {
  const FloatScope environment;
  const Diagnosis& d = report.diagnosis;
  Json j{{"title", report.title}, {"stopped", report.comparison.stopped || d.stopped}};
  j.update(to_object(report.comparison.output));
  j["diagnosed"] = to_object(d.output);
  j["diagnosed"].update({{"estimated_samples", d.estimated_samples}, {"rank_correlation", json_number(d.rank_correlation)}});
  j["layers"] = j["diagnosis"] = j["pairs"] = Json::array();
  for (const LayerComparison& l : report.comparison.layers) {
    Json row{{"path", l.path}, {"op", l.op}, {"dtype", l.dtype}};
    if (l.output) row["end_to_end"] = to_object(*l.output, false);
    if (l.shadow) row["own"] = to_object(*l.shadow, true);
    if (l.weight) row["weight"] = to_object(*l.weight, true);
    j["layers"].push_back(std::move(row));
  }
  for (const LayerDiagnosis& l : d.layers) {
    const ErrorSplit& e = l.split;
    Json row{
        {"path", l.path},
        {"gain_db", json_number(l.gain_db)},
        {"share", l.share},
        {"estimated", l.estimated},
        {"cause", to_string(l.cause)},
        {"words", l.words},
        {"mend", l.mend},
        {"split",
         {{"inherited", e.inherited}, {"weight", e.weight}, {"bias", e.bias}, {"rounding", e.rounding}, {"clipping", e.clipping}}}};
    if (l.accuracy) row["accuracy"] = *l.accuracy;
    j["diagnosis"].push_back(std::move(row));
  }
  for (const PairImbalance& p : d.pairs)
    j["pairs"].push_back({{"first", p.first},
                          {"second", p.second},
                          {"decades", p.decades},
                          {"worst_span", p.worst_span},
                          {"unbalanced", p.unbalanced}});
  for (const WiringRow& w : report.wiring)
    j["wiring"].push_back({{"path", w.path}, {"op", w.op}, {"inputs", w.inputs}, {"integer", w.integer}, {"crossing", w.crossing}});
  j["unmatched"] = report.comparison.unmatched, j["notes"] = report.notes;
  return j.dump(1) + "\n";
}

std::string to_table(const Report& report) {
  std::string text =
      "all data: " + to_string(report.comparison.output) + (report.comparison.stopped ? ", stopped early" : "") + "\n";
  for (const std::string& note : report.notes) text += "note: " + note + "\n";
  return text + to_table(report.diagnosis) + "\n" + to_table(report.comparison);
}

}  // namespace octet
