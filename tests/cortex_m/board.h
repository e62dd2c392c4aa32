// SPDX-License-Identifier: Apache-2.0
// What the kernel tests on a board need of it: text to the host, the end, a counter.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace octet::testing {

void print(const char* text);
void print(int64_t number);
[[noreturn]] void finish(int status);  ///< the emulator's exit status
void start_ticks();
uint32_t ticks();  ///< SysTick's ticks since start_ticks, at most 2^24

}  // namespace octet::testing
