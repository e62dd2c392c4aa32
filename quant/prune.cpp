// SPDX-License-Identifier: Apache-2.0
// Which channels are dead, who would miss them, and the model without them.
#include "quant/prune.h"

#include <algorithm>

#include "engine/graph.h"
#include "engine/module_check.h"
#include "engine/ops/channels.h"
#include "engine/ops/fusion.h"
#include "engine/ops/picked.h"
#include "engine/text.h"
#include "kernels/float_scope.h"
#include "kernels/qmath.h"
#include "kernels/ref/ref16.h"
#include "kernels/with_rounding.h"
#include "quant/pairing.h"

namespace octet {
namespace {

/// By channel.
using Marks = std::vector<bool>;

/// The code that a layer's kernel makes of a sum.
int32_t code_of(const kernels::OutputArgs& output, kernels::CodeType type, Rounding rounding, const Blobs& tables, size_t channel,
                int64_t sum) {
  const auto at = [&](const auto& table) { return channel < table.size() ? table[channel] : 0; };
  if (type == kernels::CodeType::i16)
    return qmath::limit(qmath::multiply_fixed_16(sum + kernels::wide_bias(tables.bias_codes.data(), static_cast<int32_t>(channel)),
                                                 at(tables.multiplier), at(tables.shift)),
                        output);
  const qmath::Scale s{at(tables.scale), at(tables.bias), at(tables.bias_codes), at(tables.multiplier), at(tables.shift)};
  const auto acc = static_cast<int32_t>(sum);  // 32 bits hold it, or the layer would have been refused
  const int32_t low = type == kernels::CodeType::i8 ? -128 : 0;
  int32_t code = 0;
  with_rounding(rounding, [&]<Rounding R>() { code = qmath::requantize<R>(acc, s, output, low); });
  return code;
}

/// A layer whose channels can be told apart.
bool is_plain_layer(const Model& model, int index) {
  const Module& module = model.modules[static_cast<size_t>(index)];
  const std::optional<Product> product = traits_of(module.op).product;
  if (!product || product->residual || is_tied(model, module) || !runs_quantized(model, index)) return false;
  return product->groups == 1 || (product->groups == product->in && product->in == product->out);
}
bool is_depthwise(const Module& module) { return traits_of(module.op).product->groups > 1; }

/// Output channels that give their zero point whatever the input, or (depthwise) whose input is dead.
Marks dead_outputs(const Model& model, int index, const Marks& dead_inputs) {
  const Module& module = model.modules[static_cast<size_t>(index)];
  const Wire& wire = module.inputs[0];
  const Module& from = model.modules[static_cast<size_t>(wire.module)];
  const Shape& shape = from.nominal[static_cast<size_t>(wire.port)];
  const QParams &x = *from.out_q[static_cast<size_t>(wire.port)], &y = *module.out_q[0];
  const Lowered lowered = lower(model, index, {&shape, 1});
  const LoweredCall& call = lowered.calls.back();
  const Tensor& weight = needed_weight(module.params, module.path);
  const QParams& w = *weight.qparams();
  const auto codes = weight.data<int8_t>();
  const auto channels = static_cast<size_t>(weight.size(0)), row = codes.size() / channels;
  Marks dead(channels);
  for (size_t c = 0; c < channels; ++c) {
    const int64_t zero = w.zero_point[w.axis < 0 ? 0 : c], lowest = x.qmin - x.zero_point[0], highest = x.qmax - x.zero_point[0];
    int64_t least = 0, most = 0;
    for (size_t i = c * row; i < (c + 1) * row && !(c < dead_inputs.size() && dead_inputs[c]); ++i) {
      const int64_t factor = codes[i] - zero;
      least += std::min(factor * lowest, factor * highest), most += std::max(factor * lowest, factor * highest);
    }
    std::visit(
        [&](const auto& a) {
          if constexpr (requires { a.input_zero_point, a.output_type, a.output.clamp_min; }) {
            const auto code = [&](int64_t sum) { return code_of(a.output, a.output_type, model.rounding, *call.blobs, c, sum); };
            dead[c] = code(least) == y.zero_point[0] && code(most) == y.zero_point[0];  // a code never decreases with the sum
          }
        },
        call.args);
  }
  return dead;
}

/// Channels that can go, and whose modules lose them.
struct Cut {
  Marks dead;
  std::vector<int> depthwise, readers;
};

class Pruner {
 public:
  explicit Pruner(const Model& model) : model_(model) {}

  Model run(PruneReport& report) {
    for (int i = 0; i < static_cast<int>(model_.modules.size()); ++i) {
      if (!is_plain_layer(model_, i) || is_depthwise(model_.modules[static_cast<size_t>(i)])) continue;
      Cut cut{dead_outputs(model_, i, {}), {}, {}};
      const Graph graph(model_);
      if (!any(cut.dead) || !trace(graph, i, cut) || !any(cut.dead)) continue;
      const auto channels = static_cast<int64_t>(cut.dead.size());
      if (const std::optional<Model> without = removed(i, cut)) {
        const auto count = std::ranges::count(cut.dead, true);
        report.layers.push_back({without->modules[static_cast<size_t>(i)].path, count, channels});
        for (const int d : cut.depthwise) report.layers.push_back({without->modules[static_cast<size_t>(d)].path, count, channels});
        model_ = *without;
      }
    }
    return std::move(model_);
  }

