// SPDX-License-Identifier: Apache-2.0
// A float convolution, or one of its gradients, as a oneDNN primitive of a fixed shape, kept for the next call: making one takes a
// tenth of a millisecond to some milliseconds.
#pragma once

#include <dnnl.hpp>
#include <memory>
#include <string>

#include "kernels/geometry.h"

namespace octet::onednn {

enum class Pass : int64_t { forward, input_gradient, weight_gradient };

/// Layouts: `plain` is octet's (N,H,W,C and O,kH,kW,I/groups), `own` is the primitive's. x, w and y are the convolution's input,
/// weights and output, or in a gradient pass the gradients in their places. Immutable, usable by several threads at once.
struct Convolution {
  struct Layouts {
    dnnl::memory::desc x, w, y;
  };
  dnnl::primitive primitive;
  Layouts plain, own;
  dnnl::memory::desc scratch;
  std::string name;  ///< of the implementation
};

/// For the calling thread alone (see OneThread). `bias` only with Pass::forward. Null if oneDNN has nothing faster than loops for
/// this geometry. Throws dnnl::error or std::bad_alloc if something else goes wrong. At most kKeptConvolutions are kept, those used
/// last.
std::shared_ptr<const Convolution> convolution(Pass, const ConvGeometry&, bool bias);
constexpr size_t kKeptConvolutions = 256;

}  // namespace octet::onednn
