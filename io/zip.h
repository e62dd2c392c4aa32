// SPDX-License-Identifier: Apache-2.0
// The entries of a zip archive held in memory, as far as NumPy writes them: stored or deflated, one disk, no encryption, below 4
// GiB in all (the zip64 fields of local headers, which NumPy writes always, are read). Private to io/.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"

namespace octet {

struct ZipEntry {
  std::string name;
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t size = 0;                ///< of the content
  std::span<const std::byte> data;  ///< as it lies in the archive
};

bool is_zip(std::span<const std::byte> bytes);

/// The list of entries, of which nothing is inflated yet. Throws Error naming `name`, and the entry, if names repeat, if headers
/// disagree, if entries overlap or leave more room between them than descriptors take, and if their contents could not all be what
/// they claim: beyond kZipFree bytes an archive may hold kZipRatio times its own size.
std::vector<ZipEntry> zip_entries(std::span<const std::byte> bytes, std::string_view name);
inline constexpr uint64_t kZipFree = uint64_t{16} << 20, kZipRatio = 100;

/// The content, its length and CRC-32 checked; its first `count` bytes, unchecked.
Bytes zip_content(const ZipEntry&, std::string_view name);
Bytes zip_head(const ZipEntry&, std::string_view name, size_t count);

}  // namespace octet
