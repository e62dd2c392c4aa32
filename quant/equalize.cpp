// SPDX-License-Identifier: Apache-2.0
// Finding pairs, scaling them, and moving biases between them.
#include "quant/equalize.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/graph.h"
#include "engine/module_check.h"
#include "engine/ops/fusion.h"
#include "kernels/float_scope.h"
#include "quant/mean_error.h"
#include "quant/pairing.h"
#include "quant/quantize.h"

namespace octet {
namespace {

/// Null: not one of the layers that can be scaled.
std::optional<Product> scalable(const Module& module) {
  return module.hooks.empty() ? traits_of(module.op).product : std::optional<Product>{};
}
int64_t out_channels(const Module& module) { return traits_of(module.op).product->out; }
int64_t groups_of(const Module& module) { return traits_of(module.op).product->groups; }

/// Other limits than 6 are the network's own.
bool becomes_relu(const Op& op, Relu6 relu6) { return relu6 == Relu6::relu && activation_of(op) == Activation::relu6; }

/// Whether values keep their channel (the last axis, or its remainder after flattening) and scale with it. Average pools that count
/// no padding and max pools both do.
bool passes_on(const Module& module, int64_t channels, Relu6 relu6) {
  switch (traits_of(module.op).channels) {
    case Channels::scales: return true;
    case Channels::clips: return becomes_relu(module.op, relu6);
    case Channels::regroups: return !module.nominal[0].empty() && module.nominal[0].back() % channels == 0;
    case Channels::mixes: return false;
  }
  return false;
}

/// What lies between two consecutive layers, and where it leads; `why` says what is in the way.
struct Link {
  int second = -1;
  std::vector<int> between;
  std::string why;
};

Link follow(const Model& model, int first, Relu6 relu6) {
  const Graph graph(model);
  const Module& begin = model.modules[first];
  Link link;
  const std::optional<Product> from = scalable(begin);
  if (!from) return link.why = "it is no convolution or linear layer", link;
  if (from->residual) return link.why = "a residual is added to its output", link;
  if (is_tied(model, begin)) return link.why = "it is called twice", link;
  if (const Channels c = channels_of(activation_of(begin.op)); c != Channels::scales && !becomes_relu(begin.op, relu6))
    return link.why = activation_of(begin.op) == Activation::relu6 ? "relu6 does not scale" : "its activation does not scale", link;
  for (int at = first;;) {
    const std::vector<int>& readers = graph.readers(at);
    if (readers.size() != 1) return link.why = model.modules[at].path + " has " + std::to_string(readers.size()) + " readers", link;
    at = readers[0];
    if (at == graph.end()) return link.why = "the network ends there", link;
    const Module& next = model.modules[at];
    if (const std::optional<Product> to = scalable(next)) {
      const bool fits = to->in == from->out || (to->flat && to->in % from->out == 0);
      if (!fits) return link.why = next.path + " has another number of channels", link;
      if (is_tied(model, next)) return link.why = next.path + " is called twice", link;
      const auto reads_first =
          std::ranges::find(link.between, next.inputs[0].module) != link.between.end() || next.inputs[0].module == first;
      if (!reads_first) return link.why = next.path + " only adds it", link;
      link.second = at;
      return link;
    }
    if (!passes_on(next, from->out, relu6))
      return link.why = next.path + " (" + std::string(name_of(next.op)) + ") mixes or cuts channels", link;
    link.between.push_back(at);
  }
}

Tensor& float_weight(Module& module) {
  Tensor* weight = weight_of(module.params);
  check(weight && weight->dtype() == DType::f32, module.path,
        ": equalization needs float32 weights; initialize or load the model, before prepare");
  return *weight;
}

/// Calls act(element index, input channel) for every weight; of a linear layer behind a flattened picture, channels repeat.
template <class Act>
void each_input(int64_t groups, int64_t channels, const Tensor& w, Act&& act) {
  const int64_t per_group = w.shape().back(), out = w.size(0), row = w.numel() / out;
  for (int64_t o = 0; o < out; ++o)
    for (int64_t i = 0; i < row; ++i) act(o * row + i, (o / (out / groups) * per_group + i % per_group) % channels);
}

std::vector<double> input_ranges(int64_t groups, int64_t channels, const Tensor& w) {
  std::vector<float> lo(static_cast<size_t>(channels), INFINITY), hi(static_cast<size_t>(channels), -INFINITY);
  const auto values = w.data<float>();
  each_input(groups, channels, w,
             [&](int64_t i, int64_t c) { lo[c] = std::min(lo[c], values[i]), hi[c] = std::max(hi[c], values[i]); });
  std::vector<double> range;
  for (size_t c = 0; c < lo.size(); ++c) range.push_back(static_cast<double>(hi[c]) - static_cast<double>(lo[c]));
  return range;
}

std::pair<int, int> linked(const Model& model, std::string_view first, std::string_view second) {
  const int a = model.index(first), b = model.index(second);
  const Link link = follow(model, a, Relu6::leave);
  check(link.second == b, "equalize: ", second, " does not directly follow ", first, " in a way that scaling keeps",
        link.why.empty() ? "" : ": ", link.why);
  return {a, b};
}

double norm_of_difference(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "converged: weights of shapes ", to_string(a.shape()), " and ", to_string(b.shape()));
  double sum = 0;
  for (size_t i = 0; i < a.data<float>().size(); ++i) {
    const double d = static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i]);
    sum += d * d;
  }
  return std::sqrt(sum);
}

}  // namespace

