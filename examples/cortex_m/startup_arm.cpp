// SPDX-License-Identifier: Apache-2.0
// Cortex-M from reset to main, and the board's services by semihosting and SysTick.
#include <stddef.h>

#include "examples/cortex_m/board.h"
#include "examples/cortex_m/start.h"

extern "C" {
extern const uint8_t __data_source[];
extern uint8_t __data_start[], __data_end[], __bss_start[], __bss_end[], __stack_top[];
[[noreturn]] void reset();
}

namespace {

volatile uint32_t& reg(uint32_t address) { return *reinterpret_cast<volatile uint32_t*>(address); }
constexpr uint32_t kCpacr = 0xe000ed88, kSysTickControl = 0xe000e010, kSysTickReload = 0xe000e014, kSysTickValue = 0xe000e018;

uint32_t semihost(uint32_t operation, const void* argument) {
  register uint32_t r0 asm("r0") = operation;
  register const void* r1 asm("r1") = argument;
  asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

[[noreturn]] void fault() {
  board::write("fault\n");
  board::exit(99);
}

using Handler = void (*)();
struct Vectors {
  const void* stack;
  Handler handlers[15];
};
__attribute__((section(".vectors"), used)) const Vectors vectors = {
    __stack_top, {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault}};

}  // namespace

void board::write(const char* text) { semihost(0x04, text); }

void board::exit(int status) {
  // Stopped (application exit), or stopped with a run-time error.
  const uint32_t reason = status == 0 ? 0x20026 : 0x20023;
  semihost(0x18, reinterpret_cast<const void*>(reason));
  for (;;) {
  }
}

uint32_t board::ticks() { return 0xffffff - reg(kSysTickValue); }

void reset() {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  reg(kCpacr) |= 0xfu << 20;  // coprocessors 10 and 11: FPU and Helium
  asm volatile("dsb\n isb" ::: "memory");
#endif
  start::memory(__data_start, __data_source, __data_end, __bss_start, __bss_end);
  reg(kSysTickReload) = 0xffffff;
  reg(kSysTickValue) = 0;
  reg(kSysTickControl) = 5;  // on, processor clock, no interrupt
  board::exit(main());
}
