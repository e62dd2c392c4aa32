// SPDX-License-Identifier: Apache-2.0
// CRC-32 with a table of sixteen: 64 bytes of flash, two steps a byte.
#include "runtime/octet.h"

namespace {

constexpr uint32_t kPolynomial = 0xedb88320;

struct Table {
  uint32_t of[16];
  constexpr Table() : of() {
    for (uint32_t i = 0; i < 16; ++i) {
      uint32_t c = i;
      for (int bit = 0; bit < 4; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? kPolynomial : 0);
      of[i] = c;
    }
  }
};
constexpr Table kTable;

}  // namespace

uint32_t octet_crc32(const void* bytes, size_t count, uint32_t so_far) {
  const uint8_t* p = static_cast<const uint8_t*>(bytes);
  uint32_t c = ~so_far;
  for (size_t i = 0; i < count; ++i) {
    c ^= p[i];
    c = (c >> 4) ^ kTable.of[c & 15];
    c = (c >> 4) ^ kTable.of[c & 15];
  }
  return ~c;
}
