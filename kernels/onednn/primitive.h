// SPDX-License-Identifier: Apache-2.0
// What convolution and linear share: a layer cut into parts, each an oneDNN primitive with a shape of its own, and the Kernel that
// runs them on octet's threads. Every primitive runs on the thread that calls it, so there is one thread pool, octet's.
#pragma once

#include <dnnl.hpp>
#include <functional>
#include <vector>

#include "kernels/onednn/layer.h"

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

/// A part of a layer as a layer of its own. Offsets are in codes.
struct Part {
  KernelArgs args;
  int64_t input_offset, output_offset;
};

struct Primitive {
  dnnl::primitive_desc_base description;
  dnnl::primitive primitive;
};

/// The parts as a kernel: those of one slice run one after the other, slices in parallel. `primitive` makes what a part's arguments
/// ask for, `plain` describes the weights as Blobs holds them. A reason if oneDNN's implementation is not one that can be trusted.
Made finish(Layer, std::vector<std::vector<Part>> slices, const std::function<Primitive(const KernelArgs&)>& primitive,
            const dnnl::memory::desc& plain);

/// How many slices are worth making of a layer, for threads() of now.
int slices_for(const KernelArgs&);

}  // namespace octet::onednn
