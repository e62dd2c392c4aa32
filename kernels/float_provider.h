// SPDX-License-Identifier: Apache-2.0
// The seam through which a library computes float convolutions for kernels/f32. Which one is decided by the build: kernels/onednn
// defines float_provider(), with oneDNN's or, where oneDNN is missing, with none.
#pragma once

#include "kernels/geometry.h"

namespace octet {

/// Functions with the meaning, the layouts and the threads of kernels/f32/f32.h's. Each returns false if it declines the geometry
/// or fails; the output may then hold anything, and octet's own kernel computes it.
struct FloatProvider {
  const char* name;
  bool (*conv2d)(const ConvGeometry&, const float* x, const float* w, const float* bias, float* y);
  bool (*conv2d_grad_input)(const ConvGeometry&, const float* dy, const float* w, float* dx);
  bool (*conv2d_grad_weight)(const ConvGeometry&, const float* x, const float* dy, float* dw);
};

/// What this build has and this processor can use, or null. Always the same answer.
const FloatProvider* float_provider();

}  // namespace octet
