// SPDX-License-Identifier: Apache-2.0
// What the header of an .npy file says. Private to io/.
#pragma once

#include "io/elements.h"
#include "io/file.h"

namespace octet {

inline constexpr std::string_view kNpyMagic{"\x93NUMPY", 6};
inline constexpr size_t kMaxNpyHeader = size_t{1} << 16;

struct NpyHeader {
  Element element{};
  bool swapped = false;  ///< big endian
  bool fortran = false;  ///< the first axis is the fastest
  Shape shape;
  size_t begin = 0;    ///< of the data
  uint64_t bytes = 0;  ///< of the data
};

/// Of a whole file, or of as much of it as has the header. Throws naming the file.
NpyHeader parse_npy_header(std::span<const std::byte> bytes, std::string_view name);
/// "<f4", "|u1": how NumPy spells a tensor's type.
std::string npy_spelling(DType);

}  // namespace octet
