// SPDX-License-Identifier: Apache-2.0
// Leave-one-float on top of one run of the quantized model a batch: values before the layer are reused, as are all that do not
// depend on it.
#include "numeric_suite/diagnose.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <numeric>

#include "engine/loss.h"
#include "kernels/float_scope.h"
#include "numeric_suite/cause.h"
#include "numeric_suite/error_split.h"
#include "numeric_suite/first_order.h"
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

bool has_codes(const Module& m) { return !m.out_q.empty() && m.out_q[0]; }

Variant keep_float(const Model& quantized, int index, const Pairing& pairing) {
  Variant v{index, quantized, std::vector<bool>(quantized.modules.size())};
  const Module& owner = quantized.owner(quantized.modules[index]);
  for (size_t j = 0; j < quantized.modules.size(); ++j) {
    Module& module = v.model.modules[j];
    const bool chosen = static_cast<int>(j) == index || (is_weighted(module) && &quantized.owner(quantized.modules[j]) == &owner);
    const auto floats = [&](const Wire& w) {
      return !has_codes(v.model.modules[w.module]) && has_codes(quantized.modules[w.module]);
    };
    const bool reads_float = std::ranges::any_of(module.inputs, floats);
    if (chosen) {
      const Module& twin = pairing.reference.modules[pairing.counterpart[j]];
      module.op = twin.op, module.params = twin.params, module.out_q.clear();
    } else if (reads_float && keeps_qparams(module.op)) {
      module.out_q.clear();
    }
    v.apart[j] = chosen || reads_float;
  }
  return v;
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

double squared_difference(const Tensor& a, const Tensor& b) {
  const auto x = a.data<float>(), y = b.data<float>();
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    sum += d * d;
  }
  return sum;
}

std::vector<double> ranks(const std::vector<double>& v) {
  std::vector<size_t> order(v.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](size_t a, size_t b) { return v[a] < v[b]; });
  std::vector<double> rank(v.size());
  for (size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<double>(i);
  return rank;
}

double covariance(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const double ma = std::accumulate(a.begin(), a.end(), 0.0) / n, mb = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - ma) * (b[i] - mb);
  return sum / n;
}

double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() < 3) return NAN;
  const auto ra = ranks(a), rb = ranks(b);
  return covariance(ra, rb) / std::sqrt(covariance(ra, ra) * covariance(rb, rb));
}

void check_labels(std::span<const Tensor> batches, std::span<const Tensor> labels) {
  if (labels.empty()) return;
  check(labels.size() == batches.size(), "diagnose: ", labels.size(), " label tensors for ", batches.size(), " batches");
  for (size_t b = 0; b < batches.size(); ++b)
    check(labels[b].numel() == batches[b].size(0), "diagnose: batch ", b, " has ", batches[b].size(0), " rows and ",
          labels[b].numel(), " labels");
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

Diagnosis diagnose(const Model& reference, const Model& quantized, std::span<const Tensor> batches,
                   const DiagnoseOptions& options) {
  const FloatScope environment;
  check(!batches.empty(), "diagnose: no data");
  for (size_t b = 0; b < batches.size(); ++b)
    check(batches[b].rank() > 0 && batches[b].numel() > 0, "diagnose: batch ", b, " is empty");
  check_labels(batches, options.labels);
  const Pairing pairing = pair_up(reference, quantized);
  ModuleRunner floats(pairing.reference), integers(quantized, options.engine);
  SplitSums splits(pairing, quantized);
  std::vector<Variant> variants;
  for (size_t i = 0; i < quantized.modules.size(); ++i) {
    const Module& module = quantized.modules[i];
    if (pairing.counterpart[i] >= 0 && has_codes(module) && !keeps_qparams(module.op) && module.tied_to.empty())
      variants.push_back(keep_float(quantized, static_cast<int>(i), pairing));
  }
  check(!variants.empty(), "diagnose: the quantized model has no module with codes of its own; convert it first");

  Diagnosis result;
  double signal = 0, noise = 0;
  int64_t right_float = 0, right_quantized = 0;
  std::vector<double> estimate;
  const auto total = static_cast<int64_t>(batches.size());
  for (size_t b = 0; b < batches.size(); ++b) {
    BatchRun base;
    Walk test(integers, {&batches[b], 1}), truth(floats, {&batches[b], 1});
    while (!test.done()) {
      const int index = test.position();
      base.out.push_back(test.next());
      base.in.emplace_back(test.inputs().begin(), test.inputs().end());
      const int twin = pairing.counterpart[index];
      if (twin < 0) continue;
      while (truth.position() < twin) truth.next();
      splits.add(index, base.in.back(), truth.next()[0], base.out.back()[0], floats);
    }
    while (!truth.done()) truth.next();
    const Tensor expected = dequantize(truth.output()), got = dequantize(test.output());
    signal += squared_difference(expected, Tensor::zeros(expected.shape())), noise += squared_difference(expected, got);
    if (!options.labels.empty())
      right_float += correct(expected, options.labels[b]), right_quantized += correct(got, options.labels[b]);
    if (b == 0) estimate = first_order_drops(pairing, quantized, batches[0], options.estimate_rows);
    for (Variant& v : variants) {
      if (!options.measure) break;
      const Tensor y = run_variant(v, integers, base);
      v.noise += squared_difference(expected, y);
      if (!options.labels.empty()) v.right += correct(y, options.labels[b]);
    }
    result.samples += batches[b].size(0);
    if (options.progress && !options.progress(static_cast<int64_t>(b) + 1, total)) break;
  }
  result.output_sqnr_db = noise == 0 ? INFINITY : signal == 0 ? -INFINITY : 10 * std::log10(signal / noise);
  result.pairs = pair_imbalances(pairing.reference);
  const auto n = static_cast<double>(result.samples);
  if (!options.labels.empty())
    result.float_accuracy = static_cast<double>(right_float) / n,
    result.quantized_accuracy = static_cast<double>(right_quantized) / n;
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
}

std::string to_table(const Diagnosis& diagnosis, size_t most) {
  const FloatScope environment;
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << "output SQNR " << decibels(diagnosis.output_sqnr_db) << " dB over "
       << diagnosis.samples << " samples";
  if (diagnosis.float_accuracy)
    text << ", accuracy " << 100 * *diagnosis.float_accuracy << " % float, " << 100 * *diagnosis.quantized_accuracy
         << " % quantized";
  text << "\nworst first: layer, gain of the output's SQNR with it alone in float, cause\n";
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
