// SPDX-License-Identifier: Apache-2.0
// All batches move through the network together, one module at a time, so that each layer is corrected once and run once.
#include "quant/correct_bias.h"

#include <algorithm>
#include <cmath>

#include "engine/graph.h"
#include "kernels/float_scope.h"
#include "quant/mean_error.h"
#include "quant/pairing.h"
#include "quant/runner.h"

namespace octet {
namespace {

/// The values of all batches between the modules that have run and those that have not.
class Frontier {
 public:
  Frontier(const Model& model, const Batches& batches)
      : batches_(batches),
        values_(static_cast<size_t>(batches.count()), std::vector<std::vector<Tensor>>(model.modules.size())),
        graph_(model) {}

  std::vector<Tensor> inputs(const Model& model, int index, size_t batch) const {
    const Module& module = model.modules[index];
    if (std::holds_alternative<Input>(module.op)) {
      const auto before = std::span(model.modules).first(static_cast<size_t>(index));
      const auto which = std::ranges::count_if(before, [](const Module& m) { return std::holds_alternative<Input>(m.op); });
      return {batches_.batch(static_cast<int64_t>(batch), model, "correct_bias")[static_cast<size_t>(which)]};
    }
    std::vector<Tensor> in;
    for (const Wire& w : module.inputs) in.push_back(values_[batch][w.module].at(w.port));
    return in;
  }

  /// False if `proceed`, which is asked after every batch, says so; the values are of no use then.
  bool run(ModuleRunner& runner, int index, const std::function<bool()>& proceed) {
    const Module& module = runner.model().modules[index];
    for (size_t b = 0; b < values_.size(); ++b) {
      values_[b][index] = runner.run(index, inputs(runner.model(), index, b));
      if (!proceed()) return false;
      for (const Wire& w : module.inputs)
        if (graph_.last(w) == index) values_[b][w.module][w.port] = Tensor();
    }
    return true;
  }

  PatchSum patches(const Model& model, int index) const {
    PatchSum sum;
    for (size_t b = 0; b < values_.size(); ++b)
      sum.add(model.modules[index].op, inputs(model, index, b)[0], model.modules[index].path);
    return sum;
  }

 private:
  const Batches& batches_;
  std::vector<std::vector<std::vector<Tensor>>> values_;  // by batch, module, port
  Graph graph_;
};

bool correctable(const Model& model, int index) {
  const Module& module = model.modules[index];
  if (!traits_of(module.op).product) return false;
  const Tensor* weight = weight_of(model.owner(module).params);
  return weight && weight->dtype() == DType::i8;
}

std::vector<double> error_of(const Pairing& pairing, const Model& quantized, int index, const PatchSum& patches) {
  const Module &module = quantized.modules[index], &twin = pairing.reference.modules[pairing.counterpart[index]];
  const Params &real = pairing.reference.owner(twin).params, &codes = quantized.owner(module).params;
  return mean_error(module.op, needed_weight(real, twin.path), bias_of(real), needed_weight(codes, module.path), bias_of(codes),
                    patches.mean());
}

/// Every layer that may be corrected has a bias afterwards.
Model with_biases(Model model, const std::vector<bool>& wanted) {
  for (size_t i = 0; i < model.modules.size(); ++i)
    if (wanted[i]) bias_of_layer(model, static_cast<int>(i));
  return model;
}

}  // namespace

double MeanError::worst() const {
  const FloatScope environment;
  double largest = 0;
  for (const double e : error) largest = std::max(largest, std::abs(e));
  return range > 0 ? largest / range : largest;
}

std::vector<MeanError> own_mean_errors(const Model& reference, const Model& quantized, const Batches& batches, QEngine engine) try {
  const FloatScope environment;
  check(!batches.empty(), "own_mean_errors: no data");
  const Pairing pairing = pair_up(reference, quantized);
  ModuleRunner runner(quantized, engine);
  std::vector<PatchSum> sums(quantized.modules.size());
  for (int64_t b = 0; b < batches.count(); ++b)
    for (ModuleWalk walk(runner, batches.batch(b, quantized, "own_mean_errors")); !walk.done();) {
      const int index = walk.position();
      walk.next();
      if (correctable(quantized, index))
        sums[index].add(quantized.modules[index].op, walk.inputs()[0], quantized.modules[index].path);
    }
  std::vector<MeanError> rows;
  for (size_t i = 0; i < sums.size(); ++i) {
    if (sums[i].positions == 0) continue;
    const Module& module = quantized.modules[i];
    MeanError row{module.path, error_of(pairing, quantized, static_cast<int>(i), sums[i]), 0};
    if (!module.out_q.empty() && module.out_q[0]) {
      const QParams& q = *module.out_q[0];
      row.range = static_cast<double>(q.scale[0]) * (q.qmax - q.qmin);
    }
    rows.push_back(std::move(row));
  }
  return rows;
} catch (const std::bad_alloc&) {
  fail("own_mean_errors: out of memory");
}

Model correct_bias(const Model& reference, const Model& quantized, const Batches& batches, const CorrectBiasOptions& options) try {
  const FloatScope environment;
  check(!batches.empty(), "correct_bias: no data");
  check(options.passes > 0, "correct_bias: passes must be positive, got ", options.passes);
  const Pairing pairing = pair_up(reference, quantized);
  const int count = static_cast<int>(quantized.modules.size());
  std::vector<bool> wanted(count);  // where a layer is corrected: at the first of its calls, whichever of them is named
  for (int i = 0; i < count; ++i) {
    const auto named = [&](const std::string& prefix) { return below(quantized.modules[i].path, prefix); };
    if (correctable(quantized, i) && (options.layers.empty() || std::ranges::any_of(options.layers, named)))
      wanted[calls_of(quantized, i).front()] = true;
  }
  for (const std::string& prefix : options.layers)
    check(std::ranges::any_of(quantized.modules, [&](const Module& m) { return below(m.path, prefix); }), "correct_bias: \"",
          prefix, "\" matches no module");
  const int64_t total = std::ranges::count(wanted, true) * options.passes;
  check(total > 0, "correct_bias: no convolution or linear layer with int8 weights to correct");
  for (int i = 0; i < count; ++i)
    if (wanted[i]) check_origin(pairing, quantized, i);

  ModuleRunner runner(with_biases(quantized, wanted), options.engine);
  int64_t done = 0;
  const auto proceed = [&] { return !options.progress || options.progress(done, total); };
  for (int pass = 0; pass < options.passes; ++pass) {
    Frontier frontier(runner.model(), batches);
    for (int i = 0; i < count; ++i) {
      const Model& model = runner.model();
      if (wanted[i]) {
        const std::vector<int> calls = calls_of(model, i);
        PatchSum patches = frontier.patches(model, i);
        if (calls.size() > 1) {
          // What the later calls see, with the bias as it still is.
          Frontier ahead = frontier;
          for (int j = i; j < calls.back(); ++j) {
            if (!ahead.run(runner, j, proceed)) return runner.model();
            if (std::ranges::count(calls, j + 1)) patches.merge(ahead.patches(model, j + 1));
          }
        }
        const std::vector<double> error = error_of(pairing, model, i, patches);
        Tensor bias = *bias_of(model.modules[i].params);
        subtract_from_bias(bias, error, model.modules[i].path);
        runner.set_param(i, "bias", std::move(bias));
      }
      done += wanted[i];
      if (!frontier.run(runner, i, proceed)) return runner.model();
    }
  }
  return runner.model();
} catch (const std::bad_alloc&) {
  fail("correct_bias: out of memory");
}

}  // namespace octet
