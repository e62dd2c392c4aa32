// SPDX-License-Identifier: Apache-2.0
// Decompression of one stream held in memory, never beyond a size the caller names: a few kilobytes can claim gigabytes.
#pragma once

#include <span>
#include <string_view>

#include "io/file.h"

namespace octet {

/// Whether the bytes start like a gzip stream.
bool is_gzip(std::span<const std::byte> bytes);

/// The whole content, its length and CRC-32 checked. Throws Error naming `name` if the stream is damaged, truncated, followed by
/// other bytes, or holds more than `cap` bytes.
Bytes gunzip(std::span<const std::byte> bytes, std::string_view name, uint64_t cap);

/// The first `count` bytes of the content, or all of it if it is shorter; says nothing about the rest.
Bytes gunzip_head(std::span<const std::byte> bytes, std::string_view name, size_t count);

/// The same of a deflate stream without a wrapper, as zip files hold them: the whole content, which must be `size` bytes and
/// nothing behind the stream; its first `count` bytes.
Bytes inflate_raw(std::span<const std::byte> bytes, std::string_view name, uint64_t size);
Bytes inflate_raw_head(std::span<const std::byte> bytes, std::string_view name, size_t count);

}  // namespace octet
