// SPDX-License-Identifier: Apache-2.0
// The floating-point environment that every number of octet is specified in: round to nearest, ties to even, subnormal numbers
// kept. Whoever calls octet may compute otherwise (fesetround, a library that flushes subnormals); what octet computes must not
// depend on it.
#pragma once

#include <cstdint>

namespace octet {

/// For its lifetime the calling thread computes in that environment; then its own comes back. Every public function that computes
/// with floats, or writes or reads them as text, has one; the pool's threads live in one. Nesting is cheap: a register is read.
class FloatScope {
 public:
  FloatScope();
  ~FloatScope();
  FloatScope(const FloatScope&) = delete;
  FloatScope& operator=(const FloatScope&) = delete;

 private:
  uint64_t saved_;
  bool changed_;
};

}  // namespace octet
