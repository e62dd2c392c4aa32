// SPDX-License-Identifier: Apache-2.0
// Means and variances carried through the network, and what is made of them.
#include "quant/data_free.h"
#include "engine/module_check.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/float_scope.h"
#include "quant/mean_error.h"
#include "quant/observers/range.h"
#include "quant/pairing.h"

namespace octet {
namespace {

/// Mean and variance of clamp(x, lo, hi) for x normal; a deviation of 0 is a constant.
std::pair<double, double> clipped_normal(double mean, double deviation, Activation limit) {
  const double lo = static_cast<double>(limit.lo), hi = static_cast<double>(limit.hi);
  if (deviation <= 0) return {std::clamp(mean, lo, hi), 0};
  const auto density = [](double z) { return std::isinf(z) ? 0 : std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi); };
  const auto below = [](double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; };
  const double a = (lo - mean) / deviation, b = (hi - mean) / deviation;
  const double inside = below(b) - below(a), fa = density(a), fb = density(b);
  const auto at = [](double value, double weight) { return weight == 0 ? 0 : value * weight; };  // 0 * inf
  const double first = mean * inside + deviation * (fa - fb) + at(lo, below(a)) + at(hi, 1 - below(b));
  const double second = (mean * mean + deviation * deviation) * inside + deviation * (at(lo + mean, fa) - at(hi + mean, fb)) +
                        at(lo * lo, below(a)) + at(hi * hi, 1 - below(b));
  return {first, std::max(0.0, second - first * first)};
}

/// Before the activation: normal by channel.
Expected activated(std::vector<double> mean, std::vector<double> variance, Activation limit, double sigmas) {
  Expected e;
  e.min = INFINITY, e.max = -INFINITY, e.has_range = true;
  for (size_t c = 0; c < mean.size(); ++c) {
    const double deviation = std::sqrt(variance[c]);
    e.min = std::min(e.min, mean[c] - sigmas * deviation), e.max = std::max(e.max, mean[c] + sigmas * deviation);
    std::tie(mean[c], variance[c]) = clipped_normal(mean[c], deviation, limit);
  }
  e.min = std::clamp(e.min, static_cast<double>(limit.lo), static_cast<double>(limit.hi));
  e.max = std::clamp(e.max, static_cast<double>(limit.lo), static_cast<double>(limit.hi));
  e.mean = std::move(mean), e.variance = std::move(variance);
  return e;
}

/// Mean input by tap of a layer whose input channels have these means everywhere but in the padding.
std::vector<double> mean_patch(const Module& layer, const Shape& input, const std::vector<double>& mean) {
  Shape one = input;
  one[0] = 1;
  Tensor x(one, DType::f32);
  const auto values = x.mutable_data<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(mean[i % mean.size()]);
  PatchSum patches;
  patches.add(layer.op, x, layer.path);
  return patches.mean();
}

Expected unknown(std::string why) {
  Expected e;
  e.why = std::move(why);
  return e;
}

Expected layer_output(const Model& model, const Module& layer, std::span<const Expected> before, const StatisticsByPath& statistics,
                      double sigmas) {
  std::vector<double> mean, variance;
  if (const auto known = statistics.find(layer.path); known != statistics.end()) {
    mean = known->second.mean;
    for (const double d : known->second.deviation) variance.push_back(d * d);
  } else {
    const Expected& x = before[layer.inputs[0].module];
    if (x.mean.empty()) return unknown("no batch norm follows it, and of its input " + x.why);
    const Module& source = model.modules[layer.inputs[0].module];
    const Params& params = model.owner(layer).params;
    const Tensor& weight = needed_weight(params, layer.path);
    Tensor squares = weight;
    for (float& w : squares.mutable_data<float>()) w *= w;
    const Shape& shape = source.nominal[layer.inputs[0].port];
    mean = mean_output(layer.op, weight, bias_of(params), mean_patch(layer, shape, x.mean));
    variance = mean_output(layer.op, squares, nullptr, mean_patch(layer, shape, x.variance));
  }
  if (layer.inputs.size() > 1) {
    const Expected& r = before[layer.inputs[1].module];
    if (r.mean.size() != mean.size()) return unknown("of its residual " + r.why);
    for (size_t c = 0; c < mean.size(); ++c) mean[c] += r.mean[c], variance[c] += r.variance[c];
  }
  return activated(std::move(mean), std::move(variance), activation_of(layer.op), sigmas);
}

Expected expected_output(const Model& model, int index, std::span<const Expected> before, const StatisticsByPath& statistics,
                         const InputPrior& prior, double sigmas) {
  const Module& module = model.modules[index];
  const auto channels = static_cast<size_t>(module.nominal[0].empty() ? 1 : module.nominal[0].back());
  if (std::holds_alternative<Input>(module.op)) {
    Expected e = unknown("the input's mean and deviation are not given");
    if (prior.mean && prior.deviation) {
      e.mean.assign(channels, *prior.mean);
      e.variance.assign(channels, *prior.deviation * *prior.deviation);
    }
    e.min = static_cast<double>(prior.min), e.max = static_cast<double>(prior.max), e.has_range = true;
    return e;
  }
  if (module.inputs.empty()) {  // the model's own: it is what it is
    const Tensor value = dequantize(infer_module(model, index, {})[0]);
    Expected e = unknown("the mean of " + module.path + " differs from place to place");
    e.min = INFINITY, e.max = -INFINITY;
    for (const float v : value.data<float>())
      e.min = std::min(e.min, static_cast<double>(v)), e.max = std::max(e.max, static_cast<double>(v));
    e.has_range = value.numel() > 0;
    return e;
  }
  if (traits_of(module.op).product) return layer_output(model, module, before, statistics, sigmas);
  const Expected& x = before[module.inputs[0].module];
  const Traits traits = traits_of(module.op);
  if (traits.part == Part::clamp) return x.mean.empty() ? x : activated(x.mean, x.variance, activation_of(module.op), sigmas);
  if (traits.part == Part::sum) {
    const Expected& y = before[module.inputs[1].module];
    if (x.mean.empty() || y.mean.size() != x.mean.size()) return unknown(x.mean.empty() ? x.why : y.why);
    std::vector<double> mean = x.mean, variance = x.variance;
    for (size_t c = 0; c < mean.size(); ++c) mean[c] += y.mean[c], variance[c] += y.variance[c];
    return activated(std::move(mean), std::move(variance), activation_of(module.op), sigmas);
  }
  if (traits.keeps_mean && (x.mean.empty() || channels % x.mean.size() == 0)) {
    Expected e = x;  // with more channels, as behind a flattened picture, theirs again and again
    for (size_t c = x.mean.size(); c < channels && !x.mean.empty(); ++c)
      e.mean.push_back(x.mean[c % x.mean.size()]), e.variance.push_back(x.variance[c % x.mean.size()]);
    return e;
  }
  Expected e = unknown("the mean behind " + module.path + " (" + std::string(name_of(module.op)) + ") is not known");
  e.min = INFINITY, e.max = -INFINITY, e.has_range = traits.selects || may_keep_qparams(module.op);
  for (const Wire& w : module.inputs) {
    e.min = std::min(e.min, before[w.module].min), e.max = std::max(e.max, before[w.module].max);
    e.has_range &= before[w.module].has_range;
  }
  return e;
}

/// Shows every output observer the range that is expected.
void observe_expected(Model& prepared, std::span<const Expected> expected) {
  for (size_t i = 0; i < prepared.modules.size(); ++i) {
    Module& module = prepared.modules[i];
    const auto found = module.hooks.find("output");
    if (found == module.hooks.end()) continue;
    FakeQuantize* hook = fake_quantize_at(found->second);
    check(hook, module.path, ": its output hook is no FakeQuantize");
    if (traits_of(module.op).codes == Codes::fixed) continue;  // nothing to be seen
    const Expected& e = expected[i];
    check(e.has_range, module.path, ": the range of its output is not known without data: ", e.why,
          "; calibrate with data instead");
    hook->observer().observe(Tensor::of<float>({2}, std::vector<float>{static_cast<float>(e.min), static_cast<float>(e.max)}),
                             module.path);
  }
}

QConfig per_tensor_qconfig() {
  QConfig q;
  q.activation.emplace(std::make_unique<MinMaxObserver>(ObserverSpec{.dtype = DType::u8}), true, false);
  q.weight.emplace(std::make_unique<MinMaxObserver>(ObserverSpec{.dtype = DType::i8, .scheme = QScheme::per_tensor_symmetric}),
                   true, false);
  return q;
}

}  // namespace

