// SPDX-License-Identifier: Apache-2.0
// Every operator that has an int8 form, in every rounding, with u8 and i8 activations: the bytes of `infer` on every engine, and
// from the image of every firmware target. `./dev sweep operators` runs more of the same and prints the table.
#include <array>
#include <cstdio>
#include <cstdlib>

#include "compile/program.h"
#include "quant/quantize.h"
#include "tests/kernels/fills.h"
#include "tests/runtime/device.h"
#include "tests/runtime/operator_networks.h"

using namespace octet;
using namespace octet::device;
using namespace octet::testing;

namespace octet::every_operator_tests {
namespace {

constexpr std::array<std::pair<const char*, QEngine>, 3> kEngines{
    {{"reference", QEngine::reference}, {"native", QEngine::native}, {"oneDNN", QEngine::onednn}}};
constexpr std::array<std::pair<const char*, FirmwareTarget>, 3> kTargets{
    {{"portable", FirmwareTarget::portable}, {"cortex_m4", FirmwareTarget::cortex_m4}, {"cortex_m55", FirmwareTarget::cortex_m55}}};

struct Cell {
  int64_t cases = 0, own = 0, wrong = 0;
};
/// Engines, then targets.
using Row = std::array<Cell, kEngines.size() + kTargets.size()>;
struct Table {
  std::map<std::pair<std::string, Rounding>, Row> rows;
  std::set<std::string> floats;
  int64_t refused = 0;
  std::string first;  ///< mismatch
};

bool equal(const Tensor& expected, const void* bytes, size_t count) {
  return expected.bytes() == count && std::memcmp(expected.raw(), bytes, count) == 0;
}

bool is_there(QEngine engine) {
  const std::vector<QEngineInfo> all = qengines();
  return std::ranges::any_of(all, [&](const QEngineInfo& q) { return q.engine == engine && q.available; });
}

/// One network on every engine and target.
void run_everywhere(const Model& int8, std::span<const Tensor> inputs, const std::string& name, Table& table) {
  Row& row = table.rows[{name, int8.rounding}];
  const std::vector<Tensor> expected = infer(int8, inputs);
  const auto count = [&](Cell& cell, bool own, bool right, const char* where) {
    ++cell.cases, cell.own += own, cell.wrong += !right;
    if (!right && table.first.empty())
      table.first =
          name + " in " + std::string(to_string(int8.rounding)) + " on " + where + ", " + std::string(to_string(inputs[0].dtype()));
  };
  std::vector<Shape> shapes;
  for (const Tensor& x : inputs) shapes.push_back(x.shape());
  for (size_t i = 0; i < kEngines.size(); ++i) {
    const QEngine qengine = kEngines[i].second;
    if (!is_there(qengine)) continue;
    const auto program = Program::bind(int8, qengine);
    const std::vector<Placement> placements = program->placements();
    const auto op = std::ranges::find(placements, "op", &Placement::path);
    Session session(program, shapes, 2);
    const auto got = session.run(inputs);
    bool right = got.size() == expected.size();
    for (size_t port = 0; right && port < got.size(); ++port) right = equal(expected[port], got[port].raw(), got[port].bytes());
    count(row[i], op->engine == qengine, right, kEngines[i].first);
  }
  if (int8.rounding == Rounding::int_bias) return;  // no device computes so
  for (size_t i = 0; i < kTargets.size(); ++i) {
    FirmwarePlan plan;
    try {
      plan = plan_firmware(int8, {.search_nodes = 2000, .target = kTargets[i].second});
    } catch (const Error&) {
      ++table.refused;
      continue;
    }
    const Outcome got = Device(image_bytes(plan)).run(inputs);
    bool right = got.status == OCTET_OK && got.outputs.size() == expected.size();
    for (size_t port = 0; right && port < expected.size(); ++port)
      right = equal(expected[port], got.outputs[port].data(), got.outputs[port].size());
    const bool packed = std::ranges::any_of(plan.steps, [](const FirmwareStep& s) { return !s.packed.empty(); });
    count(row[kEngines.size() + i], packed, right, kTargets[i].first);
  }
}

Table run_all(int samples) {
  Table table;
  for (const OperatorCase& o : operators_and_modes()) {
    const std::string name(name_of(o.op));
    if (name == "input") continue;
    INFO(name);
    for (const Rounding rounding : octet::testing::kRoundings)
      for (const bool i8 : {false, true})
        for (int seed = 0; seed < samples; ++seed) {
          QConfig config = i8 ? octet_device_qconfig() : octet_qconfig();
          config.averages = seed % 2 == 0;  // with codes of their own, and with their input's
          const Model int8 = converted(o, rounding, config, static_cast<uint64_t>(seed));
          if (!runs_quantized(int8, int8.index("op"))) {
            table.floats.insert(name);
            continue;
          }
          Generator g(static_cast<uint64_t>(100 + seed));
          std::vector<Tensor> inputs = operator_values(o, g);
          for (size_t k = 0; k < inputs.size(); ++k)
            inputs[k] = quantize(inputs[k], *int8["x" + std::to_string(k)].out_q[0], rounding);
          run_everywhere(int8, inputs, name, table);
        }
  }
  return table;
}

std::string text_of(const Cell& c) {
  if (c.cases == 0) return "–";
  return std::to_string(c.cases) + (c.own > 0 ? " (" + std::to_string(c.own) + ")" : "") + ", " + std::to_string(c.wrong);
}

/// A line for every operator and rounding: cases (of them by the engine's own kernel, or with packed weights), mismatches.
std::string markdown(const Table& table) {
  std::string text = "| operator | rounding |", rule = "|---|---|";
  for (const auto& column : kEngines) text += " " + std::string(column.first) + " |", rule += "---|";
  for (const auto& column : kTargets) text += " " + std::string(column.first) + " |", rule += "---|";
  text += "\n" + rule + "\n";
  Row all{};
  const auto line = [&](const std::string& name, const std::string& rounding, const Row& row) {
    text += "| " + name + " | " + rounding + " |";
    for (const Cell& c : row) text += " " + text_of(c) + " |";
    text += "\n";
  };
  for (const auto& [key, row] : table.rows) {
    line(key.first, std::string(to_string(key.second)), row);
    for (size_t i = 0; i < row.size(); ++i) all[i].cases += row[i].cases, all[i].own += row[i].own, all[i].wrong += row[i].wrong;
  }
  line("all", "all", all);
  return text;
}

void check_table(int samples, bool print) {
  const Table table = run_all(samples);
  INFO("first mismatch: " << table.first);
  std::set<std::string> operators;
  int64_t cases = 0, wrong = 0;
  for (const auto& [key, row] : table.rows) {
    INFO(key.first << ", " << to_string(key.second));
    operators.insert(key.first);
    for (size_t i = 0; i < row.size(); ++i) {
      cases += row[i].cases, wrong += row[i].wrong;
      CHECK(row[i].wrong == 0);
      const bool device = i >= kEngines.size();
      if (device) CHECK((row[i].cases > 0) == (key.second != Rounding::int_bias));
    }
    CHECK(row[0].cases >= 2 * samples);
    for (size_t i = 1; i < kEngines.size(); ++i) CHECK(row[i].cases == (is_there(kEngines[i].second) ? row[0].cases : 0));
    if (is_there(QEngine::native)) CHECK(row[1].own == row[0].own);  // it takes everything; the same memory is nobody's
  }
  CHECK(table.rows.size() == 4 * operators.size());
  for (const char* name : {"conv2d", "linear"})
    for (const Rounding rounding : {Rounding::real, Rounding::fixed_double})
      for (const size_t packed : {4, 5}) CHECK(table.rows.at({name, rounding})[packed].own > 0);
  CHECK(table.refused == 0);
  if (print) {
    std::fputs(markdown(table).c_str(), stdout);
    std::string floats;
    for (const std::string& name : table.floats) floats += " " + name + (operators.contains(name) ? " (some)" : "");
    std::printf("\n%zu operators, %lld cases, %lld mismatches; in float between codes:%s\n", operators.size(),
                static_cast<long long>(cases), static_cast<long long>(wrong), floats.c_str());
  }
}

}  // namespace

TEST_CASE("every operator in every rounding gives the same bytes on every engine and every firmware target") {
  check_table(2, std::getenv("OCTET_TABLES") != nullptr);
}

// ./dev sweep operators
TEST_CASE("many values of every operator on every engine and target", "[.][sweep][operators]") {
  const char* count = std::getenv("OCTET_SWEEP_COUNT");
  check_table(count == nullptr ? 100 : std::atoi(count), true);
}

}  // namespace octet::every_operator_tests
