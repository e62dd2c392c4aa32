// SPDX-License-Identifier: Apache-2.0
// Changing images on purpose: structs out of bytes and back, the records of an image, a checksum that is right again.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "io/file.h"
#include "runtime/image.h"

namespace octet::device {

template <class T>
T take(std::span<const std::byte> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}
template <class T>
void put(Bytes& bytes, size_t at, const T& value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// Makes the header's size and checksum agree with the bytes.
inline void repair_checksum(Bytes& bytes) {
  constexpr size_t kCrcAt = offsetof(image::Header, crc);
  const std::span<const std::byte> all = bytes;
  put(bytes, offsetof(image::Header, bytes), static_cast<uint32_t>(bytes.size()));
  put(bytes, kCrcAt, crc32(all.subspan(kCrcAt + 4), crc32(all.first(kCrcAt))));
}

struct Record {
  uint16_t kind;
  size_t payload;
  uint32_t bytes;
};

inline std::vector<Record> records_in(std::span<const std::byte> good) {
  std::vector<Record> records;
  const auto h = take<image::Header>(good, 0);
  for (size_t at = h.header_bytes; at < size_t{h.header_bytes} + h.records_bytes;) {
    const auto r = take<image::RecordHeader>(good, at);
    records.push_back({r.kind, at + sizeof r, r.bytes});
    at += sizeof r + r.bytes;
  }
  return records;
}

}  // namespace octet::device