StatisticsByPath batch_norm_statistics(const Model& model) {
  const FloatScope environment;
  check_model(model);
  StatisticsByPath statistics;
  std::set<std::pair<std::string, std::string>> folds;  // a layer and the norm that becomes part of it
  for (const std::vector<std::string>& paths : fusable(model))
    for (size_t i = 0; i + 1 < paths.size(); ++i) folds.emplace(paths[i], paths[i + 1]);
  for (const Module& module : model.modules) {
    if (traits_of(module.op).part != Part::norm) continue;
    const Module& layer = model.modules[module.inputs[0].module];
    const Params& params = model.owner(module).params;
    const auto value = [&](std::string_view name) { return needed(params, name, module.path).data<float>(); };
    const auto widened = [](std::span<const float> values, const auto& f) {
      std::vector<double> wide;
      for (const float v : values) wide.push_back(f(static_cast<double>(v)));
      return wide;
    };
    const auto itself = [](double v) { return v; };
    // What comes out of the norm; of a layer that does not take it in, what it has seen go in.
    const ChannelStatistics out{widened(value("bias"), itself), widened(value("weight"), [](double v) { return std::abs(v); })};
    const bool folded = folds.contains({layer.path, module.path});
    statistics[folded ? layer.path : module.path] = out;
    // A norm that is called for several has seen all of them; what it sees of a sum is not the layer's own part of it.
    const std::optional<Product> product = traits_of(layer.op).product;
    const bool alone = !is_tied(model, module) && product && !product->residual;
    if (!folded && alone && activation_of(layer.op) == Activation::none)
      statistics.try_emplace(layer.path, ChannelStatistics{widened(value("running_mean"), itself),
                                                           widened(value("running_var"), [](double v) { return std::sqrt(v); })});
  }
  return statistics;
}

std::vector<double> channel_ranges(const Tensor& weight, int axis, int64_t groups) {
  const FloatScope environment;
  check(axis == 0 || axis == 1, "channel_ranges: axis 0 (output) or 1 (input channels), got ", axis);
  check(weight.rank() >= 2 && weight.numel() > 0, "channel_ranges: a weight of shape ", to_string(weight.shape()));
  check(groups > 0 && weight.size(0) % groups == 0, "channel_ranges: ", weight.size(0), " channels in ", groups, " groups");
  if (axis == 1) return input_ranges(groups, weight.shape().back() * groups, weight);
  std::vector<double> range;
  const int64_t row = weight.numel() / weight.size(0);
  for (int64_t o = 0; o < weight.size(0); ++o) {
    const auto [lo, hi] = std::ranges::minmax(weight.data<float>().subspan(o * row, row));
    range.push_back(static_cast<double>(hi) - static_cast<double>(lo));
  }
  return range;
}

PairRanges pair_ranges(const Model& model, std::string_view first, std::string_view second) {
  const FloatScope environment;
  check_model(model);
  const auto [a, b] = linked(model, first, second);
  const Module &one = model.modules[a], &two = model.modules[b];
  return {channel_ranges(needed_weight(one.params, one.path), 0),
          input_ranges(groups_of(two), out_channels(one), needed_weight(two.params, two.path))};
}

Chains equalizable(const Model& model, Relu6 relu6) {
  check_wiring(model);
  Chains chains;
  std::vector<bool> inside(model.modules.size());
  for (int i = 0; i < static_cast<int>(model.modules.size()); ++i) {
    if (inside[i] || !scalable(model.modules[i])) continue;
    std::vector<std::string> chain{model.modules[i].path};
    for (int at = i; (at = follow(model, at, relu6).second) >= 0;) {
      chain.push_back(model.modules[at].path);
      inside[at] = true;
    }
    if (chain.size() > 1) chains.push_back(std::move(chain));
  }
  return chains;
}

