// SPDX-License-Identifier: Apache-2.0
// RISC-V's virt machine from reset to main, and the board's services by its serial port, test device and instruction counter.
#include <stddef.h>

#include "examples/cortex_m/board.h"
#include "examples/cortex_m/start.h"

extern "C" {
extern const uint8_t __data_source[];
extern uint8_t __data_start[], __data_end[], __bss_start[], __bss_end[], __stack_top[];
[[noreturn, gnu::used]] void start_c();
}

asm(R"(
  .section .vectors, "ax"
  .option push
  .option arch, +zicsr
  .globl reset
reset:
  la sp, __stack_top
  la t0, 1f
  csrw mtvec, t0
  j start_c
  .balign 4
1: li t0, 0x100000
  li t1, 0x633333
  sw t1, 0(t0)
2: j 2b
  .option pop
)");

void board::write(const char* text) {
  for (; *text != 0; ++text) *reinterpret_cast<volatile uint8_t*>(0x10000000) = static_cast<uint8_t>(*text);
}

void board::exit(int status) {
  *reinterpret_cast<volatile uint32_t*>(0x100000) = status == 0 ? 0x5555 : 0x13333;
  for (;;) {
  }
}

uint32_t board::ticks() {
  uint32_t n;
  asm volatile(".option push\n .option arch, +zicsr\n csrr %0, minstret\n .option pop" : "=r"(n));
  return n;
}

void start_c() {
  start::memory(__data_start, __data_source, __data_end, __bss_start, __bss_end);
  board::exit(main());
}
