// SPDX-License-Identifier: Apache-2.0
// What convolution and linear share: a set of oneDNN primitives that compute slices of one layer, and the Kernel that runs them on
// octet's threads. Every primitive runs on the thread that calls it, so there is one thread pool, octet's.
#pragma once

#include <dnnl.hpp>
#include <memory>
#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace octet::onednn {

const dnnl::engine& cpu();

/// oneDNN uses one thread for whatever the calling thread creates or executes while this lives.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

/// Why nothing can be exact on this CPU, or null. Without VNNI, 8-bit products are added in pairs that saturate at 16 bits.
const char* inexact_cpu();

/// What a layer asks of oneDNN, beyond its shape.
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
  dnnl::memory::data_type input_data() const;
  /// u8 for either code type (the zero point is added in the unsigned domain), f32 where a residual is still to be added.
  dnnl::memory::data_type output_data() const;
  dnnl::primitive_attr attributes() const;
};

/// Why this engine does not take the layer whatever its shape, or an empty string.
std::string refusal(const Layer&);

/// One primitive: a slice of the layer with its own shape. Offsets and counts are in codes.
struct Slice {
  dnnl::primitive_desc_base description;
  dnnl::primitive primitive;
  int64_t input_offset, output_offset, outputs;
};

/// The slices as a kernel; `plain` describes the weights as Blobs holds them. A reason if oneDNN's implementation is not one that
/// can be trusted.
Made finish(Layer, std::vector<Slice>, const dnnl::memory::desc& plain);

/// How many slices are worth making of a layer, for threads() of now.
int slices_for(const KernelArgs&);

}  // namespace octet::onednn
