// SPDX-License-Identifier: Apache-2.0
// What a layer asks of oneDNN, beyond its shape, and the attributes that give section 4's arithmetic (docs/architecture.md).
#pragma once

#include <dnnl.hpp>
#include <memory>
#include <string>

#include "kernels/kernel.h"

namespace octet::onednn {

struct Layer {
  KernelArgs args;  ///< the whole layer
  kernels::OutputArgs output;
  kernels::CodeType input_type, output_type, residual_type;
  int32_t input_zero_point, residual_zero_point;
  float residual_scale;  ///< 0: none
  Rounding rounding;
  int32_t out_c;
  int scale_mask;  ///< of the weights' scales
  std::shared_ptr<const Blobs> blobs;

  bool residual() const { return residual_scale != 0; }
  /// Lowest code of the output: oneDNN computes in the unsigned domain.
  int32_t low() const { return output_type == kernels::CodeType::i8 ? -128 : 0; }
  dnnl::memory::data_type input_data() const;
  /// u8 for either code type (the zero point is added in the unsigned domain), f32 where a residual is still to be added.
  dnnl::memory::data_type output_data() const;
  dnnl::primitive_attr attributes() const;
};

/// Why this engine does not take the layer whatever its shape, or an empty string.
std::string refusal(const Layer&);

/// A scale whose binary32 reciprocal is `inverse`, or 0: oneDNN takes the scale and inverts it.
float scale_of(float inverse);

/// An activation's limits on codes, as limits on the real values before rescaling. The way from a value to a code never decreases,
/// so limiting a value to one whose code is the limit gives the same codes as limiting the code.
struct RealLimits {
  bool needed;  ///< the codes' limits are narrower than 0..255
  bool exact;   ///< lo and hi have exactly the limits as codes
  float lo, hi;
};
RealLimits real_limits(const Layer&);

}  // namespace octet::onednn
