// SPDX-License-Identifier: Apache-2.0
// Cases as bytes: what the host's generator writes and the runner on a board reads. A file is a sequence of cases; a case is this
// header and its sections, each at a multiple of 16 bytes.
#pragma once

#include <stdint.h>

namespace octet::testing {

enum class Kind : int32_t { end = 0, conv2d = 1, depthwise = 2, linear = 3, add = 4, pool = 5 };

constexpr int32_t kCaseMagic = 0x6f637431;

struct CaseHeader {
  int32_t magic;
  Kind kind;
  int32_t rounding, scratch_bytes;
  int32_t reference;  ///< 1: also count the reference kernel's instructions
  int32_t args, input, second, packed, expected, weight, bias, multiplier, shift;  ///< bytes of the sections, in file order
  char name[72];
};
static_assert(sizeof(CaseHeader) == 128);

}  // namespace octet::testing
