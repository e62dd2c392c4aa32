// SPDX-License-Identifier: Apache-2.0
// ReportLimits on figures, and figures read back from JSON.
#include "numeric_suite/gate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/float_scope.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;

/// Independent of any locale.
template <class... Format>
std::string written(double v, Format... format) {
  char text[400];
  return {text, std::to_chars(text, text + sizeof text, v, format...).ptr};
}
/// "25", "0.5": as somebody would type it.
std::string typed(double v) { return written(v, std::chars_format::general, 6); }
std::string fixed(double v) { return std::isinf(v) ? (v > 0 ? "inf" : "-inf") : written(v, std::chars_format::fixed, 2); }
std::string signed_change(double before, double after) {
  if (before == after) return "0.00";
  const std::string change = fixed(after - before);
  return change == "-0.00" ? "0.00" : change.starts_with("-") || change == "0.00" ? change : "+" + change;
}
std::string filled(size_t width, size_t used) { return std::string(width > used ? width - used : 0, ' '); }
std::string left(const std::string& text, size_t width) { return text + filled(width, text.size()); }
std::string right(const std::string& text, size_t width) { return filled(width, text.size()) + text; }

void limit_accuracy(std::vector<std::string>& lines, double before, double after, const char* of, double most) {
  const double drop = 100 * (before - after);
  // Shares are quotients of small integers: a drop of exactly the limit is kept.
  if (drop > most + 1e-9)
    lines.push_back("accuracy: " + fixed(100 * after) + " % after " + fixed(100 * before) + " % " + of + ", a drop of " +
                    fixed(drop) + " points, at most " + typed(most) + " allowed");
}

/// Finite numbers, "inf" and "-inf", as to_json() writes them.
double decibels_in(const Json& object, const char* key, std::string_view name) {
  const auto found = object.find(key);
  check(found != object.end(), name, ": is no report: \"", key, "\" is missing");
  if (found->is_number()) return found->get<double>();
  if (*found == "inf") return INFINITY;
  check(*found == "-inf", name, ": \"", key, "\" is neither a number nor \"inf\"");
  return -INFINITY;
}

const ReportFigures::Layer* find(const ReportFigures& r, const std::string& path) {
  const auto found = std::ranges::find(r.layers, path, &ReportFigures::Layer::path);
  return found == r.layers.end() ? nullptr : &*found;
}

}  // namespace

std::vector<std::string> violations(const Report& report, const ReportLimits& limits) {
  const FloatScope environment;
  std::vector<std::string> lines;
  const ModelComparison& c = report.comparison;
  for (const auto& [path, db] : limits.layers) {
    const auto found = std::ranges::find(c.layers, path, &LayerComparison::path);
    check(found != c.layers.end() && found->output, "limits: the report has no layer \"", path, "\"");
  }
  const auto limit = [&](const std::string& what, double db, double least) {
    if (db < least) lines.push_back(what + ": SQNR " + fixed(db) + " dB, at least " + typed(least) + " asked");
  };
  for (const LayerComparison& layer : c.layers) {
    const auto own = limits.layers.find(layer.path);
    if (own != limits.layers.end()) {
      limit(layer.path, layer.output->sqnr_db, own->second);
    } else if (limits.sqnr_db && layer.output) {
      limit(layer.path, layer.output->sqnr_db, *limits.sqnr_db);
    }
  }
  // The output's own row says the same, where it has one.
  const bool has_row =
      !report.wiring.empty() && std::ranges::count(c.layers, report.wiring.back().path, &LayerComparison::path) > 0;
  if (limits.sqnr_db && !has_row && c.output.samples > 0) limit("output of the network", c.output.sqnr_db, *limits.sqnr_db);
  if (limits.accuracy_drop) {
    check(c.output.float_accuracy.has_value(), "limits: a drop of accuracy needs labels");
    limit_accuracy(lines, *c.output.float_accuracy, *c.output.quantized_accuracy, "in float", *limits.accuracy_drop);
  }
  return lines;
}

