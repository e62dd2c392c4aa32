// SPDX-License-Identifier: Apache-2.0
// What a .tflite file begins with; needs no library.
#include <cstring>

#include "io/tflite/tflite.h"

namespace octet {

bool is_tflite(std::span<const std::byte> bytes) { return bytes.size() >= 8 && std::memcmp(bytes.data() + 4, "TFL3", 4) == 0; }

}  // namespace octet
