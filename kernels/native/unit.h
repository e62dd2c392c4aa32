// SPDX-License-Identifier: Apache-2.0
// What every unit of a level's build shares. OCTET_ISA (v3, v4) is its namespace, and the reference kernels and their structs have
// names of that level too (meson.build renames them). Nothing inline may have a name that another level uses as well: the linker
// would merge the two and one build would serve all.
#pragma once

#include "kernels/args.h"
#include "kernels/native/loops.h"

#ifndef OCTET_ISA
#error "compile through kernels/native/meson.build, which sets OCTET_ISA"
#endif

namespace octet::native::OCTET_ISA {
namespace {

template <class Args>
[[gnu::always_inline]] inline Args args_of(const LoopData& d) {
  Args a;
  __builtin_memcpy(&a, d.args, sizeof a);
  return a;
}

}  // namespace

void add_real(const LoopData&, int32_t begin, int32_t end);
void clamp(const LoopData&, int32_t begin, int32_t end);
void binary_real(const LoopData&, int32_t begin, int32_t end);
/// One table for all elements.
void lookup(const LoopData&, int32_t begin, int32_t end);
void max_pool2d(const LoopData&, int32_t begin, int32_t end);
void average_pool2d_real(const LoopData&, int32_t begin, int32_t end);

}  // namespace octet::native::OCTET_ISA