std::vector<Expected> expected_outputs(const Model& model, const StatisticsByPath& statistics, const InputPrior& prior,
                                       double sigmas) {
  const FloatScope environment;
  check_model(model);
  check(sigmas > 0 && std::isfinite(sigmas), "expected_outputs: sigmas must be positive, got ", sigmas);
  check(prior.min < prior.max, "expected_outputs: the input's range ", prior.min, "..", prior.max, " is empty");
  for (const auto& [path, s] : statistics) {
    const auto found = model.find(path);
    check(found && model.modules[*found].nominal[0].back() == static_cast<int64_t>(s.mean.size()) &&
              s.mean.size() == s.deviation.size(),
          "expected_outputs: statistics of ", s.mean.size(), " channels for ", path, ", which the model does not have");
  }
  std::vector<Expected> expected;
  for (size_t i = 0; i < model.modules.size(); ++i)
    expected.push_back(expected_output(model, static_cast<int>(i), expected, statistics, prior, sigmas));
  return expected;
}

Model correct_bias_analytic(const Model& reference, const Model& quantized, const StatisticsByPath& statistics,
                            const InputPrior& prior, std::vector<std::string>* notes) try {
  const FloatScope environment;
  const Pairing pairing = pair_up(reference, quantized);
  const Model& real = pairing.reference;
  const std::vector<Expected> expected = expected_outputs(real, statistics, prior);
  Model corrected = quantized;
  for (size_t i = 0; i < quantized.modules.size(); ++i) {
    const Module& module = quantized.modules[i];
    if (pairing.counterpart[i] < 0 || !is_weighted(module.op) || !module.tied_to.empty()) continue;
    const Tensor* weight = weight_of(module.params);
    if (!weight || weight->dtype() != DType::i8) continue;
    if (!traits_of(module.op).product) {
      if (notes)
        notes->push_back(module.path + ": bias not corrected, the mean output of a " + std::string(name_of(module.op)) +
                         " is not known");
      continue;
    }
    check_origin(pairing, quantized, static_cast<int>(i));
    // Calls that share the layer share its bias: the mean of what each of them expects.
    const std::vector<int> calls = calls_of(quantized, static_cast<int>(i));
    std::vector<double> error(static_cast<size_t>(weight->size(0)));
    std::string why;
    for (const int call : calls) {
      const Module& layer = real.modules[static_cast<size_t>(pairing.counterpart[static_cast<size_t>(call)])];
      const Params& params = real.owner(layer).params;
      const Wire wire = layer.inputs[0];
      const Expected& x = expected[static_cast<size_t>(wire.module)];
      if (x.mean.empty()) {
        why = (calls.size() > 1 ? "of the input of " + layer.path + ": " : "") + x.why;
        break;
      }
      const Shape& shape = real.modules[static_cast<size_t>(wire.module)].nominal[static_cast<size_t>(wire.port)];
      const std::vector<double> one = mean_error(layer.op, needed_weight(params, layer.path), bias_of(params), *weight,
                                                 bias_of(module.params), mean_patch(layer, shape, x.mean));
      for (size_t c = 0; c < error.size(); ++c) error[c] += one[c] / static_cast<double>(calls.size());
    }
    if (!why.empty()) {
      if (notes) notes->push_back(module.path + ": bias not corrected, " + why);
      continue;
    }
    subtract_from_bias(bias_of_layer(corrected, static_cast<int>(i)), error, module.path);
  }
  return corrected;
} catch (const std::bad_alloc&) {
  fail("correct_bias_analytic: out of memory");
}

