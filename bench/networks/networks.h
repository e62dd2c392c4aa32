// SPDX-License-Identifier: Apache-2.0
// The networks everything is measured on, built in code with seeded weights: their speed is that of the real networks, their
// answers mean nothing. From the float network to the forms that run, with octet's own workflow and made-up data.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace octet::bench {

struct Network {
  std::string name;
  Model (*build)();            ///< float, parameters not drawn yet
  int weighted;                ///< convolutions and linear layers
  int64_t training_batch = 0;  ///< 0: not a network that training is measured on
};

/// From the smallest to the largest.
const std::vector<Network>& networks();
/// Throws listing the names there are.
const Network& network(std::string_view name);

/// `batch` normally distributed inputs.
Tensor inputs_of(const Model&, int64_t batch, uint64_t seed = 1);
/// The float network with drawn parameters, and running statistics of its batch norms as some data gives them, so that values
/// neither vanish nor explode in a deep network.
Model settled(const Network&);
/// Fused for inference.
Model float_form(const Model& settled);
/// Fused, calibrated and converted with octet_qconfig(). Throws unless every convolution and linear layer has become an integer
/// kernel.
Model int8_form(const Network&, const Model& settled);

}  // namespace octet::bench
