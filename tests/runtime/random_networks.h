// SPDX-License-Identifier: Apache-2.0
// Small networks of any wiring and geometry, and their firmware plans with memory placed in any legal way: what a device may meet
// and no hand-written case thinks of.
#pragma once

#include <cstdint>
#include <string>

#include "io/firmware_plan.h"

namespace octet::device {

/// A converted network of 3 to 8 modules with random operators, windows, padding, strides, groups, ties, rounding and code type.
struct RandomNetwork {
  Model int8;
  Tensor input;  ///< codes
};
RandomNetwork random_network(uint64_t seed);
/// The same at 16 bits in a fixed rounding, with up to two modules at 8 bits in between.
RandomNetwork wide_network(uint64_t seed);
/// The wiring alone, without parameters: what random_network() begins with.
/// `functions`: any unary function and any activation, not relu and relu6 alone.
Model random_wiring(Generator&, bool functions);

/// The same plan with its values and scratch memory placed first-fit in a random order: as legal as the planner's own, and sooner
/// or later with every two neighbours.
FirmwarePlan placed_anew(FirmwarePlan, Generator&);

/// What is wrong with the plan on the host build of the runtime, layer by layer against `infer`: empty, or the layer and where
/// its memory lies.
std::string difference(const RandomNetwork&, const FirmwarePlan&);

/// What came of some random networks on one target.
struct Tally {
  int networks = 0;
  int refused = 0;    ///< further ones that plan_firmware() refused by name
  int packed = 0;     ///< with at least one of the target's own kernels
  int wrong = 0;      ///< in any placement
  std::string first;  ///< seed and layer of the first wrong one
};
/// `count` networks that a device can run, each as planned and in `placements` other ways.
Tally run_random_networks(FirmwareTarget, uint64_t first_seed, int count, int placements);

}  // namespace octet::device
