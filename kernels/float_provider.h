// SPDX-License-Identifier: Apache-2.0
// The seam through which a library computes float convolutions for kernels/f32. Which one is decided by the build: kernels/onednn
// defines float_provider(), with oneDNN's or, where oneDNN is missing, with none.
#pragma once

#include <memory>

#include "kernels/geometry.h"

namespace octet {

class Kernel;
struct Blobs;
struct FloatConv2dArgs;

/// What a library's kernel leaves to octet: passes over a part of its output, and the convolution of a part where the library
/// fails.
struct FloatPasses {
  void (*add_clamped)(int64_t n, const float* a, const float* b, float lo, float hi, float* y);
  void (*clamp)(int64_t n, const float* x, float lo, float hi, float* y);
  void (*conv2d)(const FloatConv2dArgs&, const Blobs&, const float* x, const float* residual, float* y);
};

/// Functions with the meaning, the layouts and the threads of kernels/f32/f32.h's. Each returns false if it declines the geometry
/// or fails; the output may then hold anything, and octet's own kernel computes it.
struct FloatProvider {
  const char* name;
  bool (*conv2d)(const ConvGeometry&, const float* x, const float* w, const float* bias, float* y);
  bool (*conv2d_grad_input)(const ConvGeometry&, const float* dy, const float* w, float* dx);
  bool (*conv2d_grad_weight)(const ConvGeometry&, const float* x, const float* dy, float* dw);
  /// conv2d on fixed weights, then the residual and the limits, for the threads() of now; the same bits. Null: declined.
  std::unique_ptr<Kernel> (*make_conv2d)(const FloatConv2dArgs&, const std::shared_ptr<const Blobs>&, const FloatPasses&);
};

/// What this build has and this processor can use, or null. Always the same answer.
const FloatProvider* float_provider();

}  // namespace octet