DataFree data_free(const Model& model, const DataFreeOptions& options) try {
  const FloatScope environment;
  DataFree result;
  result.statistics = batch_norm_statistics(model);
  check(!result.statistics.empty(), "data_free: the model has no batch norm that follows a layer; calibrate with data instead");
  // 16-bit codes have no convolution with a residual.
  const bool wide = options.qconfig && options.qconfig->activation && code_bits(*options.qconfig->activation) == 16;
  result.reference = fuse(model, Aim::inference, {.residual = !wide});
  if (options.equalize) {
    int sweeps = 0;
    result.reference = equalize(result.reference, {.relu6 = options.relu6, .statistics = &result.statistics, .sweeps = &sweeps});
    result.notes.push_back("equalized in " + std::to_string(sweeps) + " sweeps");
  }
  if (options.absorb) {
    int moved = 0;
    result.reference = absorb_bias(result.reference, result.statistics, 3, &moved);
    result.notes.push_back("absorbed the high bias of " + std::to_string(moved) + " channels");
  }
  Model prepared = prepare(result.reference, {{"", options.qconfig ? *options.qconfig : per_tensor_qconfig()}});
  observe_expected(prepared, expected_outputs(prepared, result.statistics, options.input, options.sigmas));
  result.quantized = convert(prepared);
  if (options.correct)
    result.quantized = correct_bias_analytic(result.reference, result.quantized, result.statistics, options.input, &result.notes);
  return result;
} catch (const std::bad_alloc&) {
  fail("data_free: out of memory");
}

}  // namespace octet