 private:
  static bool any(const Marks& marks) { return std::ranges::find(marks, true) != marks.end(); }

  /// Whether all that reads the module can do without those channels that are left marked.
  bool trace(const Graph& graph, int at, Cut& cut) const {
    for (const int reader : graph.readers(at)) {
      if (reader == graph.end()) return false;
      const Module& module = model_.modules[static_cast<size_t>(reader)];
      if (module.inputs.size() != 1 || !runs_quantized(model_, reader)) return false;
      const Traits traits = traits_of(module.op);
      const auto channels = static_cast<int64_t>(cut.dead.size());
      if (traits.product) {
        if (!is_plain_layer(model_, reader) || traits.product->in % channels != 0) return false;
        if (!is_depthwise(module)) {
          cut.readers.push_back(reader);
          continue;
        }
        if (traits.product->in != channels) return false;
        const Marks dead = dead_outputs(model_, reader, cut.dead);
        for (size_t c = 0; c < dead.size(); ++c) cut.dead[c] = cut.dead[c] && dead[c];
        cut.depthwise.push_back(reader);
      } else if (!may_keep_qparams(module.op) || traits.channels == Channels::mixes || module.nominal[0].empty() ||
                 module.nominal[0].back() % channels != 0) {
        return false;
      }
      if (!any(cut.dead) || !trace(graph, reader, cut)) return false;
    }
    return true;
  }

  /// Nothing if an operator between has the number of channels among its attributes.
  std::optional<Model> removed(int layer, Cut& cut) const {
    if (std::ranges::find(cut.dead, false) == cut.dead.end()) cut.dead[0] = false;  // one stays
    if (!any(cut.dead)) return {};
    std::vector<int64_t> kept;
    for (size_t c = 0; c < cut.dead.size(); ++c)
      if (!cut.dead[c]) kept.push_back(static_cast<int64_t>(c));
    Model m = model_;
    const auto product = [&](int i) { return *traits_of(m.modules[static_cast<size_t>(i)].op).product; };
    keep_channels(m.modules[static_cast<size_t>(layer)], kept, all_of(product(layer).in));
    for (const int d : cut.depthwise) keep_channels(m.modules[static_cast<size_t>(d)], kept, kept);
    for (const int r : cut.readers) {  // behind a flattened picture channels repeat
      std::vector<int64_t> inputs;
      const auto channels = static_cast<int64_t>(cut.dead.size());
      for (int64_t i = 0; i < product(r).in; ++i)
        if (!cut.dead[static_cast<size_t>(i % channels)]) inputs.push_back(i);
      keep_channels(m.modules[static_cast<size_t>(r)], all_of(product(r).out), inputs);
    }
    try {
      std::vector<Shape> inputs;
      for (const Module& module : m.modules)
        if (std::holds_alternative<Input>(module.op)) inputs.push_back(module.nominal[0]);
      const std::vector<std::vector<Shape>> shapes = infer_shapes(m, inputs);
      for (const Wire& w : model_.output_wires())
        if (shapes[static_cast<size_t>(w.module)] != model_.modules[static_cast<size_t>(w.module)].nominal) return {};
      for (size_t i = 0; i < shapes.size(); ++i) m.modules[i].nominal = shapes[i];
    } catch (const Error&) {
      return {};
    }
    return m;
  }

  Model model_;
};

int64_t macs_of(const Model& model) {
  int64_t macs = 0;
  for (const Module& module : model.modules) {
    if (!traits_of(module.op).product) continue;
    const Wire& wire = module.inputs[0];
    const Shape& x = model.modules[static_cast<size_t>(wire.module)].nominal[static_cast<size_t>(wire.port)];
    const ConvGeometry g = product_geometry(module.op, x, module.path);
    macs += g.batch * g.out_h * g.out_w * g.out_c * g.kernel_h * g.kernel_w * (g.in_c / g.groups);
  }
  return macs;
}

}  // namespace

std::string to_string(const PruneReport& report) {
  int64_t removed = 0, channels = 0;
  for (const PrunedLayer& layer : report.layers) removed += layer.removed, channels += layer.channels;
  Text text;
  text << report.layers.size() << (report.layers.size() == 1 ? " layer" : " layers") << " lost " << removed << " of " << channels
       << " channels: " << report.macs_before << " MACs, then " << report.macs_after << "; " << report.bytes_before
       << " bytes, then " << report.bytes_after;
  return text.str();
}

Model prune_exact(const Model& int8, PruneReport* report) try {
  const FloatScope environment;
  check_model(int8);
  check(is_quantized(int8), "prune_exact: the model is not converted");
  PruneReport own;
  own.macs_before = macs_of(int8), own.bytes_before = parameter_bytes(int8);
  Model pruned = Pruner(int8).run(own);
  own.macs_after = macs_of(pruned), own.bytes_after = parameter_bytes(pruned);
  if (report) *report = std::move(own);
  return pruned;
} catch (const std::bad_alloc&) {
  fail("prune_exact: out of memory");
}

}  // namespace octet
