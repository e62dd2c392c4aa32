// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the .npz reader and the zip reader below it. Checksums are repaired first where the entries can be found at all,
// or no mutation of an array would get past them.
#include "io/npz.h"

#include <algorithm>

#include "io/zip.h"
#include "tests/fuzz/target.h"

namespace {

/// Gives the entry's CRC-32 to its header, the directory's or the local one, wherever the old one stands in front of its sizes.
void replace_crc(octet::Bytes& bytes, uint32_t from, uint32_t to) {
  for (size_t at = 14; at + 4 <= bytes.size(); ++at) {
    uint32_t here = 0;
    for (size_t i = 4; i-- > 0;) here = here << 8 | std::to_integer<uint32_t>(bytes[at + i]);
    if (here != from) continue;
    for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::byte>(to >> 8 * i & 255);
  }
}

}  // namespace

void octet::fuzz::run(Span bytes) {
  accepted([&] { parse_npz(bytes, "x"); });
  Bytes repaired(bytes.begin(), bytes.end());
  const bool listed = accepted([&] {
    for (const ZipEntry& e : zip_entries(bytes, "x")) {
      if (e.deflated || e.crc == 0 || e.size > 4096) continue;
      replace_crc(repaired, e.crc, crc32(e.data));
    }
  });
  if (listed) accepted([&] { parse_npz(repaired, "x"); });
}
