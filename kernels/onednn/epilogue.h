// SPDX-License-Identifier: Apache-2.0
// What octet does to oneDNN's results: passes over codes or sums that must run at the CPU's own level, so every x86-64 level has a
// build of them.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/args.h"

namespace octet::onednn {

/// The second operand of a fused addition: code c means scale * f32((c ^ flip) - zero_point).
struct Residual {
  float scale;
  int32_t zero_point;  ///< in the unsigned domain
  uint8_t flip;        ///< 0x80 for i8
};

struct Epilogue {
  /// Codes of sums[i] + residual i; `low` is the lowest code of the output's type. `to` may be `residual`.
  void (*add_residual)(int64_t n, const float* sums, const uint8_t* residual, const Residual&, const kernels::OutputArgs&,
                       int32_t low, uint8_t* to);
  /// Limits unsigned codes to [lo, hi] and then flips the bits of `flip`.
  void (*limit)(int64_t n, uint8_t lo, uint8_t hi, uint8_t flip, uint8_t* codes);
};

/// The builds that this CPU runs, the best first.
std::span<const Epilogue* const> epilogues();

// One table per build, defined in epilogue.cpp; the names are the levels of kernels/f32.
namespace v1 {
extern const Epilogue kEpilogue;
}
namespace v3 {
extern const Epilogue kEpilogue;
}
namespace v4 {
extern const Epilogue kEpilogue;
}

}  // namespace octet::onednn
