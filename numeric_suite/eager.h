// SPDX-License-Identifier: Apache-2.0
// PyTorch's eager numeric suite under its names and with its keys. These keep the tensors they return; compare() (compare.h) keeps
// sums only.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batches.h"

namespace octet {

/// {"float": […], "quantized": […]}: one tensor a batch; codes keep their parameters.
struct ComparedTensors {
  std::vector<Tensor> real, quantized;
};
using ComparedByKey = std::map<std::string, ComparedTensors, std::less<>>;

/// Parameters by PyTorch's keys: "conv.weight", "fc.bias"; of a linear layer with int8 weights "fc._packed_params._packed_params".
std::map<std::string, Tensor, std::less<>> state_dict(const Model&);

/// For every key of the quantized dictionary that is a weight, the weight of the float one that belongs to it. Keys are matched by
/// dotted components: "conv.weight" is "conv.weight", or "conv.0.weight" of a sequence fused in place;
/// "fc._packed_params._packed_params" is "fc.weight"; "lstm._all_weight_values.0.param.weight_ih" is "lstm.weight_ih_l0", and
/// weight_hh likewise (PyTorch loses one of the two).
ComparedByKey compare_weights(const std::map<std::string, Tensor, std::less<>>& real,
                              const std::map<std::string, Tensor, std::less<>>& quantized);

/// Runs the float twin of every quantized module of these operators ("conv2d", "linear", …) on the quantized module's input:
/// {"conv.stats": {float outputs, quantized outputs}}. All samples are kept; with `first_sample_only` the first of each batch, as
/// PyTorch does. The data is a list of batches.
ComparedByKey compare_model_stub(const Model& real, const Model& quantized, std::span<const std::string_view> module_swap_list,
                                 const Batches& data, bool first_sample_only = false);

/// Outputs of both models wherever the quantized one has codes of its own: {"conv.stats": …, "quant.stats": …}.
ComparedByKey compare_model_outputs(const Model& real, const Model& quantized, const Batches& data);

}  // namespace octet
