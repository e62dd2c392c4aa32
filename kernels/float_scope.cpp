// SPDX-License-Identifier: Apache-2.0
// Control registers read and written; never inlined, so that no computation moves across the change.
#include "kernels/float_scope.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif !defined(__aarch64__)
#include <cfenv>
#endif

namespace octet {
namespace {

#if defined(__x86_64__)
// MXCSR: masks of all exceptions set, rounding to nearest, neither FTZ nor DAZ; its low six bits are flags, not control. Above it
// the control word of the x87: libc asks it for the rounding mode when it prints and reads numbers. 64-bit precision, as processes
// begin.
constexpr uint64_t kFlags = 0x3f, kWanted = uint64_t{0x037f} << 32 | 0x1f80;
uint64_t read() {
  uint16_t word;
  asm volatile("fnstcw %0" : "=m"(word));
  return uint64_t{word} << 32 | _mm_getcsr();
}
void write(uint64_t v) {
  const auto word = static_cast<uint16_t>(v >> 32);
  asm volatile("fldcw %0" : : "m"(word));
  _mm_setcsr(static_cast<unsigned>(v));
}
#elif defined(__aarch64__)
constexpr uint64_t kFlags = 0, kWanted = 0;  // FPCR: the flags live in FPSR
uint64_t read() {
  uint64_t v;
  asm volatile("mrs %0, fpcr" : "=r"(v));
  return v;
}
void write(uint64_t v) { asm volatile("msr fpcr, %0" : : "r"(v)); }
#else
constexpr uint64_t kFlags = 0, kWanted = FE_TONEAREST;
uint64_t read() { return static_cast<uint64_t>(std::fegetround()); }
void write(uint64_t v) { std::fesetround(static_cast<int>(v)); }
#endif

}  // namespace

FloatScope::FloatScope() : saved_(read()), changed_((saved_ & ~kFlags) != kWanted) {
  if (changed_) write(kWanted | (saved_ & kFlags));
}

FloatScope::~FloatScope() {
  if (changed_) write((saved_ & ~kFlags) | (read() & kFlags));
}

}  // namespace octet
