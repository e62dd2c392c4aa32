// SPDX-License-Identifier: Apache-2.0
// The kernels of a network as bare oneDNN primitives: packed weights, user scratchpad, one thread, and nothing around them but a
// loop. What octet adds to that is its overhead. The primitives get the same shapes, types and constants; what they read is not
// what the layer before wrote, so their results mean nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/op_call.h"

namespace octet::bench {

class Bare {
 public:
  virtual ~Bare() = default;
  /// All primitives in order, once.
  virtual void run() = 0;
  /// One of them; nothing if oneDNN has none for it.
  virtual void run(size_t step) = 0;
  /// oneDNN's name for the implementation, empty where there is none.
  virtual std::string implementation(size_t step) const = 0;
};

/// Null in a build without oneDNN.
std::unique_ptr<Bare> make_bare(const std::vector<LoweredCall>&);

}  // namespace octet::bench
