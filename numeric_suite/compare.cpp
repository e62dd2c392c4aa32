// SPDX-License-Identifier: Apache-2.0
// Both models walk through a batch in step; each module is compared when it has run and its values are dropped after their last
// reader.
#include "numeric_suite/compare.h"

#include <algorithm>
#include <cmath>
#include <iomanip>

#include "engine/ops/fusion.h"
#include "engine/text.h"
#include "kernels/float_scope.h"
#include "numeric_suite/output_figures.h"
#include "quant/pairing.h"
#include "quant/runner.h"

namespace octet {
namespace {

struct Accumulators {
  Statistics output, shadow;
};

/// As the layer uses it: a prepared one rounds it first, if it rounds at all.
Tensor used_weight(const Module& owner, std::string_view path) {
  const Tensor& weight = needed_weight(owner.params, path);
  const auto hook = owner.hooks.find("weight");
  return hook == owner.hooks.end() ? weight : hook->second->peek(Var(weight), path).value();
}

Metrics compare_weight(const Model& reference, const Module& a, const Model& quantized, const Module& b) {
  Statistics s(true);
  s.add(used_weight(reference.owner(a), a.path), used_weight(quantized.owner(b), b.path), b.path + ".weight");
  return s.metrics();
}

std::string dtype_of_output(const Module& module) {
  const bool codes = !module.out_q.empty() && module.out_q[0];
  return std::string(to_string(codes ? code_dtype(*module.out_q[0]) : DType::f32));
}

size_t widest(size_t least, const auto& rows) {
  for (const auto& row : rows) least = std::max(least, row.path.size());
  return least;
}

}  // namespace

double sqnr(const Tensor& reference, const Tensor& test) {
  const FloatScope environment;
  check(reference.numel() > 0, "sqnr: empty tensors");
  Statistics s;
  s.add(reference, test, "sqnr");
  return s.metrics().sqnr_db;
}

ModelComparison compare(const Model& reference, const Model& given, const Batches& batches, const CompareOptions& options) try {
  const FloatScope environment;
  const Model quantized = deployed(given);  // as convert will see a prepared one; it computes the same
  check(!batches.empty(), "compare: no data");
  check(options.labels.empty() || options.outputs, "compare: labels need the outputs, which are switched off");
  check_labels(options.labels, batches, quantized, "compare");
  const Pairing pairing = pair_up(reference, quantized);
  ModuleRunner floats(pairing.reference), integers(quantized, options.engine);
  const size_t modules = quantized.modules.size();
  // Histograms and clipping are the shadows' where there are any.
  const Accumulators fresh{Statistics(false, !options.shadows), Statistics()};
  std::vector<Accumulators> sums(modules, fresh);
  ModelComparison result;
  result.unmatched = pairing.unmatched;
  OutputSums network;
  for (int64_t i = 0; i < batches.count() && (options.outputs || options.shadows); ++i) {
    const std::vector<Tensor> x = batches.batch(i, quantized, "compare");
    ModuleWalk test(integers, x), truth(floats, x);
    for (size_t m = 0; m < modules; ++m) {
      const std::vector<Tensor>& got = test.next();
      const int other = pairing.counterpart[m];
      const std::string& path = quantized.modules[m].path;
      if (other < 0) continue;
      if (options.outputs) sums[m].output.add(truth.next_to(other)[0], got[0], path);
      if (options.shadows) {
        std::vector<Tensor> in;
        for (const Tensor& t : test.inputs()) in.push_back(dequantize(t));
        sums[m].shadow.add(floats.run(other, in)[0], got[0], path);
      }
    }
    if (options.outputs)
      network.add(dequantize(truth.output()), dequantize(test.output()), options.labels.empty() ? nullptr : &options.labels[i]);
    result.samples += rows_of(x);
    if (options.progress && !options.progress(i + 1, batches.count())) {
      result.stopped = i + 1 < batches.count();
      break;
    }
  }
  if (options.outputs) result.output = network.figures();
  for (size_t m = 0; m < modules; ++m) {
    if (pairing.counterpart[m] < 0) continue;
    const Module &module = quantized.modules[m], &other = pairing.reference.modules[pairing.counterpart[m]];
    LayerComparison row;
    row.index = static_cast<int>(m);
    row.path = module.path;
    // A float model that came fused holds the module under its own name.
    const bool inside = !other.fused.empty() && reference.find(other.fused.back());
    row.float_path = inside ? other.fused.back() : other.path;
    row.op = name_of(module.op), row.dtype = dtype_of_output(module);
    if (options.outputs) row.output = sums[m].output.metrics();
    if (options.shadows) row.shadow = sums[m].shadow.metrics();
    if (options.weights && traits_of(module.op).product) row.weight = compare_weight(pairing.reference, other, quantized, module);
    result.layers.push_back(std::move(row));
  }
  return result;
} catch (const std::bad_alloc&) {
  fail("compare: out of memory");
}

std::vector<OutputComparison> compare_outputs(const Model& reference, const Model& quantized, const Batches& batches) try {
  const FloatScope environment;
  std::vector<OutputComparison> rows;
  for (const LayerComparison& layer : compare(reference, quantized, batches, {.shadows = false, .weights = false}).layers) {
    const Metrics& m = *layer.output;
    rows.push_back({layer.path, layer.float_path, layer.op, layer.dtype, m.sqnr_db, m.max_abs_error, m.at_limits, m.elements});
  }
  return rows;
} catch (const std::bad_alloc&) {
  fail("compare_outputs: out of memory");
}

std::string to_table(std::span<const OutputComparison> rows) {
  const FloatScope environment;
  const int width = static_cast<int>(widest(6, rows));
  Text text;
  text << std::left << std::setw(width) << "module"
       << "  " << std::setw(10) << "op"
       << "  out   SQNR dB  max |error|  at limits\n";
  for (const OutputComparison& row : rows) {
    text << std::left << std::setw(width) << row.path << "  " << std::setw(10) << row.op << "  " << std::setw(3) << row.dtype
         << std::right << std::setw(10) << decibels(row.sqnr_db) << std::fixed << std::setprecision(6) << std::setw(13)
         << row.max_abs_error << std::setw(11) << percent(row.saturated) << '\n';
  }
  return text.str();
}

std::string to_string(const OutputFigures& f) {
  std::string text = "output SQNR " + (f.samples > 0 ? decibels(f.sqnr_db) : "-") + " dB";
  if (f.float_accuracy)
    text += ", accuracy " + percent(*f.float_accuracy) + " float, " + percent(*f.quantized_accuracy) + " quantized";
  return text + " (" + std::to_string(f.samples) + (f.samples == 1 ? " sample)" : " samples)");
}

std::string to_table(const ModelComparison& comparison) {
  const FloatScope environment;
  const int width = static_cast<int>(widest(6, comparison.layers));
  Text text;
  text << std::left << std::setw(width) << "module"
       << "  " << std::setw(10) << "op"
       << "  out  end to end   own error    weights   clipped low, high    codes used  note\n"
       << std::string(static_cast<size_t>(width) + 17, ' ') << "   SQNR dB     SQNR dB    SQNR dB\n";
  const auto db = [](const std::optional<Metrics>& m) { return m ? decibels(m->sqnr_db) : std::string("-"); };
  for (const LayerComparison& row : comparison.layers) {
    const Metrics* m = row.shadow ? &*row.shadow : row.output ? &*row.output : nullptr;
    text << std::left << std::setw(width) << row.path << "  " << std::setw(10) << row.op << "  " << std::setw(3) << row.dtype
         << std::right << std::setw(12) << db(row.output) << std::setw(12) << db(row.shadow) << std::setw(11) << db(row.weight);
    if (m && m->step > 0)
      text << std::setw(10) << percent(m->saturated_low) << std::setw(10) << percent(m->saturated_high) << std::setw(14)
           << percent(m->codes_used);
    else
      text << std::setw(34) << "-";
    text << (m && !m->note.empty() ? "  " + m->note : "") << '\n';
  }
  return text.str();
}

}  // namespace octet
