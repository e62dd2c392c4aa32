// SPDX-License-Identifier: Apache-2.0
// Limits at their edges: exactly kept, infinite figures, figures that are missing; and reports read back from their JSON.
#include "numeric_suite/gate.h"

#include <cmath>

#include "tests/catch.h"
#include "tests/numeric_suite/support.h"

using namespace octet;
using namespace octet::suite_test;
using Catch::Matchers::Contains;

namespace {

/// A report of layers with these end to end figures and accuracies.
Report report_of(const std::vector<std::pair<std::string, double>>& layers, double real = 0.75, double quantized = 0.5) {
  Report r;
  for (const auto& [path, db] : layers) {
    LayerComparison layer;
    layer.path = path;
    layer.output.emplace().sqnr_db = db;
    layer.shadow.emplace().sqnr_db = db + 1;
    r.comparison.layers.push_back(layer);
    r.wiring.emplace_back().path = path;
  }
  r.comparison.output = {layers.back().second, real, quantized, 8};
  return r;
}

ReportFigures figures_of(const Report& r) { return read_report(to_json(r), "r.json"); }

}  // namespace

TEST_CASE("A limit that is met exactly is kept, infinities are compared as such") {
  const Report r = report_of({{"a", INFINITY}, {"b", -INFINITY}, {"c", 30}, {"d", 29.5}});
  CHECK(violations(r, {}).empty());
  CHECK(violations(r, {.sqnr_db = 30}) ==
        std::vector<std::string>{"b: SQNR -inf dB, at least 30 asked", "d: SQNR 29.50 dB, at least 30 asked"});
  CHECK(violations(r, {.sqnr_db = 30, .layers = {{"b", -1e9}, {"d", 29.5}}}) ==
        std::vector<std::string>{"b: SQNR -inf dB, at least -1e+09 asked"});
  CHECK(violations(r, {.layers = {{"c", 30.5}}}) == std::vector<std::string>{"c: SQNR 30.00 dB, at least 30.5 asked"});
  CHECK(violations(r, {.accuracy_drop = 25}).empty());
  CHECK(violations(r, {.accuracy_drop = 24.5}) ==
        std::vector<std::string>{"accuracy: 50.00 % after 75.00 % in float, a drop of 25.00 points, at most 24.5 allowed"});
  CHECK_THROWS_WITH(violations(r, {.layers = {{"e", 1}}}), "limits: the report has no layer \"e\"");
  Report unlabelled = r;
  unlabelled.comparison.output.float_accuracy.reset();
  CHECK_THROWS_WITH(violations(unlabelled, {.accuracy_drop = 1}), "limits: a drop of accuracy needs labels");
  // An output without a row of its own is asked for, too.
  Report hidden = r;
  hidden.wiring.emplace_back().path = "crossing";
  CHECK(violations(hidden, {.sqnr_db = 29.75, .layers = {{"b", -INFINITY}, {"d", 0}}}) ==
        std::vector<std::string>{"output of the network: SQNR 29.50 dB, at least 29.75 asked"});
}

TEST_CASE("A report survives its JSON, and JSON that is no report is refused by name") {
  const Model m = small_network(1);
  const std::vector<Tensor> data = batches({8, 8, 8, 3}, 2, 2);
  const Report r = make_report(m, post_training(m, data), data);
  const ReportFigures f = figures_of(r);
  CHECK(f.output.samples == 16);
  CHECK(f.output.sqnr_db == r.comparison.output.sqnr_db);
  CHECK(!f.output.quantized_accuracy);
  REQUIRE(f.layers.size() == r.comparison.layers.size());
  for (size_t i = 0; i < f.layers.size(); ++i) {
    CHECK(f.layers[i].path == r.comparison.layers[i].path);
    CHECK(f.layers[i].end_to_end_db == r.comparison.layers[i].output->sqnr_db);
    CHECK(f.layers[i].own_db == r.comparison.layers[i].shadow->sqnr_db);  // one is infinite
  }
  const std::string json = to_json(r);
  for (size_t cut = 0; cut < json.size() - 2; cut += 97)
    CHECK_THROWS_WITH(read_report(json.substr(0, cut), "r.json"), Contains("r.json: is no report"));
  for (const char* wrong :
       {"[]", "3", "{\"layers\": 1}", "{\"layers\": []}", "{\"layers\": [], \"samples\": 1, \"output_sqnr_db\": \"x\"}",
        "{\"layers\": [1], \"samples\": 1, \"output_sqnr_db\": 1}"})
    CHECK_THROWS_WITH(read_report(wrong, "r.json"), Contains("r.json: "));
}

TEST_CASE("Changes between reports: drops at the limit, from and to infinity, layers that come and go") {
  const ReportFigures before = figures_of(report_of({{"a", INFINITY}, {"b", 40}, {"old", 35}, {"out", 30}}, 0.75, 0.75)),
                      after = figures_of(report_of({{"a", 50}, {"b", 38}, {"new", 35}, {"out", 30.05}}, 0.75, 0.5));
  const ReportChanges c = compare_reports(before, after, {.drop_db = 2, .accuracy_drop = 25});
  CHECK(c.violations == std::vector<std::string>{"a: SQNR 50.00 dB after inf, a drop of inf dB, at most 2 allowed"});
  CHECK(compare_reports(before, after, {.drop_db = 1.5}).violations.size() == 2);
  CHECK(compare_reports(before, after, {.accuracy_drop = 24.5}).violations.size() == 1);
  CHECK(compare_reports(after, before, {.drop_db = 0}).violations ==
        std::vector<std::string>{"output of the network: SQNR 30.00 dB after 30.05, a drop of 0.05 dB, at most 0 allowed",
                                 "out: SQNR 30.00 dB after 30.05, a drop of 0.05 dB, at most 0 allowed"});
  for (const char* words :
       {"b, end to end", "new, end to end", "old, end to end", "a, own", "1 of 4 layers changed by less than 0.1 dB"})
    CHECK_THAT(c.table, Contains(words));
  CHECK_THAT(c.table, !Contains("out, end to end"));
  CHECK_THAT(compare_reports(before, after, {.least_db = 0.01}).table, Contains("out, end to end"));
  ReportFigures one;
  one.output.sqnr_db = 40, one.output.samples = 8;
  one.layers = {{"a", 40, 30}, {"b", 40, 30}};
  ReportFigures other = one;
  other.layers[0].own_db = 25;  // a layer has changed that no output shows
  const std::string table = compare_reports(one, other, {}).table;
  CHECK_THAT(table, Contains("a, own") && !Contains("a, end to end") && Contains("1 of 2 layers changed by less"));
  CHECK_THAT(compare_reports(one, one, {}).table, Contains("2 of 2 layers changed by less"));
  const ReportFigures bare = figures_of(
      make_report(small_network(1), post_training(small_network(1), batches({4, 8, 8, 3}, 1, 2)), batches({4, 8, 8, 3}, 1, 2)));
  CHECK_THROWS_WITH(compare_reports(before, bare, {.accuracy_drop = 1}), Contains("needs reports that were made with labels"));
}
