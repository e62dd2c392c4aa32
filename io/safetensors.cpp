// SPDX-License-Identifier: Apache-2.0
// Layout: u64 header length (little-endian), JSON header padded with spaces, data. Tensors lie by falling element size, then by
// name, so that each is aligned to its element.
#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "io/elements.h"
#include "io/json.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr int kHeaderDepth = 4;  // {"name": {"shape": [ is three
constexpr std::string_view kMetadata = "__metadata__";
constexpr std::string_view kDataCrc = "octet.crc32.data", kHeaderCrc = "octet.crc32.header";
constexpr std::string_view kZeroCrc = "00000000";
constexpr std::string_view kZipMagic = "PK\3\4", kPickleMagic = "\x80\2\x8a\n";
// In Element's order.
constexpr std::array<std::string_view, kElements> kTypes{"F32", "F64", "U8",  "I8",  "I16", "I32", "BOOL",
                                                         "U16", "U32", "U64", "I64", "F16", "BF16"};
constexpr std::string_view kReadable = "F32 F64 F16 BF16 BOOL U8 I8 U16 I16 U32 I32 U64 I64";

std::string_view spelling(DType dtype) { return kTypes[static_cast<size_t>(dtype)]; }

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

std::string hex(uint32_t value) {
  std::string digits(8, '0');
  for (size_t i = 8; i-- > 0; value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  return digits;
}

/// Where the digits of the header's own checksum are: the entry exactly as safetensors_bytes writes it. Quotes inside JSON strings
/// are escaped, so nothing else can look like it.
std::optional<size_t> find_header_crc(std::string_view header) {
  const std::string entry = '"' + std::string(kHeaderCrc) + "\":\"";
  const size_t at = header.find(entry);
  if (at == std::string_view::npos) return std::nullopt;
  const size_t digits = at + entry.size();
  if (header.size() - digits <= kZeroCrc.size() || header[digits + kZeroCrc.size()] != '"') return std::nullopt;
  return digits;
}

uint32_t header_crc(std::string_view header, size_t digits) {
  uint32_t crc = crc32(as_bytes(header.substr(0, digits)));
  crc = crc32(as_bytes(kZeroCrc), crc);
  return crc32(as_bytes(header.substr(digits + kZeroCrc.size())), crc);
}

/// One entry of the header, sizes proven to fit the data section.
struct Entry {
  std::string name;
  Element type{};
  Shape shape;
  uint64_t begin = 0, end = 0;
};

Entry parse_entry(const std::string& key, const json::Value& value, uint64_t data_bytes, std::string_view file) {
  const std::string name = std::string(file) + ": tensor '" + key + "'";
  json::expect_object(value, {"dtype", "shape", "data_offsets"}, name);
  Entry e;
  e.name = key;
  const std::string& dtype = json::string(json::at(value, "dtype", name), name + " dtype");
  const auto type = std::ranges::find(kTypes, dtype);
  check(type != kTypes.end(), name, ": dtype ", dtype, " is not supported, only ", kReadable);
  e.type = static_cast<Element>(type - kTypes.begin());

  const json::Value& shape = json::array(json::at(value, "shape", name), name + " shape");
  check(shape.size() <= kMaxRank, name, ": has ", shape.size(), " axes, at most ", kMaxRank, " are read");
  uint64_t bytes = size_of(e.type);
  for (const json::Value& d : shape) {
    e.shape.push_back(json::integer(d, 0, std::numeric_limits<int64_t>::max(), name + " shape"));
    check(!__builtin_mul_overflow(bytes, static_cast<uint64_t>(e.shape.back()), &bytes), name, ": shape ", shape.dump(),
          " is too large");
  }

  const json::Value& offsets = json::array(json::at(value, "data_offsets", name), 2, name + " data_offsets");
  const auto offset = [&](size_t i) {
    return static_cast<uint64_t>(json::integer(offsets[i], 0, std::numeric_limits<int64_t>::max(), name + " data_offsets"));
  };
  e.begin = offset(0), e.end = offset(1);
  check(e.begin <= e.end && e.end <= data_bytes, name, ": data_offsets ", offsets.dump(), " do not lie in the ", data_bytes,
        " bytes of data");
  check(e.end - e.begin == bytes, name, ": shape ", to_string(e.shape), " of ", dtype, " needs ", bytes,
        " bytes, data_offsets give ", e.end - e.begin);
  return e;
}

/// Compares and removes the checksums. Both or neither: a damaged name of one must not switch the check off.
void check_crcs(SafeTensors& file, std::string_view header, std::span<const std::byte> data, std::string_view name) {
  const auto stored_data = file.metadata.extract(std::string(kDataCrc));
  const auto stored_header = file.metadata.extract(std::string(kHeaderCrc));
  check(stored_data.empty() == stored_header.empty(), name, ": has only one of the metadata entries ", kDataCrc, " and ",
        kHeaderCrc);
  if (stored_data.empty()) {
    file.notes.push_back(std::string(name) + ": has no checksums; damage cannot be detected");
    return;
  }
  const auto digits = find_header_crc(header);
  check(digits && header.substr(*digits, kZeroCrc.size()) == stored_header.mapped(), name, ": ", kHeaderCrc,
        " is not written as eight digits; remove both checksums after editing a file");
  const std::string header_now = hex(header_crc(header, *digits)), data_now = hex(crc32(data));
  check(stored_header.mapped() == header_now, name, ": header is damaged: CRC-32 is ", header_now, ", stored ",
        stored_header.mapped());
  check(stored_data.mapped() == data_now, name, ": data is damaged: CRC-32 is ", data_now, ", stored ", stored_data.mapped());
}

}  // namespace

