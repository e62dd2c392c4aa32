// SPDX-License-Identifier: Apache-2.0
// Timing a session's layers and printing what was found.
#include "compile/explain.h"

#include <algorithm>
#include <iomanip>
#include <map>

#include "compile/plan.h"
#include "engine/random.h"
#include "engine/text.h"
#include "kernels/float_scope.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

/// With this many digits behind the point, two blanks and `width` columns.
std::string column(double v, int width, int digits) {
  Text text;
  text << "  " << std::fixed << std::setprecision(digits) << std::setw(width) << v;
  return text.str();
}

std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

std::string engine_of(const Placement& p) { return p.engine ? std::string(to_string(*p.engine)) : p.floats ? "float" : "-"; }

}  // namespace

Explanation explain(const std::shared_ptr<const Program>& program, std::vector<Shape> input_shapes, int repeats) try {
  const FloatScope environment;
  check(program != nullptr, "explain: no program");
  if (input_shapes.empty())
    for (const Module& module : program->model().modules)
      if (std::holds_alternative<Input>(module.op)) input_shapes.push_back(module.nominal[0]);
  Explanation e;
  e.inputs = input_shapes, e.threads = threads(), e.repeats = repeats;
  Session session(program, input_shapes);
  Generator random(1);
  std::vector<Tensor> inputs;
  for (const Shape& s : input_shapes) inputs.push_back(randn(random, s));
  session.run(inputs);  // the first run touches memory that later ones find warm
  const std::vector<double> micros = session.time(inputs, repeats);
  for (Placement& p : placements(program->model(), session.plan())) e.layers.push_back({std::move(p), micros[e.layers.size()]});
  e.memory = session.memory();
  return e;
} catch (const std::bad_alloc&) {
  fail("explain: out of memory");
}

std::string to_string(const Explanation& e) {
  const FloatScope environment;
  size_t path = 5, op = 2, engine = 6, implementation = 14;
  double total = 0;
  int64_t macs = 0;
  for (const auto& [p, micros] : e.layers) {
    path = std::max(path, p.path.size()), op = std::max(op, p.op.size()), engine = std::max(engine, engine_of(p).size());
    implementation = std::max(implementation, p.implementation.size());
    total += micros, macs += p.macs;
  }
  std::string text = padded("layer", path) + "  " + padded("op", op) + "  " + padded("engine", engine) + "  " +
                     padded("implementation", implementation) + "        µs      %      MMAC  GMAC/s\n";
  for (const auto& [p, micros] : e.layers) {
    text += padded(p.path, path) + "  " + padded(p.op, op) + "  " + padded(engine_of(p), engine) + "  " +
            padded(p.implementation, implementation) + column(micros, 8, 2) + column(total > 0 ? 100 * micros / total : 0.0, 5, 1);
    if (p.macs > 0)
      text += column(static_cast<double>(p.macs) / 1e6, 8, 3) + column(static_cast<double>(p.macs) / micros / 1e3, 6, 1);
    text += "\n";
  }
  text += padded("sum", path + op + engine + implementation + 6) + column(total, 8, 2) + "  100.0" +
          column(static_cast<double>(macs) / 1e6, 8, 3) + "\n";
  std::map<std::string, std::vector<std::string>> reasons;
  for (const auto& layer : e.layers)
    if (!layer.placement.why.empty()) reasons[layer.placement.why].push_back(layer.placement.path);
  for (const auto& [why, paths] : reasons) {
    text.append("\n").append(why).append(":\n ");
    for (const std::string& p : paths) text.append(" ").append(p);
    text += "\n";
  }
  const MemoryReport& m = e.memory;
  Text memory;
  memory << "\narena " << m.arena << " bytes (lower bound " << m.lower_bound << (m.optimal ? ", proved optimal" : "")
         << "; one buffer per value would be " << m.values << "), scratch " << m.scratch << ", outputs " << m.outputs
         << ", parameters " << m.parameters << ", packed weights and constants " << m.packed << "\n";
  text += memory.str();
  text += "inputs";
  for (const Shape& s : e.inputs) text.append(" ").append(octet::to_string(s));
  text.append(", ").append(std::to_string(e.threads)).append(e.threads == 1 ? " thread" : " threads");
  text.append(", median of ").append(std::to_string(e.repeats)).append(" runs\n");
  return text;
}

}  // namespace octet
