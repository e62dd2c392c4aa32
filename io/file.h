// SPDX-License-Identifier: Apache-2.0
// Whole files in and out of memory. Reading has a cap that is checked before anything is allocated; writing either replaces the
// file completely or leaves what was there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace octet {

using Bytes = std::vector<std::byte>;

inline constexpr size_t kMaxRank = 8;  ///< axes of a tensor in any file

/// The whole regular file; throws Error naming it if it is missing, not a regular file, unreadable or larger than `cap` bytes.
Bytes read_file(const std::string& path, uint64_t cap);

/// Writes a temporary file beside `path`, syncs it and renames it over `path`, so that a reader (or a power cut) sees the old
/// content or the new one, never a part. Throws Error naming the file on any failure and leaves no temporary behind. A symbolic
/// link is replaced, not followed; a directory or device is refused.
void write_file(const std::string& path, std::span<const std::byte> bytes);

/// CRC-32 of zlib, gzip and PNG; `so_far` continues an earlier one.
uint32_t crc32(std::span<const std::byte> bytes, uint32_t so_far = 0);

}  // namespace octet
