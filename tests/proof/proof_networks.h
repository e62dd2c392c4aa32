// SPDX-License-Identifier: Apache-2.0
// Two small networks for Fashion-MNIST, one of depthwise-separable blocks, one of residual blocks, and the recipe that trains them;
// and the spoiling that leaves the function alone but ruins per-tensor quantization.
#pragma once

#include <string>
#include <vector>

#include "engine/data.h"
#include "engine/model.h"

namespace octet::tools {

/// 0.9 million multiply-accumulates on a 28x28 picture: a stem and four depthwise-separable blocks with batch norm and relu.
Model mobilenet_like();
/// 2.5 million: a stem and three residual blocks of two convolutions.
Model resnet_like();

struct ProofData {
  DataLoader train;
  Tensor calibration;  ///< 1,000 normalised training pictures
  Tensor test_images;  ///< normalised
  Tensor test_labels;
};
ProofData proof_data(const std::string& folder);

/// The network trained for so many epochs from `cache`/<name>_<epochs>.safetensors, trained (seed 1) and written there if the file
/// is missing. A cached file of another structure is an error.
Model train_or_load(const std::string& name, const std::string& cache, int epochs, ProofData&);

/// A consecutive pair of layers whose channels were scaled, and how many.
struct SpoiledPair {
  std::string first, second;
  int channels = 0;
};
/// Multiplies about half the channels between each pair in `pairs` by 10^U(-1.5, 1.5) (batch norm's weight and bias of the first)
/// and undoes it in the second's weights. What the network computes stays what it was, as relu is positively homogeneous.
std::vector<SpoiledPair> spoil(Model&, const std::vector<std::pair<std::string, std::string>>& pairs, uint64_t seed);

/// Share of the test pictures classified correctly by a float or int8 model.
double accuracy(const Model&, const Tensor& images, const Tensor& labels);

}  // namespace octet::tools
