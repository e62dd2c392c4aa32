// SPDX-License-Identifier: Apache-2.0
// Stack high-water mark: everything below the stack pointer gets a pattern, later the lowest word without it is looked for.
#include "examples/cortex_m/board.h"

extern "C" uint32_t __stack_limit[];

namespace {
constexpr uint32_t kPattern = 0x57acc0de;
uint32_t* painted_top;
}  // namespace

__attribute__((noinline)) void board::paint_stack() {
  uint32_t* const here = static_cast<uint32_t*>(__builtin_frame_address(0)) - 16;  // below this frame
  painted_top = here;
  for (uint32_t* p = __stack_limit; p < here; ++p) *static_cast<volatile uint32_t*>(p) = kPattern;
}

__attribute__((noinline)) uint32_t board::stack_used() {
  const uint32_t* p = __stack_limit;
  while (p < painted_top && *p == kPattern) ++p;
  return static_cast<uint32_t>(painted_top - p + 16) * 4;
}
