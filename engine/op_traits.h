// SPDX-License-Identifier: Apache-2.0
// What an operator says of itself, so that nobody else has to know which operator it is: its parameters, what it does to codes and
// to channels, how many wires it reads.
#pragma once

#include <optional>
#include <string>

#include "engine/tensor.h"

namespace octet {

/// What a parameter is for. Weights are what gets int8 codes; statistics and flags are state that no gradient moves.
enum class Role : uint8_t { weight, bias, gain, statistic, flag };

/// Not trained: what a checkpoint of the model holds besides its trained parameters.
constexpr bool is_state(Role role) { return role == Role::statistic || role == Role::flag; }

/// A parameter that an operator has, without making it: a damaged file can claim attributes whose weights would not fit in memory.
struct Param {
  std::string name;  ///< as in PyTorch's state dict
  Shape shape{};
  Role role = Role::weight;
  bool optional = false;  ///< may be missing
};

/// What the codes of an output mean: `keep`, what the input's codes mean, so that there is no observer; `own`, its own range, which
/// is observed; `either`, the one or the other, as the configuration wants it (averages, whose range may be far smaller than their
/// input's); `fixed`, a range that is known before; `none`, there are none: the operator computes in float, and prepare puts no
/// hook on it and no crossing in front of it.
enum class Codes : uint8_t { keep, own, either, fixed, none };

/// Of Codes::fixed: the real values from lo up to hi, which just has no code, spread evenly over all codes (PyTorch's
/// FixedQParams; TensorFlow Lite's logistic, tanh and softmax).
struct FixedRange {
  float lo, hi;
  bool operator==(const FixedRange&) const = default;
};

/// What becomes of channels (the last axis). `scales`: each stays by itself, and f(s x) = s f(x) for s > 0. `clips`: each stays by
/// itself, up to a limit. `regroups`: same values in the same order, channels may become part of a longer last axis. `mixes`: all
/// else.
enum class Channels : uint8_t { scales, clips, regroups, mixes };

/// What fusion sees in an operator: a layer takes the batch norm, the sum with another value and the clamp that follow it.
enum class Part : uint8_t { other, layer, norm, sum, clamp };

/// A weighted sum: output channel o is its bias plus row o of the weights times the values under its window, of the input channels
/// of its group. What equalization, bias correction and the analysis of means work on.
struct Product {
  int64_t in = 0, out = 0, groups = 1;
  bool flat = false;      ///< reads the last axis alone: behind a flattened picture the picture's channels repeat
  bool residual = false;  ///< adds a second input
};

/// Every operator gives all of it that is true of it; codes, channels and part have no default to forget.
struct Traits {
  Codes codes;
  Channels channels;
  Part part;
  int wires = 1;  ///< that it reads; -1: any number of them
  int outputs = 1;
  bool pads = false;                  ///< f(x + c) is not f(x) + a constant: it reads zeros around its input, or is a norm of it
  bool selects = false;               ///< every output is one of the inputs' values: no range is larger than theirs
  bool keeps_mean = false;            ///< a channel's mean stays what it is
  std::optional<int> decides{};       ///< outputs from this one on are places or truths, however its inputs were rounded
  std::optional<int> exact{};         ///< the input that means numbers of rows or truths: nothing is to round what they are made of
  std::optional<FixedRange> fixed{};  ///< of Codes::fixed
  std::optional<Product> product{};   ///< set: weights as they are stored times the input
};

/// Of an operator that moves values about and computes none.
inline constexpr Traits kMovesValues{.codes = Codes::keep, .channels = Channels::mixes, .part = Part::other, .selects = true};

}  // namespace octet