SafeTensors parse_safetensors(std::span<const std::byte> bytes, std::string_view name) {
  // As lengths of a header, both would be far beyond what is read.
  for (const std::string_view pickle : {kZipMagic, kPickleMagic})
    check(bytes.size() < pickle.size() || std::memcmp(bytes.data(), pickle.data(), pickle.size()) != 0, name,
          ": is what torch.save writes, a Python pickle; write the state dict with safetensors.torch.save_file");
  check(bytes.size() >= kLengthBytes, name, ": safetensors needs at least ", kLengthBytes, " bytes, got ", bytes.size());
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  check(length <= bytes.size() - kLengthBytes, name, ": header claims ", length, " bytes, the file has ",
        bytes.size() - kLengthBytes);
  check(length <= kMaxSafeTensorsHeader, name, ": header claims ", length, " bytes, at most ", kMaxSafeTensorsHeader, " are read");
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + length);
  check(header.starts_with('{'), name, ": header does not start with '{'");
  const json::Value root = json::parse(header, std::string(name) + ": header", kHeaderDepth);

  SafeTensors file;
  std::vector<Entry> entries;
  for (const auto& item : root.items()) {
    if (item.key() != kMetadata) {
      entries.push_back(parse_entry(item.key(), item.value(), data.size(), name));
      continue;
    }
    check(item.value().is_object(), name, ": ", kMetadata, " is not an object");
    for (const auto& pair : item.value().items())
      file.metadata.emplace(pair.key(), json::string(pair.value(), std::string(name) + ": metadata '" + pair.key() + "'"));
  }
  check_crcs(file, header, data, name);

  std::ranges::sort(entries, {}, [](const Entry& e) { return std::pair(e.begin, e.end); });
  uint64_t expected = 0;
  for (const Entry& e : entries) {
    check(e.begin == expected, name, ": tensor '", e.name, "' begins at byte ", e.begin, " of the data, expected ", expected,
          " (ranges may neither overlap nor leave holes)");
    expected = e.end;
  }
  check(expected == data.size(), name, ": ", data.size() - expected, " bytes at the end belong to no tensor");
  const FloatScope environment;
  std::array<size_t, kElements> counts{};
  for (Entry& e : entries) {
    ++counts[static_cast<size_t>(e.type)];
    Tensor t = tensor_of(e.type, std::move(e.shape), data.subspan(e.begin, e.end - e.begin),
                         std::string(name) + ": tensor '" + e.name + "'");
    file.tensors.emplace(std::move(e.name), std::move(t));
  }
  for (size_t i = 0; i < kElements; ++i)
    if (const auto type = static_cast<Element>(i); counts[i] > 0 && !is_dtype(type))
      file.notes.push_back(std::string(name) + ": tensors of " + std::string(kTypes[i]) + " are held as " +
                           std::string(to_string(held_as(type))) + ": " + std::to_string(counts[i]));
  return file;
}

SafeTensors load_safetensors(const std::string& path) { return parse_safetensors(read_file(path, kMaxSafeTensorsFile), path); }

Bytes safetensors_bytes(const SafeTensors& file, std::string_view name) {
  std::vector<const std::pair<const std::string, Tensor>*> order;
  for (const auto& entry : file.tensors) order.push_back(&entry);
  std::ranges::stable_sort(order, std::greater<>(), [](const auto* entry) { return size_of(entry->second.dtype()); });

  json::Value root = json::Value::object();
  uint64_t at = 0;
  uint32_t data_crc = 0;
  for (const auto* entry : order) {
    const Tensor& t = entry->second;
    check(entry->first != kMetadata, name, ": a tensor cannot be named ", kMetadata);
    check(t.rank() <= kMaxRank, name, ": tensor '", entry->first, "' has ", t.rank(), " axes, at most ", kMaxRank, " are written");
    root[entry->first] = {{"dtype", spelling(t.dtype())}, {"shape", t.shape()}, {"data_offsets", {at, at + t.bytes()}}};
    data_crc = crc32({static_cast<const std::byte*>(t.raw()), t.bytes()}, data_crc);
    at += t.bytes();
  }
  json::Value& metadata = root[std::string(kMetadata)] = file.metadata;
  metadata[std::string(kDataCrc)] = hex(data_crc);
  metadata[std::string(kHeaderCrc)] = kZeroCrc;
  std::string header = json::dump(root, name);
  header.resize((header.size() + 7) / 8 * 8, ' ');
  check(header.size() <= kMaxSafeTensorsHeader, name, ": header needs ", header.size(), " bytes, at most ", kMaxSafeTensorsHeader,
        " are written");
  const auto digits = find_header_crc(header);
  check(digits.has_value(), name, ": header has no place for its checksum");
  header.replace(*digits, kZeroCrc.size(), hex(header_crc(header, *digits)));

  Bytes bytes(kLengthBytes + header.size() + at);
  const uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, kLengthBytes);
  std::memcpy(bytes.data() + kLengthBytes, header.data(), header.size());
  std::byte* to = bytes.data() + kLengthBytes + header.size();
  for (const auto* entry : order) {
    const Tensor& t = entry->second;
    if (t.bytes() > 0) std::memcpy(to, t.raw(), t.bytes());
    to += t.bytes();
  }
  return bytes;
}

void save_safetensors(const std::string& path, const SafeTensors& file) { write_file(path, safetensors_bytes(file, path)); }

}  // namespace octet
