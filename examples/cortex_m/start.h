// SPDX-License-Identifier: Apache-2.0
// What every startup does before main: constants of .data into RAM, zeros into .bss.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace start {

inline void memory(uint8_t* data, const uint8_t* source, const uint8_t* data_end, uint8_t* bss, const uint8_t* bss_end) {
  __builtin_memcpy(data, source, static_cast<size_t>(data_end - data));
  __builtin_memset(bss, 0, static_cast<size_t>(bss_end - bss));
}

}  // namespace start
