// SPDX-License-Identifier: Apache-2.0
// The directory at the end of the archive is what counts; each local header has to say the same.
#include "io/zip.h"

#include <algorithm>
#include <set>

#include "engine/check.h"
#include "io/gzip.h"

namespace octet {
namespace {

using Span = std::span<const std::byte>;

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kMaxComment = 0xffff;
constexpr size_t kMaxEntries = 10000;
constexpr size_t kMaxDescriptor = 24;  // signature, CRC-32, two sizes of 8 bytes
constexpr uint32_t kInExtra = 0xffffffff;
constexpr uint16_t kZip64 = 1;

/// A little-endian number of n bytes.
uint64_t number(Span bytes, size_t at, size_t n) {
  uint64_t value = 0;
  for (size_t i = n; i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(bytes[at + i]);
  return value;
}
uint32_t u32(Span bytes, size_t at) { return static_cast<uint32_t>(number(bytes, at, 4)); }
uint16_t u16(Span bytes, size_t at) { return static_cast<uint16_t>(number(bytes, at, 2)); }

std::string text(Span bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Where the end record is: the one whose comment reaches exactly to the end.
size_t end_record(Span bytes, std::string_view name) {
  check(bytes.size() >= kEndBytes, name, ": zip needs at least ", kEndBytes, " bytes, got ", bytes.size());
  for (size_t comment = 0; comment <= std::min(kMaxComment, bytes.size() - kEndBytes); ++comment) {
    const size_t at = bytes.size() - kEndBytes - comment;
    if (u32(bytes, at) == kEnd && u16(bytes, at + 20) == comment) return at;
  }
  fail(name, ": zip archive has no directory at its end; it is truncated or damaged");
}

/// The two sizes that the zip64 field of a local header holds.
bool zip64_sizes(Span extra, uint64_t& size, uint64_t& packed) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    const size_t length = u16(extra, at + 2);
    if (length > extra.size() - at - 4) return false;
    if (u16(extra, at) == kZip64) {
      if (length < 16) return false;
      size = number(extra, at + 4, 8), packed = number(extra, at + 12, 8);
      return true;
    }
    at += 4 + length;
  }
  return false;
}

/// The data of an entry whose local header is at `at`, and where it ends.
Span local_data(Span bytes, size_t at, uint64_t packed, const ZipEntry& e, std::string_view where) {
  check(at <= bytes.size() && bytes.size() - at >= kLocalBytes && u32(bytes, at) == kLocal, where,
        ": has no local header where the directory says");
  const uint16_t flags = u16(bytes, at + 6);
  const size_t name_bytes = u16(bytes, at + 26), extra_bytes = u16(bytes, at + 28);
  const Span rest = bytes.subspan(at + kLocalBytes);
  check(rest.size() >= name_bytes + extra_bytes && rest.size() - name_bytes - extra_bytes >= packed, where,
        ": reaches beyond the archive");
  check(text(rest.first(name_bytes)) == e.name, where, ": its local header has another name");
  check((u16(bytes, at + 8) == 8) == e.deflated && (flags & 1) == 0, where, ": its local header says otherwise");
  if ((flags & 8) == 0) {  // else sizes follow the data
    uint64_t size = u32(bytes, at + 22), own = u32(bytes, at + 18);
    if (size == kInExtra || own == kInExtra)
      check(zip64_sizes(rest.subspan(name_bytes, extra_bytes), size, own), where, ": its local header lacks its sizes");
    check(size == e.size && own == packed && u32(bytes, at + 14) == e.crc, where,
          ": directory and local header give different sizes or checksums");
  }
  return rest.subspan(name_bytes + extra_bytes, packed);
}

}  // namespace

bool is_zip(Span bytes) { return bytes.size() >= 4 && (u32(bytes, 0) == kLocal || u32(bytes, 0) == kEnd); }

std::vector<ZipEntry> zip_entries(Span bytes, std::string_view name) {
  const size_t end = end_record(bytes, name);
  const size_t count = u16(bytes, end + 10), directory = u32(bytes, end + 16), length = u32(bytes, end + 12);
  check(u32(bytes, end + 4) == 0 && u16(bytes, end + 8) == count, name, ": zip archive of several disks is not supported");
  check(count != 0xffff && directory != kInExtra && length != kInExtra, name,
        ": zip64 archive (4 GiB or 65,535 entries and more) is not supported; save fewer arrays in one file");
  check(count <= kMaxEntries, name, ": has ", count, " entries, at most ", kMaxEntries, " are read");
  check(directory <= end && length == end - directory, name, ": zip directory of ", length, " bytes at ", directory,
        " does not end where it should, at ", end);

  std::vector<ZipEntry> entries;
  std::vector<std::pair<size_t, size_t>> ranges;  // local header and end of data
  std::set<std::string> names;
  uint64_t total = 0;
  const uint64_t most = std::max<uint64_t>(kZipFree, kZipRatio * bytes.size());
  size_t at = directory;
  for (size_t i = 0; i < count; ++i) {
    check(end - at >= kCentralBytes && u32(bytes, at) == kCentral, name, ": zip directory is damaged at entry ", i);
    const size_t name_bytes = u16(bytes, at + 28), behind = u16(bytes, at + 30) + size_t{u16(bytes, at + 32)};
    check(end - at - kCentralBytes >= name_bytes + behind, name, ": zip directory is damaged at entry ", i);
    ZipEntry e;
    e.name = text(bytes.subspan(at + kCentralBytes, name_bytes));
    check(std::ranges::all_of(e.name, [](char c) { return static_cast<unsigned char>(c) >= 32 && c != 127; }) && !e.name.empty(),
          name, ": the name of entry ", i, " is empty or has control characters");
    const std::string where = std::string(name) + ": entry '" + e.name + "'";
    check(names.insert(e.name).second, where, ": is there twice");
    const uint16_t flags = u16(bytes, at + 8), method = u16(bytes, at + 10);
    check((flags & 1) == 0, where, ": is encrypted");
    check(method == 0 || method == 8, where, ": compression method ", method, " is not supported, only stored and deflated");
    e.deflated = method == 8;
    e.crc = u32(bytes, at + 16);
    e.size = u32(bytes, at + 24);
    const size_t packed = u32(bytes, at + 20), local = u32(bytes, at + 42);
    check(packed != kInExtra && e.size != kInExtra && local != kInExtra, where, ": zip64 entry (4 GiB or more) is not supported");
    check(e.deflated || packed == e.size, where, ": is stored, but takes ", packed, " bytes for ", e.size);
    total += e.size;
    check(total <= most, where, ": the archive of ", bytes.size(), " bytes claims to hold ", total, ", at most ", most,
          " are read; save without compression");
    e.data = local_data(bytes.first(directory), local, packed, e, where);
    ranges.emplace_back(local, static_cast<size_t>(e.data.data() - bytes.data()) + packed);
    entries.push_back(std::move(e));
    at += kCentralBytes + name_bytes + behind;
  }
  check(at == end, name, ": zip directory has ", end - at, " bytes behind its last entry");
  std::ranges::sort(ranges);
  size_t reached = 0;
  for (const auto& [from, to] : ranges) {
    check(from >= reached, name, ": zip entries overlap at byte ", from);
    check(from - reached <= (reached == 0 ? 0 : kMaxDescriptor), name, ": bytes ", reached, " to ", from,
          " belong to no zip entry");
    reached = to;
  }
  check(directory - reached <= kMaxDescriptor, name, ": bytes ", reached, " to ", directory, " belong to no zip entry");
  return entries;
}

Bytes zip_content(const ZipEntry& e, std::string_view name) {
  Bytes content = e.deflated ? inflate_raw(e.data, name, e.size) : Bytes(e.data.begin(), e.data.end());
  check(crc32(content) == e.crc, name, ": is damaged, its CRC-32 does not fit");
  return content;
}

Bytes zip_head(const ZipEntry& e, std::string_view name, size_t count) {
  if (e.deflated) return inflate_raw_head(e.data, name, count);
  return {e.data.begin(), e.data.begin() + static_cast<ptrdiff_t>(std::min(count, e.data.size()))};
}

}  // namespace octet