ReportFigures read_report(std::string_view text, std::string_view name) {
  const FloatScope environment;
  const Json json = Json::parse(text, nullptr, false);
  check(json.is_object() && json.contains("layers") && json["layers"].is_array(), name,
        ": is no report as octet report --json=FILE writes it");
  ReportFigures r;
  check(json.contains("samples") && json["samples"].is_number_integer(), name, ": is no report: \"samples\" is missing");
  r.output.samples = json["samples"].get<int64_t>();
  r.output.sqnr_db = decibels_in(json, "output_sqnr_db", name);
  if (const auto accuracy = json.find("accuracy"); accuracy != json.end()) {
    const auto share = [&](const char* key) {
      check(accuracy->is_object() && accuracy->contains(key) && (*accuracy)[key].is_number(), name, ": accuracy has no number \"",
            key, "\"");
      return (*accuracy)[key].get<double>();
    };
    r.output.float_accuracy = share("float"), r.output.quantized_accuracy = share("quantized");
  }
  for (const Json& layer : json["layers"]) {
    check(layer.is_object() && layer.contains("path") && layer["path"].is_string() && layer.contains("end_to_end") &&
              layer.contains("own"),
          name, ": is no report: a layer without path, end_to_end or own");
    r.layers.push_back({layer["path"].get<std::string>(), decibels_in(layer["end_to_end"], "sqnr_db", name),
                        decibels_in(layer["own"], "sqnr_db", name)});
  }
  return r;
}

ReportChanges compare_reports(const ReportFigures& before, const ReportFigures& after, const ChangeOptions& options) {
  const FloatScope environment;
  ReportChanges result;
  std::string& text = result.table;
  size_t width = 24;
  for (const ReportFigures* r : {&before, &after})
    for (const auto& layer : r->layers) width = std::max(width, layer.path.size());
  const auto row = [&](const std::string& what, const std::string& a, const std::string& b, const std::string& change) {
    text += left(what, width) + right(a, 12) + right(b, 12) + right(change, 12) + "\n";
  };
  const auto limit = [&](const std::string& what, double a, double b) {
    if (options.drop_db && b < a && !(a - b <= *options.drop_db))
      result.violations.push_back(what + ": SQNR " + fixed(b) + " dB after " + fixed(a) + ", a drop of " + fixed(a - b) +
                                  " dB, at most " + typed(*options.drop_db) + " allowed");
  };
  row("", "before", "after", "change");
  row("samples", std::to_string(before.output.samples), std::to_string(after.output.samples),
      before.output.samples == after.output.samples ? "" : "other data");
  row("output SQNR, dB", fixed(before.output.sqnr_db), fixed(after.output.sqnr_db),
      signed_change(before.output.sqnr_db, after.output.sqnr_db));
  limit("output of the network", before.output.sqnr_db, after.output.sqnr_db);
  const auto share = [](const std::optional<double>& v) { return v ? fixed(100 * *v) : std::string("-"); };
  const auto accuracy = [&](const char* what, const std::optional<double>& a, const std::optional<double>& b) {
    if (a || b) row(what, share(a), share(b), a && b ? signed_change(100 * *a, 100 * *b) : "");
  };
  accuracy("accuracy in float, %", before.output.float_accuracy, after.output.float_accuracy);
  accuracy("accuracy quantized, %", before.output.quantized_accuracy, after.output.quantized_accuracy);
  if (options.accuracy_drop) {
    check(before.output.quantized_accuracy && after.output.quantized_accuracy,
          "compare_reports: a drop of accuracy needs reports that were made with labels");
    limit_accuracy(result.violations, *before.output.quantized_accuracy, *after.output.quantized_accuracy, "before",
                   *options.accuracy_drop);
  }
  int same = 0;
  const auto changed = [&](double a, double b) { return a != b && !(std::abs(a - b) < options.least_db); };
  for (const auto& layer : after.layers) {
    const ReportFigures::Layer* old = find(before, layer.path);
    if (!old) {
      row(layer.path + ", end to end", "-", fixed(layer.end_to_end_db), "new");
      continue;
    }
    limit(layer.path, old->end_to_end_db, layer.end_to_end_db);
    const bool end = changed(old->end_to_end_db, layer.end_to_end_db), own = changed(old->own_db, layer.own_db);
    same += !end && !own;
    if (end)
      row(layer.path + ", end to end", fixed(old->end_to_end_db), fixed(layer.end_to_end_db),
          signed_change(old->end_to_end_db, layer.end_to_end_db));
    if (own) row(layer.path + ", own", fixed(old->own_db), fixed(layer.own_db), signed_change(old->own_db, layer.own_db));
  }
  for (const auto& layer : before.layers)
    if (!find(after, layer.path)) row(layer.path + ", end to end", fixed(layer.end_to_end_db), "-", "gone");
  text += std::to_string(same) + " of " + std::to_string(after.layers.size()) + " layers changed by less than " +
          typed(options.least_db) + " dB\n";
  return result;
}

}  // namespace octet