namespace {

/// s = sqrt(r1 / r2) by channel; 1 where a side has no range, and for a channel that is little but its bias: what the weights add
/// is small, and scaled up by their range the bias would take the range that all channels share.
std::vector<double> factors(const Model& model, int first, int second, const ChannelStatistics* statistics) {
  constexpr double kConstant = 10;
  const Module &one = model.modules[static_cast<size_t>(first)], &two = model.modules[static_cast<size_t>(second)];
  const std::vector<double> r1 = channel_ranges(needed_weight(one.params, one.path), 0),
                            r2 = input_ranges(groups_of(two), out_channels(one), needed_weight(two.params, two.path));
  const Tensor* bias = bias_of(one.params);
  std::vector<double> s(r1.size(), 1.0);
  for (size_t c = 0; c < s.size(); ++c) {
    const bool constant = statistics ? std::abs(statistics->mean[c]) > kConstant * statistics->deviation[c]
                                     : bias && std::abs(static_cast<double>(bias->data<float>()[c])) > kConstant * r1[c];
    if (r1[c] > 0 && r2[c] > 0 && !constant) s[c] = std::sqrt(r1[c] / (r2[c] + 1e-9));
    if (!std::isfinite(s[c]) || s[c] < 1e-12) s[c] = 1;
  }
  return s;
}

/// The value below which this share of them lies.
double quantile(std::vector<double> values, double share) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size()));
  std::ranges::nth_element(values, at);
  return *at;
}

/// Whether a pair needed it: `total` is by what its channels were scaled until their ranges were equal. Only channels count whose
/// range then is of the usual size: the others are nearly dead, and there was nothing to gain.
bool was_unbalanced(const Model& equal, std::string_view first, std::string_view second, const std::vector<double>& total) {
  constexpr double kCounts = 0.25, kUnbalanced = 4;
  const PairRanges r = pair_ranges(equal, first, second);
  std::vector<double> products, scaled;
  for (size_t c = 0; c < total.size(); ++c)
    if (r.first[c] > 0 && r.second[c] > 0) products.push_back(r.first[c] * r.second[c]);
  if (products.empty()) return false;
  const double usual = quantile(products, 0.9);  // most channels may be dead
  for (size_t c = 0; c < total.size(); ++c)
    if (r.first[c] * r.second[c] >= kCounts * usual) scaled.push_back(total[c]);
  const double typical = quantile(scaled, 0.5);
  return std::ranges::any_of(scaled, [&](double s) { return s > kUnbalanced * typical || s * kUnbalanced < typical; });
}

void scale(Module& one, Module& two, const std::vector<double>& s) {
  Tensor &w1 = float_weight(one), &w2 = float_weight(two);
  std::vector<float> multiply, divide;
  for (const double v : s) multiply.push_back(static_cast<float>(v)), divide.push_back(static_cast<float>(1 / v));
  const auto rows = w1.mutable_data<float>();
  const size_t row = rows.size() / s.size();
  for (size_t i = 0; i < rows.size(); ++i) rows[i] *= divide[i / row];
  if (Tensor* bias = bias_of(one.params))
    for (size_t c = 0; c < s.size(); ++c) bias->mutable_data<float>()[c] *= divide[c];
  const auto columns = w2.mutable_data<float>();
  each_input(groups_of(two), out_channels(one), w2, [&](int64_t i, int64_t c) { columns[i] *= multiply[c]; });
}

}  // namespace

std::vector<double> cross_layer_equalization(Model& model, std::string_view first, std::string_view second) {
  const FloatScope environment;
  check_model(model);
  const auto [a, b] = linked(model, first, second);
  Module &one = model.modules[a], &two = model.modules[b];
  float_weight(one), float_weight(two);
  std::vector<double> s = factors(model, a, b, nullptr);
  scale(one, two, s);
  return s;
}

bool converged(const Model& current, const Model& previous, std::span<const std::string> layers, double threshold) {
  const FloatScope environment;
  double sum = 0;
  for (const std::string& path : layers)
    sum += norm_of_difference(needed_weight(current[path].params, path), needed_weight(previous[path].params, path));
  return sum < threshold;
}

