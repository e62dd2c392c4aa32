// SPDX-License-Identifier: Apache-2.0
// The four functions every compiler takes for granted and the only ones octet's runtime needs; a libc has better ones.
#include <stddef.h>
#include <stdint.h>

extern "C" {

void* memcpy(void* to, const void* from, size_t n) {
  uint8_t* d = static_cast<uint8_t*>(to);
  const uint8_t* s = static_cast<const uint8_t*>(from);
  if (((reinterpret_cast<uintptr_t>(d) | reinterpret_cast<uintptr_t>(s)) & 3) == 0)
    for (; n >= 4; n -= 4, d += 4, s += 4) *reinterpret_cast<uint32_t*>(d) = *reinterpret_cast<const uint32_t*>(s);
  for (; n != 0; --n) *d++ = *s++;
  return to;
}

void* memmove(void* to, const void* from, size_t n) {
  uint8_t* d = static_cast<uint8_t*>(to);
  const uint8_t* s = static_cast<const uint8_t*>(from);
  if (d <= s || d >= s + n) return memcpy(to, from, n);
  while (n != 0) --n, d[n] = s[n];
  return to;
}

void* memset(void* to, int value, size_t n) {
  uint8_t* d = static_cast<uint8_t*>(to);
  const uint32_t word = static_cast<uint8_t>(value) * 0x01010101u;
  for (; n != 0 && (reinterpret_cast<uintptr_t>(d) & 3) != 0; --n) *d++ = static_cast<uint8_t>(value);
  for (; n >= 4; n -= 4, d += 4) *reinterpret_cast<uint32_t*>(d) = word;
  for (; n != 0; --n) *d++ = static_cast<uint8_t>(value);
  return to;
}

int memcmp(const void* a, const void* b, size_t n) {
  const uint8_t* x = static_cast<const uint8_t*>(a);
  const uint8_t* y = static_cast<const uint8_t*>(b);
  for (; n != 0; --n, ++x, ++y)
    if (*x != *y) return *x < *y ? -1 : 1;
  return 0;
}
}
