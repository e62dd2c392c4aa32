// SPDX-License-Identifier: Apache-2.0
// The packed 16-bit instructions of Cortex-M4 and M7 (DSP extension) that the kernels use, or their exact meaning in plain C++
// where the compiler's target lacks them, so that the same kernels are tested on a host. Freestanding C++17.
#pragma once

#include <stdint.h>

namespace octet::cortex_m {

/// a + b modulo 2^32: what packed constants hold is not checked, only streamed.
inline int32_t wrap(int32_t a, int32_t b) { return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b)); }

#if defined(__ARM_FEATURE_DSP) && !defined(OCTET_EMULATE)

/// acc + x.low * y.low + x.high * y.high, modulo 2^32. Assembly: the intrinsic also declares the Q flag, which costs the scheduler.
inline int32_t smlad(uint32_t x, uint32_t y, int32_t acc) {
  int32_t r;
  asm("smlad %0, %1, %2, %3" : "=r"(r) : "r"(x), "r"(y), "r"(acc));
  return r;
}
/// Bytes 0 and 2 as signed halves.
inline uint32_t sxtb16(uint32_t x) {
  uint32_t r;
  asm("sxtb16 %0, %1" : "=r"(r) : "r"(x));
  return r;
}
/// Bytes 1 and 3 as signed halves.
inline uint32_t sxtb16_odd(uint32_t x) {
  uint32_t r;
  asm("sxtb16 %0, %1, ror #8" : "=r"(r) : "r"(x));
  return r;
}
/// acc + x.low * y.low.
inline int32_t smlabb(uint32_t x, uint32_t y, int32_t acc) {
  int32_t r;
  asm("smlabb %0, %1, %2, %3" : "=r"(r) : "r"(x), "r"(y), "r"(acc));
  return r;
}
/// acc + x.high * y.high.
inline int32_t smlatt(uint32_t x, uint32_t y, int32_t acc) {
  int32_t r;
  asm("smlatt %0, %1, %2, %3" : "=r"(r) : "r"(x), "r"(y), "r"(acc));
  return r;
}
/// High word of acc * 2^32 + x * y + 2^31.
inline int32_t smmlar(int32_t x, int32_t y, int32_t acc) {
  int32_t r;
  asm("smmlar %0, %1, %2, %3" : "=r"(r) : "r"(x), "r"(y), "r"(acc));
  return r;
}
/// High word of x * y.
inline int32_t smmul(int32_t x, int32_t y) {
  int32_t r;
  asm("smmul %0, %1, %2" : "=r"(r) : "r"(x), "r"(y));
  return r;
}
/// Sums of both halves, each modulo 2^16.
inline uint32_t sadd16(uint32_t x, uint32_t y) {
  uint32_t r;
  asm("sadd16 %0, %1, %2" : "=r"(r) : "r"(x), "r"(y));
  return r;
}
/// x / 2^n rounded down, for n in 0..31; any other n gives some value.
inline int32_t asr(int32_t x, int32_t n) {
  int32_t r;
  asm("asr %0, %1, %2" : "=r"(r) : "r"(x), "r"(n));
  return r;
}
/// x limited to int8.
inline int32_t ssat8(int32_t x) {
  int32_t r;
  asm("ssat %0, #8, %1" : "=r"(r) : "r"(x));
  return r;
}
/// Nearest integer, ties to even, limited to 0..255; NaN gives 0. FPSCR must say "nearest", as it does from reset.
inline int32_t round_u8(float x) {
  int32_t r;
  float t;
  asm("vcvtr.s32.f32 %1, %2\n\tvmov %0, %1\n\tusat %0, #8, %0" : "=r"(r), "=t"(t) : "t"(x));
  return r;
}
/// Each signed byte of x raised to that of `low` and lowered to that of `high`.
inline uint32_t clamp4(uint32_t x, uint32_t low, uint32_t high) {
  uint32_t r, t;
  asm("ssub8 %1, %2, %3\n\tsel %0, %2, %3\n\tssub8 %1, %4, %0\n\tsel %0, %0, %4"
      : "=&r"(r), "=&r"(t)
      : "r"(x), "r"(low), "r"(high)
      : "cc");
  return r;
}

#else

inline int32_t low_half(uint32_t x) { return static_cast<int16_t>(x & 0xffff); }
inline int32_t high_half(uint32_t x) { return static_cast<int16_t>(x >> 16); }
inline int32_t smlad(uint32_t x, uint32_t y, int32_t acc) {
  return wrap(wrap(acc, low_half(x) * low_half(y)), high_half(x) * high_half(y));
}
inline uint32_t sxtb16(uint32_t x) {
  return static_cast<uint32_t>(static_cast<int8_t>(x & 0xff) & 0xffff) | static_cast<uint32_t>(static_cast<int8_t>(x >> 16 & 0xff))
                                                                             << 16;
}
inline uint32_t sxtb16_odd(uint32_t x) { return sxtb16(x >> 8); }
inline int32_t smlabb(uint32_t x, uint32_t y, int32_t acc) { return wrap(acc, low_half(x) * low_half(y)); }
inline int32_t smlatt(uint32_t x, uint32_t y, int32_t acc) { return wrap(acc, high_half(x) * high_half(y)); }
inline int32_t smmlar(int32_t x, int32_t y, int32_t acc) {
  const int64_t sum = static_cast<int64_t>(x) * y + (int64_t{1} << 31);
  return wrap(acc, static_cast<int32_t>(sum >> 32));
}
inline int32_t smmul(int32_t x, int32_t y) { return static_cast<int32_t>(static_cast<int64_t>(x) * y >> 32); }
inline uint32_t sadd16(uint32_t x, uint32_t y) { return ((x + y) & 0xffff) | ((x & 0xffff0000) + (y & 0xffff0000)); }
inline int32_t asr(int32_t x, int32_t n) { return x >> (n & 31); }
inline int32_t ssat8(int32_t x) { return x < -128 ? -128 : x > 127 ? 127 : x; }
inline int32_t round_u8(float x) {
  constexpr float kMagic = 12582912.0f;
  x = x > 0.0f ? x : 0.0f;
  x = x < 255.0f ? x : 255.0f;
  return static_cast<int32_t>((x + kMagic) - kMagic);
}
inline uint32_t clamp4(uint32_t x, uint32_t low, uint32_t high) {
  uint32_t r = 0;
  for (int32_t i = 0; i < 32; i += 8) {
    const auto lo = static_cast<int8_t>(low >> i & 0xff), hi = static_cast<int8_t>(high >> i & 0xff);
    auto v = static_cast<int8_t>(x >> i & 0xff);
    v = v < lo ? lo : v;
    v = v > hi ? hi : v;
    r |= static_cast<uint32_t>(static_cast<uint8_t>(v)) << i;
  }
  return r;
}

#endif

/// Four bytes at any address.
inline uint32_t load4(const void* from) {
  uint32_t x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}
inline void store4(void* to, uint32_t x) { __builtin_memcpy(to, &x, sizeof x); }

}  // namespace octet::cortex_m
