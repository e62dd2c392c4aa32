// SPDX-License-Identifier: Apache-2.0
// Seeded networks for the runtime's tests and for the boards: no training and no file needed, every operator of the image among
// them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/model.h"

namespace octet::device {

/// A converted model and samples as its input's codes, one tensor each.
struct Example {
  std::string name;
  Model int8;
  std::vector<Tensor> samples;
};

/// Every operator of the image at once: dense, depthwise and grouped convolutions, a residual, an addition, a concatenation, both
/// pools, a relu and a relu6 of their own, a transpose, a linear layer. u8 or i8 activations.
Model every_op();
/// Layers between functions that are looked up.
Model functions();
/// What moves, joins and sums values: padding, resizing, attention, a constant, reductions.
Model arrangements();
/// The CIFAR ResNet-8 of MLPerf Tiny: 12.5 million multiply-accumulates.
Model resnet8();
/// The network of examples/fashion_mnist.
Model demo();
/// Convolution, depthwise, pointwise, mean, linear on an 8x8 picture: small enough for a CI run on a simulator.
Model tiny_separable();
/// MobileNetV1 of MLPerf Tiny, visual wake words: 96x96, a quarter of the channels.
Model mobilenet();
/// Two channels of every convolution become dead or nearly so: all they give is their bias.
void prune_some(Model&);

/// Initialised, edited, calibrated on random pictures and converted; `i8`: signed activations, which a device prefers.
Example quantized(const std::string& name, Model net, Rounding, bool i8, int samples, const std::function<void(Model&)>& edit = {});

/// The same at 16 bits, in a fixed rounding.
Example wide(const std::string& name, Model net, Rounding, int samples, const std::function<void(Model&)>& edit = {});

/// A trained model of ../shared/models (MLPerf Tiny), loaded from its own int8 parameters; nullopt if the folder is not there.
/// OCTET_MODELS names the folder that holds it. `golden` gets the expected logits in this rounding, if not null.
std::optional<Example> mlperf_tiny(const std::string& folder, Rounding, int samples, Tensor* golden = nullptr);

/// By name: every_op, resnet8, demo, tiny_separable, tiny_pruned, mobilenet, mobilenet_pruned, every_op_16, functions_16,
/// arrangements_16, dscnn, autoencoder; the last two may be missing, those of 16 bits have no rounding "real".
std::optional<Example> example(const std::string& name, Rounding, int samples);

}  // namespace octet::device
