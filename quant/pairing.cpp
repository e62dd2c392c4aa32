// SPDX-License-Identifier: Apache-2.0
// Pairing by path, after the float model has been fused like the quantized one.
#include "quant/pairing.h"
#include "engine/module_check.h"
#include "engine/ops/fusion.h"
#include "engine/text.h"

#include <algorithm>

#include "quant/quantize.h"

namespace octet {
namespace {

/// Batch norms that are layers in `quantized`, as layers.
Model with_same_layers(Model reference, const Model& quantized) {
  for (Module& module : reference.modules)
    if (const auto other = quantized.find(module.path);
        other && is_picture_norm(module) && traits_of(quantized.modules[static_cast<size_t>(*other)].op).product)
      become_layer(module);
  return reference;
}

/// The fusions of `quantized` that `reference` has not gone through yet.
std::vector<std::vector<std::string>> missing_fusions(const Model& reference, const Model& quantized) {
  std::vector<std::vector<std::string>> sequences;
  for (const Module& module : quantized.modules) {
    if (module.fused.empty() || !reference.find(module.path)) continue;
    std::vector<std::string> sequence{module.path};
    for (const std::string& path : module.fused)
      if (reference.find(path)) sequence.push_back(path);
    if (sequence.size() > 1) sequences.push_back(std::move(sequence));
  }
  return sequences;
}

std::string describe(const Model& model, const Module& module) {
  Text text;
  text << name_of(module.op);
  if (const Tensor* weight = weight_of(model.owner(module).params)) text << ' ' << to_string(weight->shape());
  return text.str();
}

std::string shape_of(const Module& module) { return module.nominal.empty() ? "unknown" : to_string(module.nominal[0]); }

/// Without batch: outputs of the nominal input.
bool same_rows(const std::vector<Shape>& a, const std::vector<Shape>& b) {
  return std::ranges::equal(a, b, [](const Shape& x, const Shape& y) {
    return x.size() == y.size() && std::equal(x.begin() + !x.empty(), x.end(), y.begin() + !y.empty());
  });
}

std::string listed(const std::vector<std::string>& paths) {
  if (paths.empty()) return "nothing";
  std::string text;
  for (size_t i = 0; i < paths.size() && i < 8; ++i) text.append(i ? ", " : "").append(paths[i]);
  return paths.size() > 8 ? text + " and " + std::to_string(paths.size() - 8) + " more" : text;
}

}  // namespace

bool is_tied(const Model& model, const Module& module) {
  return !module.tied_to.empty() || std::ranges::find(model.modules, module.path, &Module::tied_to) != model.modules.end();
}

bool has_codes(const Module& m) { return !m.out_q.empty() && m.out_q[0].has_value(); }
bool is_quantized(const Model& model) { return std::ranges::any_of(model.modules, has_codes); }

Pairing pair_up(const Model& reference, const Model& quantized) {
  check_model(reference), check_model(quantized);
  check(!reference.modules.empty() && !quantized.modules.empty(), "pair_up: an empty model");
  check(!is_quantized(reference) || is_quantized(quantized),
        "the models are swapped: the first is quantized and the second is not; the order is float, quantized");
  Pairing pairing;
  const Model layered = with_same_layers(reference, quantized);
  const auto sequences = missing_fusions(layered, quantized);
  pairing.reference = deployed(sequences.empty() ? layered : fuse(layered, sequences, Aim::inference));
  const Model& model = pairing.reference;
  std::vector<std::string> matched;
  int previous = -1;
  for (const Module& module : quantized.modules) {
    const std::optional<int> found = model.find(module.path);
    const auto refuse = [&](const auto&... why) {
      fail("the models do not correspond: matched ", listed(matched), "; ", module.path, " (", describe(quantized, module),
           ") is the first that does not: ", why...);
    };
    if (!found) {
      if (is_weighted(module.op)) refuse("the float model has no module of this path");
      pairing.unmatched.push_back(module.path);
      pairing.counterpart.push_back(-1);
      continue;
    }
    const Module& other = model.modules[*found];
    if (is_weighted(module.op) != is_weighted(other.op) || module.op.index() != other.op.index() ||
        describe(quantized, module) != describe(model, other))
      refuse("the float model has ", describe(model, other), " there");
    if (!same_rows(module.nominal, other.nominal))
      refuse("its output is ", shape_of(module), ", the float model's ", shape_of(other));
    if (*found < previous) refuse("the float model runs it in another order");
    previous = *found;
    matched.push_back(module.path);
    pairing.counterpart.push_back(*found);
  }
  check(!matched.empty(), "the models do not correspond: no path is in both; the quantized model begins with ",
        quantized.modules[0].path, ", the float model with ", model.modules[0].path);
  return pairing;
}

void check_origin(const Pairing& pairing, const Model& quantized, int index) {
  const Module &module = quantized.modules[index], &twin = pairing.reference.modules[pairing.counterpart[index]];
  const Tensor& codes = needed_weight(quantized.owner(module).params, module.path);
  const Tensor &real = needed_weight(pairing.reference.owner(twin).params, twin.path), rounded = dequantize(codes);
  const QParams& q = *codes.qparams();
  const int64_t row = codes.numel() / codes.size(0);
  for (int64_t i = 0; i < codes.numel(); ++i) {
    const double step = static_cast<double>(q.scale[q.axis < 0 ? 0 : static_cast<size_t>(i / row)]);
    const double is = static_cast<double>(rounded.data<float>()[i]), was = static_cast<double>(real.data<float>()[i]);
    const int code = codes.data<int8_t>()[i];
    const bool beyond = (code == q.qmin && was < is) || (code == q.qmax && was > is);
    check(beyond || std::abs(is - was) <= 0.501 * step, module.path,
          ": its int8 weights do not come from this float model: element ", i, " is ", was, ", its code stands for ", is,
          " in steps of ", step, "; correct with the model that was converted, of one that was trained with to_float()");
  }
}

}  // namespace octet
