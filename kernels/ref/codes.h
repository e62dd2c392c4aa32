// SPDX-License-Identifier: Apache-2.0
// 8-bit codes of either type as one byte stream: an i8 code's byte with its top bit flipped is the u8 code 128 above it, so kernels
// read both types with one exclusive or, and write a code of either type as its low byte. Keeps every kernel to one instantiation.
#pragma once

#include "kernels/args.h"

namespace octet::kernels {

/// Reads bytes of one type as differences to a zero point (given in the type's own range).
struct Codes {
  uint8_t flip;
  int16_t zero;  ///< unsigned domain, 0..255

  Codes(CodeType type, int32_t zero_point)
      : flip(type == CodeType::i8 ? 0x80 : 0), zero(static_cast<int16_t>(zero_point + (type == CodeType::i8 ? 128 : 0))) {}

  /// q - zero_point, in -255..255.
  int16_t operator()(uint8_t byte) const { return static_cast<int16_t>(static_cast<uint8_t>(byte ^ flip) - zero); }
};

inline const uint8_t* bytes(const void* p) { return static_cast<const uint8_t*>(p); }
inline uint8_t* bytes(void* p) { return static_cast<uint8_t*>(p); }

inline int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
inline int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

}  // namespace octet::kernels
