// SPDX-License-Identifier: Apache-2.0
// The three entry points: keys to keys, module to module.
#include "numeric_suite/eager.h"

#include <algorithm>

#include "kernels/float_scope.h"
#include "quant/pairing.h"
#include "quant/runner.h"

namespace octet {
namespace {

using Dict = std::map<std::string, Tensor, std::less<>>;
constexpr std::string_view kWeight = ".weight", kPacked = "._packed_params._packed_params", kLstm = "._all_weight_values.";

const Tensor* lookup(const Dict& dict, const std::string& key) {
  const auto found = dict.find(key);
  return found == dict.end() ? nullptr : &found->second;
}

std::string before(const std::string& key, std::string_view suffix) { return key.substr(0, key.size() - suffix.size()); }

/// The float weight that belongs to a key of the quantized dictionary; null if it is no weight or has none.
const Tensor* match(const Dict& real, const std::string& key) {
  if (const size_t at = key.find(kLstm); at != std::string::npos) {
    const std::string rest = key.substr(at + kLstm.size());  // "0.param.weight_ih"
    const size_t dot = rest.find('.'), last = rest.rfind('.');
    if (dot == std::string::npos || rest.substr(dot, last - dot) != ".param") return nullptr;
    return lookup(real, key.substr(0, at) + "." + rest.substr(last + 1) + "_l" + rest.substr(0, dot));
  }
  std::string path;
  if (key.ends_with(kPacked)) {
    path = before(key, kPacked);
  } else if (key.ends_with(kWeight)) {
    path = before(key, kWeight);
  } else {
    return nullptr;
  }
  for (const char* fused : {"", ".0"})
    if (const Tensor* found = lookup(real, path + fused + std::string(kWeight))) return found;
  return nullptr;
}

/// Whether the module is a quantized one: gives codes, or computes in float with int8 weights (weight-only).
bool is_quantized(const Model& model, const Module& module, const Tensor& output) {
  const Tensor* weight = weight_of(model.owner(module).params);
  return output.qparams().has_value() || (weight && weight->qparams().has_value());
}

Tensor kept(const Tensor& t, bool first_sample_only) { return first_sample_only && t.rank() > 0 ? slice_rows(t, 0, 1) : t; }

}  // namespace

Dict state_dict(const Model& model) {
  Dict dict;
  for (const Module& module : model.modules) {
    const std::optional<Product> product = traits_of(module.op).product;
    for (const auto& [name, tensor] : module.params) {
      const bool packed = name == "weight" && tensor.qparams() && product && product->flat;
      dict.insert_or_assign(module.path + (packed ? std::string(kPacked) : "." + name), tensor);
    }
  }
  return dict;
}

ComparedByKey compare_weights(const Dict& real, const Dict& quantized) {
  const FloatScope environment;
  ComparedByKey result;
  for (const auto& [key, tensor] : quantized)
    if (const Tensor* weight = match(real, key)) {
      check(weight->shape() == tensor.shape(), "compare_weights: ", key, " has shape ", to_string(tensor.shape()),
            ", its float weight ", to_string(weight->shape()));
      result[key] = {{*weight}, {tensor}};
    }
  return result;
}

ComparedByKey compare_model_stub(const Model& real, const Model& quantized, std::span<const std::string_view> module_swap_list,
                                 const Batches& data, bool first_sample_only) try {
  const FloatScope environment;
  check(!data.empty(), "compare_model_stub: no data");
  const Pairing pairing = pair_up(real, quantized);
  ModuleRunner floats(pairing.reference), integers(quantized);
  ComparedByKey result;
  for (int64_t b = 0; b < data.count(); ++b)
    for (ModuleWalk walk(integers, data.batch(b, quantized, "compare_model_stub")); !walk.done();) {
      const Module& module = quantized.modules[walk.position()];
      const int twin = pairing.counterpart[walk.position()];
      const Tensor out = walk.next()[0];
      // A module that computes in float is its own twin.
      if (twin < 0 || !is_quantized(quantized, module, out) || !std::ranges::count(module_swap_list, name_of(module.op))) continue;
      std::vector<Tensor> in;
      for (const Tensor& t : walk.inputs()) in.push_back(dequantize(t));
      ComparedTensors& entry = result[module.path + ".stats"];
      entry.real.push_back(kept(floats.run(twin, in)[0], first_sample_only));
      entry.quantized.push_back(kept(out, first_sample_only));
    }
  return result;
} catch (const std::bad_alloc&) {
  fail("compare_model_stub: out of memory");
}

ComparedByKey compare_model_outputs(const Model& real, const Model& quantized, const Batches& data) try {
  const FloatScope environment;
  check(!data.empty(), "compare_model_outputs: no data");
  const Pairing pairing = pair_up(real, quantized);
  ModuleRunner floats(pairing.reference), integers(quantized);
  ComparedByKey result;
  for (int64_t b = 0; b < data.count(); ++b) {
    const std::vector<Tensor> batch = data.batch(b, quantized, "compare_model_outputs");
    ModuleWalk truth(floats, batch);
    for (ModuleWalk walk(integers, batch); !walk.done();) {
      const Module& module = quantized.modules[walk.position()];
      const int twin = pairing.counterpart[walk.position()];
      const Tensor out = walk.next()[0];
      if (twin < 0 || !is_quantized(quantized, module, out) || quantized.keeps_qparams(module)) continue;
      ComparedTensors& entry = result[module.path + ".stats"];
      entry.real.push_back(truth.next_to(twin)[0]);
      entry.quantized.push_back(out);
    }
  }
  return result;
} catch (const std::bad_alloc&) {
  fail("compare_model_outputs: out of memory");
}

}  // namespace octet
