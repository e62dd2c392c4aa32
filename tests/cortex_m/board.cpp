// SPDX-License-Identifier: Apache-2.0
// Start-up and semihosting for the kernel tests on QEMU's boards, and an instruction counter: with `-icount shift=0` SysTick counts
// a fixed number of instructions a tick.
#include "tests/cortex_m/board.h"

extern "C" {
extern uint32_t octet_stack_top[], octet_data[], octet_data_end[], octet_data_load[], octet_bss[], octet_bss_end[];
int main();
void octet_reset();
void octet_fault();

__attribute__((section(".vectors"), used)) const void* const octet_vectors[16] = {
    octet_stack_top,
    reinterpret_cast<const void*>(&octet_reset),
    reinterpret_cast<const void*>(&octet_fault),
    reinterpret_cast<const void*>(&octet_fault),
    reinterpret_cast<const void*>(&octet_fault),
    reinterpret_cast<const void*>(&octet_fault),
    reinterpret_cast<const void*>(&octet_fault),
};

void octet_reset() {
  *reinterpret_cast<volatile uint32_t*>(0xE000ED88) |= 0xF << 20;  // FPU and Helium on
  asm volatile("dsb\n\tisb");
  for (uint32_t *to = octet_data, *from = octet_data_load; to != octet_data_end;) *to++ = *from++;
  for (uint32_t* to = octet_bss; to != octet_bss_end;) *to++ = 0;
  octet::testing::finish(main());
}

void octet_fault() {
  octet::testing::print("FAILED: fault\n");
  octet::testing::finish(1);
}
}

namespace octet::testing {
namespace {

void call_host(uint32_t what, const void* argument) {
  register uint32_t r0 asm("r0") = what;
  register const void* r1 asm("r1") = argument;
  asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

volatile uint32_t& systick(uint32_t at) { return *reinterpret_cast<volatile uint32_t*>(0xE000E010 + at); }

}  // namespace

void print(const char* text) { call_host(4, text); }

void print(int64_t number) {
  char digits[24];
  char* at = digits + sizeof digits - 1;
  *at = 0;
  const bool negative = number < 0;
  auto n = static_cast<uint64_t>(negative ? -number : number);
  do *--at = static_cast<char>('0' + n % 10);
  while ((n /= 10) != 0);
  if (negative) *--at = '-';
  print(at);
}

void finish(int status) {
  const uint32_t argument[2] = {0x20026, static_cast<uint32_t>(status)};
  call_host(0x20, argument);
  for (;;) {
  }
}

void start_ticks() {
  systick(4) = 0xffffff;
  systick(8) = 0;
  systick(0) = 5;
}

uint32_t ticks() { return 0xffffff - systick(8); }

}  // namespace octet::testing

extern "C" {
// The compiler may call these, whatever the flags. Not optimized into calls of themselves: built with
// -fno-tree-loop-distribute-patterns.
void* memcpy(void* to, const void* from, size_t n) {
  auto* t = static_cast<uint8_t*>(to);
  const auto* f = static_cast<const uint8_t*>(from);
  for (; n >= 4; n -= 4, t += 4, f += 4) {
    uint32_t w;
    __builtin_memcpy(&w, f, 4);
    __builtin_memcpy(t, &w, 4);
  }
  while (n-- > 0) *t++ = *f++;
  return to;
}
void* memmove(void* to, const void* from, size_t n) {
  if (to <= from) return memcpy(to, from, n);
  auto* t = static_cast<uint8_t*>(to);
  const auto* f = static_cast<const uint8_t*>(from);
  while (n-- > 0) t[n] = f[n];
  return to;
}
void* memset(void* to, int value, size_t n) {
  auto* t = static_cast<uint8_t*>(to);
  const uint32_t w = static_cast<uint8_t>(value) * 0x01010101u;
  for (; n >= 4; n -= 4, t += 4) __builtin_memcpy(t, &w, 4);
  while (n-- > 0) *t++ = static_cast<uint8_t>(value);
  return to;
}
}
