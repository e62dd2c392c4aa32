// SPDX-License-Identifier: Apache-2.0
// libFuzzer target of the image validator and everything behind it: the checksum is repaired first, or no mutation would get past
// it. Built by tests/runtime/fuzz with AddressSanitizer and UndefinedBehaviorSanitizer; needs nothing but the runtime's own
// sources.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "runtime/image.h"
#include "runtime/octet.h"
#include "tests/runtime/all_ops.h"

namespace {

using octet::device::kAllOps;

// What is accepted runs, but a fuzzer has no patience for the largest legal layer.
constexpr size_t kMaxArena = 1 << 16;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < sizeof(octet::image::Header) || size > (1 << 16)) return 0;
  uint8_t* image = static_cast<uint8_t*>(aligned_alloc(OCTET_ALIGNMENT, (size + 15) / 16 * 16));
  memcpy(image, data, size);
  octet::image::Header h;
  memcpy(&h, image, sizeof h);
  h.bytes = static_cast<uint32_t>(size);
  memcpy(image, &h, sizeof h);
  constexpr size_t kCrcAt = offsetof(octet::image::Header, crc);
  h.crc = octet_crc32(image + kCrcAt + 4, size - kCrcAt - 4, octet_crc32(image, kCrcAt, 0));
  memcpy(image, &h, sizeof h);
  octet_model model;
  if (octet_model_open(&model, image, size, kAllOps, sizeof kAllOps / sizeof *kAllOps) == OCTET_OK &&
      octet_arena_size(&model) <= kMaxArena) {
    const size_t need = octet_arena_size(&model);
    uint8_t* arena = static_cast<uint8_t*>(aligned_alloc(OCTET_ALIGNMENT, need + (need == 0 ? OCTET_ALIGNMENT : 0)));
    memset(arena, 0x77, need);
    octet_tensor info;
    for (uint32_t i = 0; octet_input_info(&model, i, &info) == OCTET_OK; ++i)
      memset(octet_input(&model, arena, i), static_cast<int>(i + 3), info.bytes);
    if (octet_run(&model, arena, need, nullptr, nullptr) != OCTET_OK) abort();
    free(arena);
  }
  free(image);
  return 0;
}
