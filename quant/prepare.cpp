// SPDX-License-Identifier: Apache-2.0
// prepare: which module gets which hooks, and where a wire of floats, or of codes of another width, needs an observed crossing into
// a quantized module.
#include <algorithm>
#include <climits>
#include <utility>

#include "engine/module_check.h"
#include "kernels/float_scope.h"
#include "quant/observers/fixed.h"
#include "quant/observers/histogram.h"
#include "quant/observers/range.h"
#include "quant/quantize.h"

namespace octet {
namespace {

/// The configuration of the longest prefix that matches; null keeps the module float.
const QConfig* config_for(std::string_view path, const QConfigMap& map) {
  const std::optional<QConfig>* best = nullptr;
  size_t length = 0;
  for (const auto& [prefix, config] : map)
    if (below(path, prefix) && (!best || prefix.size() >= length)) {
      best = &config;
      length = prefix.size();
    }
  return best && *best ? &**best : nullptr;
}

void check_prefixes(const Model& model, const QConfigMap& map) {
  check(!map.empty(), "prepare: the configuration is empty");
  for (const auto& [prefix, config] : map) {
    bool matched = false;
    for (const Module& module : model.modules) matched |= below(module.path, prefix);
    for (const Module& module : model.modules)
      for (const std::string& part : module.fused)
        check(matched || !below(part, prefix), "prepare: \"", part, "\" was fused into \"", module.path, "\"; configure \"",
              module.path, "\"");
    check(matched, "prepare: \"", prefix, "\" matches no module; a configuration's key is a dotted path or the start of one");
  }
}

HookBox hook(const std::optional<FakeQuantize>& prototype) { return prototype ? HookBox(prototype->clone()) : HookBox(); }

/// The configuration's hook for an output, or, of an operator whose range is known before, one with nothing to observe.
HookBox output_hook(const Traits& traits, const FakeQuantize& prototype) {
  if (!traits.fixed) return HookBox(prototype.clone());
  auto observer = std::make_unique<FixedQParamsObserver>(*traits.fixed, prototype.observer().codes());
  return HookBox(std::make_unique<FakeQuantize>(std::move(observer), false, prototype.round));
}

/// The configuration's hook for a layer's weights. Of a layer with one weight for each channel, as a batch norm becomes, a range
/// per channel where it asks for one of all: the largest would take all codes from the others.
HookBox weight_hook(const Op& op, const FakeQuantize& prototype) {
  const std::optional<Product> product = traits_of(op).product;
  const std::vector<Param> params = params_of(op);
  const auto weight = std::ranges::find(params, Role::weight, &Param::role);
  const bool one_each = product && product->groups > 1 && product->groups == product->out && weight != params.end() &&
                        numel(weight->shape) == product->out;
  const Observer& observer = prototype.observer();
  const auto* moving = dynamic_cast<const MovingAverageMinMaxObserver*>(&observer);
  if (!one_each || (moving == nullptr && observer.kind() != MinMaxObserver::kKind && observer.kind() != HistogramObserver::kKind))
    return HookBox(prototype.clone());
  const ObserverSpec spec{.dtype = DType::i8, .scheme = QScheme::per_channel_symmetric, .quant_range = observer.codes()};
  std::unique_ptr<Observer> each;
  if (moving != nullptr)
    each = std::make_unique<MovingAveragePerChannelMinMaxObserver>(spec, *moving->averaging_constant());
  else
    each = std::make_unique<PerChannelMinMaxObserver>(spec);
  return HookBox(std::make_unique<FakeQuantize>(std::move(each), prototype.observe, prototype.round));
}

/// Whose outputs are to be exact numbers, because a reader takes them for rows or truths, and what those are made of: a sum of row
/// numbers, but not what decided on them.
std::vector<bool> exact_values(const Model& model) {
  constexpr int kNone = INT_MAX;
  std::vector<int> first(model.modules.size(), kNone);  // of its outputs that are to be exact
  for (size_t i = model.modules.size(); i-- > 0;) {
    const Module& module = model.modules[i];
    const Traits traits = traits_of(module.op);
    const bool passed_on = first[i] < traits.decides.value_or(kNone) && !traits.product;
    for (size_t k = 0; k < module.inputs.size(); ++k)
      if (const Wire& w = module.inputs[k]; passed_on || (traits.exact && *traits.exact == static_cast<int>(k)))
        first[static_cast<size_t>(w.module)] = std::min(first[static_cast<size_t>(w.module)], w.port);
  }
  std::vector<bool> exact(model.modules.size());
  for (size_t i = 0; i < exact.size(); ++i) exact[i] = first[i] < kNone && !traits_of(model.modules[i].op).product;
  return exact;
}

bool is_observed(Codes codes, const QConfig& config) {
  return codes == Codes::own || codes == Codes::fixed || (codes == Codes::either && config.averages);
}

void check_activation(const QConfig* config, Rounding rounding, std::string_view path) {
  if (!config || !config->activation) return;
  const Observer& observer = std::as_const(*config->activation).observer();
  check(code_bits(*config->activation) == 8 || rounding == Rounding::fixed_double || rounding == Rounding::fixed_single, path,
        ": 16-bit activations need rounding \"fixed_double\" or \"fixed_single\", the model has \"", to_string(rounding),
        "\"; set Model::rounding before fuse and prepare, or give this module 8 bits");
  check(!observer.per_channel(), path, ": a ", observer.kind(), " observer for its activations; wires are quantized per tensor");
}

/// Bits of the codes that the module's output will be, 0 if it will be floats: observed itself, or passing on the meaning of its
/// inputs' codes. Operators that keep their input's parameters follow their input whatever the configuration says of them: they
/// have nothing to quantize.
int bits_given(const Module& module, const std::vector<int>& bits) {
  if (const auto own = module.hooks.find("output"); own != module.hooks.end()) return code_bits(*fake_quantize_at(own->second));
  if (module.hooks.contains(kFloatPoint)) return 0;
  if (!may_keep_qparams(module.op) || module.inputs.empty()) return 0;
  for (const Wire& w : module.inputs)
    if (bits[w.module] == 0) return 0;
  return bits[module.inputs[0].module];
}

/// "<producer>.quant", or with a number behind it where that path is taken.
std::string crossing_path(const Model& a, const Model& b, const std::string& producer) {
  std::string path = producer + ".quant";
  for (int n = 2; a.find(path) || b.find(path); ++n) path = producer + ".quant" + std::to_string(n);
  return path;
}

}  // namespace

Model prepare(const Model& model, const QConfigMap& map, Ties ties) try {
  const FloatScope environment;
  check_model(model);
  check_prefixes(model, map);
  Model prepared;
  prepared.rounding = model.rounding;
  prepared.interface = model.interface;
  std::vector<int> moved;  // old index -> new index
  std::vector<int> bits;   // of its codes, by new index; 0: floats
  struct Crossed {
    int module, port, bits;
    auto operator<=>(const Crossed&) const = default;
  };
  std::map<Crossed, int> crossings;  // wire of floats, or of codes of another width -> its crossing
  int hooks = 0;
  const std::vector<bool> exact = exact_values(model);
  for (const Module& original : model.modules) {
    check(original.out_q.empty(), original.path, ": prepare takes a float model, this one is converted");
    check_module(original, original.path);
    for (const auto& [name, tensor] : original.params)
      check(!tensor.qparams(), original.path, ": prepare takes a float model, this one is converted (", name, " is quantized)");
    Module module = original;
    check(module.hooks.empty(), module.path, ": prepare takes a model without hooks; this one is prepared");
    for (Wire& w : module.inputs) w.module = moved[w.module];
    const QConfig* config = config_for(module.path, map);
    check_activation(config, model.rounding, module.path);
    const Traits traits = traits_of(module.op);
    check(!traits.product || !traits.product->residual || !config || !config->activation || code_bits(*config->activation) == 8,
          module.path, ": a residual fused into a convolution of 16-bit codes; fuse without residuals");
    const bool is_exact = exact[moved.size()];
    const bool observed = config && !is_exact && is_observed(traits.codes, *config);
    const Module* owner = module.tied_to.empty() ? nullptr : &prepared[module.tied_to];
    const bool owner_observed = owner && owner->hooks.contains("output");
    const bool shared = ties == Ties::shared && owner_observed;
    check(!owner_observed || !is_exact, module.path, ": a call of ", module.tied_to,
          ", whose output is quantized, gives numbers of rows or truths, which are never rounded; keep ", module.tied_to, " float");
    check(!owner_observed || (observed && config->activation), module.path, ": a call of ", module.tied_to,
          ", whose output is quantized; give both the same configuration");
    check(!shared || code_bits(*fake_quantize_at(owner->hooks.at("output"))) == code_bits(*config->activation), module.path,
          ": a call of ", module.tied_to, " that shares its codes, with a configuration of another width; give both the same");
    if (observed && config->activation && !shared) module.hooks["output"] = output_hook(traits, *config->activation);
    if (observed && config->weight && is_weighted(module.op) && module.tied_to.empty())
      module.hooks["weight"] = weight_hook(module.op, *config->weight);
    hooks += static_cast<int>(module.hooks.size());
    // It could compute on its input's codes, and is not to. What moves values or limits them loses nothing by it.
    const bool computes =
        traits.codes == Codes::either || (traits.codes == Codes::keep && !traits.selects && traits.part != Part::clamp);
    if (computes && (!config || is_exact)) module.hooks[kFloatPoint] = HookBox(std::make_unique<StaysFloat>());
    const bool wants_codes = observed && config->activation && !std::holds_alternative<Input>(module.op);
    for (Wire& w : module.inputs) {
      if (!wants_codes || bits[w.module] == code_bits(*config->activation)) continue;
      const Crossed crossed{w.module, w.port, code_bits(*config->activation)};
      const auto [found, fresh] = crossings.try_emplace(crossed, static_cast<int>(prepared.modules.size()));
      if (fresh) {
        const Module& producer = prepared.modules[w.module];
        Module crossing{.path = crossing_path(model, prepared, producer.path), .op = identity(), .inputs = {w}};
        crossing.nominal = {producer.nominal[w.port]};
        crossing.hooks["output"] = hook(config->activation);
        prepared.modules.push_back(std::move(crossing));
        bits.push_back(crossed.bits);
      }
      w = {found->second, 0};
    }
    moved.push_back(static_cast<int>(prepared.modules.size()));
    bits.push_back(shared ? bits[moved[static_cast<size_t>(model.index(module.tied_to))]] : bits_given(module, bits));
    prepared.modules.push_back(std::move(module));
  }
  check(hooks > 0, "prepare: the configuration puts no hook on any module");
  for (const Wire& w : model.outputs) prepared.outputs.push_back({moved[w.module], w.port});
  return prepared;
} catch (const std::bad_alloc&) {
  fail("prepare: out of memory");
}

}  // namespace octet
