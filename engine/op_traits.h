// SPDX-License-Identifier: Apache-2.0
// What an operator says of itself, so that nobody else has to know which operator it is: its parameters, what it does to codes and
// to channels, how many wires it reads.
#pragma once

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

/// What the codes of an output mean: `keep`, what the input's codes mean, so that there is no observer; `own`, its own range.
enum class Codes : uint8_t { keep, own };

/// What becomes of channels (the last axis). `scales`: each stays by itself, and f(s x) = s f(x) for s > 0. `clips`: each stays by
/// itself, up to a limit. `regroups`: same values in the same order, channels may become part of a longer last axis. `mixes`: all
/// else.
enum class Channels : uint8_t { scales, clips, regroups, mixes };

struct Traits {
  Codes codes = Codes::own;
  Channels channels = Channels::mixes;
  int wires = 1;  ///< that it reads; -1: any number of them
};

}  // namespace octet
