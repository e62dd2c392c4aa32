// SPDX-License-Identifier: Apache-2.0
// What the two firmwares of this folder ask of a board: a way out, an instruction counter, a painted stack. One startup file
// implements it for the Arm boards, one for RISC-V.
#pragma once

#include <stdint.h>

namespace board {

void write(const char* text);
[[noreturn]] void exit(int status);

/// Counts up; see kTicks in firmware.py for how many instructions a tick is under QEMU's -icount shift=0.
uint32_t ticks();

/// Fills the unused stack with a pattern; stack_used() then tells how many bytes of it were written since.
void paint_stack();
uint32_t stack_used();

}  // namespace board

int main();
