// SPDX-License-Identifier: Apache-2.0
// One x86-64 level's build of the loops of every kernel family, as a table of pointers. The reference kernels are compiled again
// for each level under other names (kernels/native/meson.build); elementwise.cpp and pool2d.cpp replace those that compilers do
// poorly.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace octet::native {

/// What a run works on. `args` points to the arguments of the family, as plain bytes: every level has struct types of its own.
struct LoopData {
  const void* args;
  const void* input;
  const void* second;  ///< of an addition, or a fused residual; else null
  void* output;
  const int8_t* weight;
  const float *scale, *bias;
  const int32_t *bias_codes, *multiplier, *shift, *weight_zero_point;
};

/// Units [begin, end) as kernels/ref/ref.h counts them.
using Loop = void (*)(const LoopData&, int32_t begin, int32_t end);

constexpr int kRoundings = 4, kMostFamilies = 64;

/// By place in the list of kernels (kernels/list.h) and by rounding; null: this engine declines the family.
struct Loops {
  Loop of[kMostFamilies][kRoundings] = {};
};

namespace v3 {
Loops loops();
}
namespace v4 {
Loops loops();
}

}  // namespace octet::native
