// SPDX-License-Identifier: Apache-2.0
// Which instruction set this engine uses: the best that CPU and operating system have, or a lower one that a test asked for.
#pragma once

#include "kernels/native/loops.h"

namespace octet::native {

enum class Isa : uint8_t { none, avx2, avx512, avx512_vnni };

Isa isa();
const char* name_of(Isa);
/// The build of the loops for an instruction set above none.
const Loops& loops_of(Isa);

}  // namespace octet::native
