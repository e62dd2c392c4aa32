// SPDX-License-Identifier: Apache-2.0
// Leave-one-float on top of one run of the quantized model a batch: values before the layer are reused, as are all that do not
// depend on it.
#include "numeric_suite/diagnose.h"

#include <algorithm>
#include <cmath>
#include <iomanip>

#include "engine/loss.h"
#include "engine/ops/fusion.h"
#include "engine/text.h"
#include "kernels/float_scope.h"
#include "numeric_suite/cause.h"
#include "numeric_suite/correlation.h"
#include "numeric_suite/error_split.h"
#include "numeric_suite/first_order.h"
#include "numeric_suite/output_figures.h"
#include "quant/equalize.h"
#include "quant/pairing.h"
#include "quant/runner.h"

namespace octet {
namespace {

/// The quantized model with one module (and the calls tied to it) in float.
struct Variant {
  int index;
  Model model;
  std::vector<bool> apart;  ///< modules that do not run as in the quantized model
  double noise = 0;
  int64_t right = 0;
};

Variant keep_float(const Model& quantized, int index, const Pairing& pairing) {
  Variant v{index, quantized, std::vector<bool>(quantized.modules.size())};
  const Module& owner = quantized.owner(quantized.modules[index]);
  for (size_t j = 0; j < quantized.modules.size(); ++j) {
    Module& module = v.model.modules[j];
    const bool chosen =
        static_cast<int>(j) == index || (is_weighted(module.op) && &quantized.owner(quantized.modules[j]) == &owner);
    const auto floats = [&](const Wire& w) {
      return !has_codes(v.model.modules[w.module]) && has_codes(quantized.modules[w.module]);
    };
    const bool reads_float = std::ranges::any_of(module.inputs, floats);
    if (chosen) {
      const Module& twin = pairing.reference.modules[pairing.counterpart[j]];
      module.op = twin.op, module.params = twin.params, module.out_q.clear();
    } else if (reads_float && quantized.keeps_qparams(quantized.modules[j])) {
      module.out_q.clear();
    }
    v.apart[j] = chosen || reads_float;
  }
  return v;
}

/// The layers to configure float so that this one's weights and outputs are not rounded: it, the calls tied to it, and whoever
/// reads it, because a quantized reader would round its input at the crossing. Nothing if those are many: then it is no island any
/// more.
std::vector<std::string> island(const Model& quantized, const Pairing& pairing, int index) {
  constexpr size_t kMost = 4;
  const Module& chosen = quantized.modules[index];
  std::vector<int> sources;
  for (size_t j = 0; j < quantized.modules.size(); ++j) {
    const bool tied = is_weighted(chosen.op) && &quantized.owner(quantized.modules[j]) == &quantized.owner(chosen);
    if (static_cast<int>(j) == index || tied) sources.push_back(static_cast<int>(j));
  }
  std::vector<std::string> paths;
  std::vector<bool> passes(quantized.modules.size());
  for (size_t j = 0; j < quantized.modules.size(); ++j) {
    const Module& module = quantized.modules[j];
    const bool source = std::ranges::count(sources, static_cast<int>(j)) > 0;
    const bool reads = std::ranges::any_of(module.inputs, [&](const Wire& w) { return passes[w.module]; });
    passes[j] = source || (reads && quantized.keeps_qparams(module));
    // A crossing is no module of the float model: it goes away with its reader.
    if ((source || (reads && !passes[j])) && pairing.counterpart[j] >= 0) paths.push_back(module.path);
  }
  return paths.size() > kMost ? std::vector<std::string>{} : paths;
}

/// Values of one batch, all kept: what every variant starts from.
struct BatchRun {
  std::vector<std::vector<Tensor>> in, out;
};

Tensor run_variant(Variant& v, ModuleRunner& integers, const BatchRun& base) {
  std::vector<std::vector<Tensor>> out(base.out.size());  // empty: as in the base run
  const auto value = [&](const Wire& w) -> const Tensor& { return (out[w.module].empty() ? base.out : out)[w.module].at(w.port); };
  for (size_t j = v.index; j < out.size(); ++j) {
    const Module& module = v.model.modules[j];
    const bool moved = std::ranges::any_of(module.inputs, [&](const Wire& w) { return !out[w.module].empty(); });
    if (!moved && !v.apart[j]) continue;
    std::vector<Tensor> in;
    if (module.inputs.empty()) in = base.in[j];
    for (const Wire& w : module.inputs) in.push_back(value(w));
    if (v.apart[j] && !has_codes(module))
      for (Tensor& t : in) t = dequantize(t);
    out[j] = v.apart[j] ? infer_module(v.model, static_cast<int>(j), in) : integers.run(static_cast<int>(j), in);
  }
  return dequantize(value(v.model.output_wires()[0]));
}

}  // namespace

std::vector<PairImbalance> pair_imbalances(const Model& fused) {
  const FloatScope environment;
  std::vector<PairImbalance> pairs;
  for (const auto& chain : equalizable(fused))
    for (size_t k = 0; k + 1 < chain.size(); ++k) {
      const PairRanges r = pair_ranges(fused, chain[k], chain[k + 1]);
      std::vector<double> a, b;
      for (size_t c = 0; c < r.first.size(); ++c)
        if (r.first[c] > 0 && r.second[c] > 0) a.push_back(std::log10(r.first[c])), b.push_back(std::log10(r.second[c]));
      PairImbalance p{chain[k], chain[k + 1]};
      if (!a.empty()) {
        p.decades = std::sqrt(std::max(0.0, -covariance(a, b)));
        p.worst_span = std::pow(10, std::ranges::max(a) - std::ranges::min(a));
      }
      p.unbalanced = p.decades > kUnbalancedDecades;
      pairs.push_back(std::move(p));
    }
  return pairs;
}

Diagnosis diagnose(const Model& reference, const Model& given, const Batches& batches, const DiagnoseOptions& options) try {
  const FloatScope environment;
  const Model quantized = deployed(given);  // a prepared one is refused for what it is, not for its layers' training form
  check(!batches.empty(), "diagnose: no data");
  check_labels(options.labels, batches, quantized, "diagnose");
  const Pairing pairing = pair_up(reference, quantized);
  ModuleRunner floats(pairing.reference), integers(quantized, options.engine);
  SplitSums splits(pairing, quantized);
  std::vector<Variant> variants;
  for (size_t i = 0; i < quantized.modules.size(); ++i) {
    const Module& module = quantized.modules[i];
    if (pairing.counterpart[i] >= 0 && has_codes(module) && !quantized.keeps_qparams(module) && module.tied_to.empty())
      variants.push_back(keep_float(quantized, static_cast<int>(i), pairing));
  }
  check(!variants.empty(), "diagnose: the quantized model has no module with codes of its own; convert it first");

  Diagnosis result;
  result.pairs = pair_imbalances(pairing.reference);
  OutputSums network;
  std::vector<double> estimate;
  for (int64_t b = 0; b < batches.count() && !result.stopped; ++b) {
    const auto proceed = [&](int64_t done) { return !options.progress || options.progress(done, batches.count()); };
    const std::vector<Tensor> x = batches.batch(b, quantized, "diagnose");
    const Tensor* labels = options.labels.empty() ? nullptr : &options.labels[b];
    // Sums of a batch count when it is whole.
    const SplitSums::Layers before = splits.layers();
    BatchRun base;
    ModuleWalk test(integers, x), truth(floats, x);
    while (!test.done()) {
      const int index = test.position();
      base.out.push_back(test.next());
      base.in.emplace_back(test.inputs().begin(), test.inputs().end());
      const int twin = pairing.counterpart[index];
      if (twin < 0) continue;
      splits.add(index, base.in.back(), truth.next_to(twin)[0], base.out.back()[0], floats);
    }
    const Tensor expected = dequantize(truth.output()), got = dequantize(test.output());
    if (b == 0) {
      FirstOrder first = first_order_drops(pairing, quantized, x, options.estimate_rows);
      estimate = std::move(first.drops), result.estimated_samples = first.rows;
    }
    std::vector<std::pair<double, int64_t>> measured;  // noise and right answers by variant
    for (Variant& v : variants) {
      if (!options.measure) break;
      if (!proceed(b)) {
        result.stopped = true;
        break;
      }
      const Tensor y = run_variant(v, integers, base);
      measured.emplace_back(squared_difference(expected, y), labels ? count_correct(y, *labels) : 0);
    }
    if (result.stopped) {
      splits.restore(before);
      break;
    }
    network.add(expected, got, labels);
    for (size_t i = 0; i < measured.size(); ++i) variants[i].noise += measured[i].first, variants[i].right += measured[i].second;
    result.stopped = !proceed(b + 1) && b + 1 < batches.count();
  }
  result.output = network.figures();
  if (result.output.samples == 0) return result;
  const double noise = network.noise();
  const auto n = static_cast<double>(result.output.samples);
  const bool islands =
      options.float_layers && quantized.rounding != Rounding::fixed_double && quantized.rounding != Rounding::fixed_single;
  std::vector<double> measured, estimated;
  for (const Variant& v : variants) {
    const Module& module = quantized.modules[v.index];
    LayerDiagnosis d{v.index, module.path, std::string(name_of(module.op))};
    d.estimated = estimate[v.index];
    if (options.measure) {
      d.share = noise == 0 ? 0 : 1 - v.noise / noise;
      d.gain_db = noise == 0 ? 0 : v.noise == 0 ? INFINITY : 10 * std::log10(noise / v.noise);
      if (!options.labels.empty()) d.accuracy = static_cast<double>(v.right) / n;
    }
    Symptoms s = splits.symptoms(v.index);
    s.share = options.measure ? d.share : d.estimated, s.network_sqnr_db = result.output.sqnr_db;
    s.device = !islands;
    if (islands) s.island = island(quantized, pairing, v.index);
    for (const PairImbalance& p : result.pairs) s.equalizable |= p.first == d.path || p.second == d.path;
    d.split = s.split;
    name_cause(d, s);
    measured.push_back(d.share), estimated.push_back(d.estimated);
    result.layers.push_back(std::move(d));
  }
  result.rank_correlation = options.measure ? spearman(measured, estimated) : NAN;
  std::ranges::stable_sort(result.layers, [&](const LayerDiagnosis& a, const LayerDiagnosis& b) {
    return options.measure ? a.share > b.share : a.estimated > b.estimated;
  });
  return result;
} catch (const std::bad_alloc&) {
  fail("diagnose: out of memory");
}

std::string to_table(const Diagnosis& diagnosis, size_t most) {
  const FloatScope environment;
  Text text;
  if (diagnosis.layers.empty()) return "stopped before a batch was diagnosed: no causes\n";
  text << std::fixed << std::setprecision(2) << "causes from: " << to_string(diagnosis.output)
       << (diagnosis.stopped ? ", stopped early" : "")
       << "\nworst first: layer, gain of the output's SQNR with it alone in float, cause\n";
  for (size_t i = 0; i < diagnosis.layers.size() && i < most; ++i) {
    const LayerDiagnosis& d = diagnosis.layers[i];
    text << std::setw(3) << i + 1 << "  " << d.path << "  " << std::showpos << d.gain_db << std::noshowpos << " dB  "
         << to_string(d.cause) << ": " << d.words << '\n';
    if (!d.mend.empty()) text << "       mend: " << d.mend << '\n';
  }
  for (const PairImbalance& p : diagnosis.pairs)
    if (p.unbalanced)
      text << "unbalanced pair: " << p.first << ", " << p.second << ": channels are scaled apart by " << p.decades
           << " decades, ranges span " << p.worst_span << "x; equalize\n";
  return text.str();
}

}  // namespace octet