Model equalize(const Model& model, const EqualizeOptions& options) try {
  const FloatScope environment;
  check_model(model);
  check(options.threshold > 0 && options.max_sweeps > 0, "equalize: threshold and max_sweeps must be positive");
  Model equal = model;
  for (Module& module : equal.modules)
    if (becomes_relu(module.op, options.relu6)) set_activation(module.op, Activation::relu);
  const Model unscaled = equal;
  const StatisticsByPath before = options.statistics ? *options.statistics : StatisticsByPath{};
  const Chains chains = options.chains.empty() ? equalizable(equal) : options.chains;
  std::vector<std::pair<std::string, std::string>> pairs;
  std::vector<std::string> layers;
  for (const auto& chain : chains) {
    check(chain.size() > 1, "equalize: a chain needs two layers or more, got ", chain.size());
    for (size_t i = 0; i + 1 < chain.size(); ++i) pairs.emplace_back(chain[i], chain[i + 1]);
    for (const std::string& path : chain)
      if (!std::ranges::count(layers, path)) layers.push_back(path);
  }
  std::map<std::string, std::vector<double>, std::less<>> total;  // by first layer
  int sweep = 0;
  for (bool done = pairs.empty(); !done && sweep < options.max_sweeps; ++sweep) {
    const Model previous = equal;
    for (const auto& [first, second] : pairs) {
      ChannelStatistics* known = nullptr;
      if (options.statistics)
        if (const auto found = options.statistics->find(first); found != options.statistics->end()) known = &found->second;
      const auto [one, two] = linked(equal, first, second);
      float_weight(equal.modules[one]), float_weight(equal.modules[two]);
      const std::vector<double> s = factors(equal, one, two, known);
      scale(equal.modules[one], equal.modules[two], s);
      std::vector<double>& product = total.try_emplace(first, s.size(), 1.0).first->second;
      for (size_t c = 0; c < s.size(); ++c) {
        product[c] *= s[c];
        if (known) known->mean[c] /= s[c], known->deviation[c] /= s[c];
      }
    }
    done = converged(equal, previous, layers, options.threshold);
  }
  if (options.sweeps) *options.sweeps = sweep;
  if (!options.chains.empty()) return equal;
  // A healthy chain found by itself stays as it was: equal ranges would cost it more than they give.
  for (const auto& chain : chains) {
    bool needed = false;
    for (size_t i = 0; i + 1 < chain.size(); ++i) needed |= was_unbalanced(equal, chain[i], chain[i + 1], total.at(chain[i]));
    for (const std::string& path : chain) {
      if (needed) continue;
      equal[path].params = unscaled[path].params;
      if (const auto found = before.find(path); found != before.end()) options.statistics->at(path) = found->second;
    }
  }
  return equal;
} catch (const std::bad_alloc&) {
  fail("equalize: out of memory");
}

Model absorb_bias(const Model& model, StatisticsByPath& statistics, double sigmas, int* moved) try {
  const FloatScope environment;
  check_model(model);
  check(sigmas >= 0, "absorb_bias: sigmas must not be negative, got ", sigmas);
  Model absorbed = model;
  int count = 0;
  for (const auto& chain : equalizable(model))
    for (size_t k = 0; k + 1 < chain.size(); ++k) {
      Module &one = absorbed[chain[k]], &two = absorbed[chain[k + 1]];
      const auto found = statistics.find(chain[k]);
      const Link link = follow(absorbed, absorbed.index(chain[k]), Relu6::leave);
      // Shifted values must meet a relu, no padding, and nothing between that is not shift-equivariant.
      bool relu = activation_of(one.op) == Activation::relu, plain = true;
      for (const int i : link.between) {
        relu |= activation_of(absorbed.modules[i].op) == Activation::relu;
        plain &= !traits_of(absorbed.modules[i].op).pads;
      }
      if (found == statistics.end() || !relu || !plain || traits_of(two.op).pads || !bias_of(one.params)) continue;
      ChannelStatistics& s = found->second;
      std::vector<float> shift(s.mean.size());
      for (size_t c = 0; c < shift.size(); ++c) {
        const double high = s.mean[c] - sigmas * s.deviation[c];
        if (high <= 0) continue;
        shift[c] = static_cast<float>(high);
        bias_of(one.params)->mutable_data<float>()[c] -= shift[c];
        s.mean[c] -= high;
        ++count;
      }
      if (std::ranges::all_of(shift, [](float v) { return v == 0; })) continue;
      auto& bias = bias_of_layer(absorbed, absorbed.index(chain[k + 1]));
      const Tensor& w = needed_weight(two.params, two.path);
      std::vector<double> add(static_cast<size_t>(out_channels(two)));
      const int64_t row = w.numel() / w.size(0);
      each_input(groups_of(two), out_channels(one), w, [&](int64_t i, int64_t c) {
        add[i / row] += static_cast<double>(w.data<float>()[i]) * static_cast<double>(shift[c]);
      });
      const auto values = bias.mutable_data<float>();
      for (size_t o = 0; o < add.size(); ++o) values[o] = static_cast<float>(static_cast<double>(values[o]) + add[o]);
    }
  if (moved) *moved = count;
  return absorbed;
} catch (const std::bad_alloc&) {
  fail("absorb_bias: out of memory");
}

}  // namespace octet
