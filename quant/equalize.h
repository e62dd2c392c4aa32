// SPDX-License-Identifier: Apache-2.0
// Cross-layer equalization and what belongs to it: scaling channels between two layers so that both need the same range, and moving
// high biases into the next layer. Functions from float model to float model that compute the same.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/model.h"
#include "quant/quantize.h"

namespace octet {

/// Consecutive layers: {"dw", "pw", "head"} is the pairs dw-pw and pw-head.
using Chains = std::vector<std::vector<std::string>>;

/// Mean and deviation of a layer's output channels before its activation, as its batch norm's beta and |gamma| say.
struct ChannelStatistics {
  std::vector<double> mean, deviation;
};
using StatisticsByPath = std::map<std::string, ChannelStatistics, std::less<>>;
/// Of every convolution and linear layer that a batch norm follows directly, by the layer's path, in a model before fusing.
StatisticsByPath batch_norm_statistics(const Model& unfused);

/// max - min of a weight over all axes but `axis`; for axis 1 of a convolution weight pass groups to get all input channels.
std::vector<double> channel_ranges(const Tensor& weight, int axis, int64_t groups = 1);

/// The ranges of two consecutive layers by the channel between them: of the first's output and the second's input.
struct PairRanges {
  std::vector<double> first, second;
};
PairRanges pair_ranges(const Model&, std::string_view first, std::string_view second);

enum class Relu6 : uint8_t {
  leave,  ///< layers before a relu6 are left alone: it does not scale
  relu,   ///< relu6 becomes relu first, which changes the function where values reach 6
};

struct EqualizeOptions {
  Chains chains{};          ///< which; empty: those of equalizable() in which a channel is out of balance by 4 or more
  double threshold = 1e-4;  ///< ends when no sweep changes the weights by more (sum of Frobenius norms)
  int max_sweeps = 200;
  Relu6 relu6 = Relu6::leave;
  StatisticsByPath* statistics = nullptr;  ///< scaled along
  int* sweeps = nullptr;                   ///< how many it took
};

/// All chains a model has: consecutive convolutions and linear layers with nothing between them but relu, pooling, dropout and
/// flattening, each value read once. Layers with a fused residual start no pair, tied layers are in none.
Chains equalizable(const Model&, Relu6 = Relu6::leave);

/// One step on one pair: s = sqrt(range1 / range2); channel i of the first is divided by s[i], of the second multiplied. A channel
/// without range on either side stays, and one that is little but its bias (10 times its weights' range or more). Returns s. Throws
/// if the layers are not consecutive or cannot be scaled.
std::vector<double> cross_layer_equalization(Model&, std::string_view first, std::string_view second);

/// Whether the named layers' weights differ by less than the threshold in all (sum of Frobenius norms).
bool converged(const Model& current, const Model& previous, std::span<const std::string> layers, double threshold);

/// Sweeps over the pairs until they no longer change. A model with batch norms is fused first, by the caller. Throws for a chain of
/// one layer and for layers that cannot be equalized.
[[nodiscard]] Model equalize(const Model&, const EqualizeOptions& = {});

/// High-bias folding: where a relu layer's output channel is almost never below c = max(0, mean - sigmas * deviation), c is taken
/// from its bias (and its statistics) and c times the weights is added to the next layer's. Pairs whose second layer pads are left
/// alone, as the padding is not shifted. Returns how many channels moved in `moved`.
[[nodiscard]] Model absorb_bias(const Model&, StatisticsByPath&, double sigmas = 3, int* moved = nullptr);

}  // namespace octet
