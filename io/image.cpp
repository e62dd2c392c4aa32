// SPDX-License-Identifier: Apache-2.0
// The image writer: records first, blobs behind them in the order in which records name them.
#include "io/image.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "kernels/float_scope.h"
#include "runtime/image.h"

namespace octet {
namespace {

using image::Kind;

/// Bytes that grow; everything in the format is plain and little-endian, as every host octet runs on.
struct Buffer {
  Bytes bytes;

  template <class T>
  void put(const T& value) {
    put(&value, sizeof value);
  }
  void put(const void* from, size_t count) {
    const auto* p = static_cast<const std::byte*>(from);
    bytes.insert(bytes.end(), p, p + count);
  }
  void pad(size_t unit) { bytes.resize((bytes.size() + unit - 1) / unit * unit); }
};

/// Control characters and what is not ASCII have no place in firmware's terminals.
std::string printable(const std::string& path) {
  std::string name = path.substr(0, 255);
  for (char& c : name)
    if (c < 0x20 || c > 0x7e) c = '?';
  return name;
}

class Writer {
 public:
  explicit Writer(const FirmwarePlan& plan) : plan_(plan) {}

  Bytes run() {
    values();
    for (const FirmwarePort& p : plan_.inputs) port(p, false);
    for (const FirmwarePort& p : plan_.outputs) port(p, true);
    for (const FirmwareStep& s : plan_.steps) step(s);
    return joined();
  }
  int64_t size_of(const FirmwareStep& s) {
    step(s);
    return static_cast<int64_t>(records_.bytes.size() + blobs_.bytes.size());
  }

 private:
  void record(uint16_t kind, size_t bytes) {
    records_.put(image::RecordHeader{kind, image::kRecordVersion, static_cast<uint32_t>(bytes)});
  }
  void record(Kind kind, size_t bytes) { record(static_cast<uint16_t>(kind), bytes); }

  void values() {
    record(Kind::values, plan_.values.size() * sizeof(image::Value));
    for (const FirmwareValue& v : plan_.values)
      records_.put(image::Value{static_cast<uint32_t>(v.offset), static_cast<uint32_t>(v.bytes),
                                v.of < 0 ? image::kNoValue : static_cast<uint16_t>(v.of), 0});
  }

  void port(const FirmwarePort& p, bool output) {
    check(p.shape.size() <= image::kMaxRank, p.path, ": ", to_string(p.shape), " has more than ", image::kMaxRank, " dimensions");
    const std::string name = printable(p.path);
    image::Port r{};
    r.value = static_cast<uint16_t>(p.value);
    r.output = output ? 1 : 0;
    r.type = p.dtype == DType::u8 ? OCTET_U8 : p.dtype == DType::i8 ? OCTET_I8 : p.dtype == DType::i16 ? OCTET_I16 : OCTET_F32;
    r.rank = static_cast<uint8_t>(p.shape.size());
    r.name_bytes = static_cast<uint8_t>(name.size());
    for (size_t i = 0; i < p.shape.size(); ++i) r.shape[i] = static_cast<int32_t>(p.shape[i]);
    r.scale = p.scale;
    r.zero_point = p.zero_point;
    record(Kind::port, sizeof r + image::padded(r.name_bytes, 4));
    records_.put(r);
    records_.put(name.data(), name.size());
    records_.pad(4);
  }

  /// Appends a blob, or finds an equal one: layers that share weights store them once. Its offset counts from the blobs' begin
  /// until the end is known.
  uint32_t blob(const void* from, size_t bytes) {
    if (bytes == 0) return 0;
    const std::string_view content(static_cast<const char*>(from), bytes);
    const auto [first, last] = stored_.equal_range(std::hash<std::string_view>{}(content));
    for (auto it = first; it != last; ++it)
      if (const auto& [at, size] = it->second; size == bytes && std::memcmp(&blobs_.bytes[at], from, bytes) == 0)
        return static_cast<uint32_t>(at) + kPending;
    blobs_.pad(image::kAlignment);
    const size_t offset = blobs_.bytes.size();
    blobs_.put(from, bytes);
    stored_.emplace(std::hash<std::string_view>{}(content), std::pair{offset, bytes});
    return static_cast<uint32_t>(offset) + kPending;
  }
  template <class T>
  uint32_t blob(const std::vector<T>& v) {
    return blob(v.data(), v.size() * sizeof(T));
  }

  image::Tables tables(const FirmwareStep& s) {
    const Blobs& b = *s.blobs;
    const bool plain = std::ranges::none_of(s.packed, [](const PackedWeights& p) { return p.replaces_plain; });
    const bool real = plan_.rounding == Rounding::real;
    image::Tables t{};
    t.channels = static_cast<uint32_t>(channels_of(s.args));
    if (!plain) return t;  // packed weights hold everything
    t.weight = blob(b.weight.plain().get(), b.weight.size());
    t.weight_bytes = static_cast<uint32_t>(b.weight.size());
    if (constants_of(s.args) != kernels::Constants::channels) return t;
    check((real ? b.scale.size() : b.multiplier.size()) == t.channels, s.path, ": no rescaling tables for rounding ",
          to_string(plan_.rounding));
    t.weight_zero_point = blob(b.weight_zero_point);
    if (real) {
      t.scale = blob(b.scale);
      t.bias = b.bias.empty() ? blob(std::vector<float>(t.channels)) : blob(b.bias);
    } else {
      const size_t words = size_t{t.channels} * device_op(s.args).bias_words;
      t.bias_codes = b.bias_codes.empty() ? blob(std::vector<int32_t>(words)) : blob(b.bias_codes);
      t.multiplier = blob(b.multiplier);
      t.shift = blob(b.shift);
    }
    return t;
  }

  void step(const FirmwareStep& s) {
    const std::string name = plan_.layer_names ? printable(s.path) : std::string();
    image::Step r{};
    r.inputs = static_cast<uint8_t>(s.inputs.size()), r.outputs = static_cast<uint8_t>(s.outputs.size());
    r.tables = s.blobs ? 1 : 0;
    check(s.inputs.size() <= image::kMostOperands && !s.outputs.empty() && s.outputs.size() <= image::kMostOperands, s.path, ": ",
          s.inputs.size(), " inputs and ", s.outputs.size(), " outputs; a device takes ", image::kMostOperands);
    r.name_bytes = static_cast<uint8_t>(name.size());
    r.flags = static_cast<uint8_t>((s.completes ? image::kCompletes : 0) | (s.temporary ? image::kTemporary : 0));
    r.scratch_offset = static_cast<uint32_t>(s.scratch_offset);
    r.scratch_bytes = static_cast<uint32_t>(s.scratch_bytes);
    std::visit([&](const auto& args) { r.args_bytes = static_cast<uint16_t>(sizeof args); }, s.args);
    record(device_op(s.args).kind, sizeof r + (s.inputs.size() + s.outputs.size()) * sizeof(image::Operand) + r.args_bytes +
                                       r.tables * sizeof(image::Tables) + image::padded(r.name_bytes, 4));
    records_.put(r);
    for (const auto* operands : {&s.inputs, &s.outputs})
      for (const FirmwareOperand& o : *operands)
        records_.put(image::Operand{static_cast<uint16_t>(o.value), 0, static_cast<uint32_t>(o.offset)});
    std::visit([&](const auto& args) { records_.put(args); }, s.args);
    if (s.blobs) {
      fixups_.push_back({records_.bytes.size(), sizeof(image::Tables) / 4});
      records_.put(tables(s));
    }
    records_.put(name.data(), name.size());
    records_.pad(4);
    for (const PackedWeights& p : s.packed) {
      record(Kind::packed, sizeof(image::Packed));
      fixups_.push_back({records_.bytes.size() + offsetof(image::Packed, offset), 1});
      records_.put(image::Packed{p.family, p.version, blob(p.bytes), static_cast<uint32_t>(p.bytes.size()), 0});
    }
  }

  Bytes joined() {
    image::Header h{};
    std::ranges::copy(image::kMagic, h.magic);
    h.version = image::kVersion;
    h.header_bytes = sizeof h;
    h.records_bytes = static_cast<uint32_t>(records_.bytes.size());
    h.arena_bytes = static_cast<uint32_t>(plan_.arena_bytes);
    h.values = static_cast<uint16_t>(plan_.values.size());
    h.inputs = static_cast<uint16_t>(plan_.inputs.size());
    h.outputs = static_cast<uint16_t>(plan_.outputs.size());
    h.steps = static_cast<uint16_t>(plan_.steps.size());
    h.rounding = plan_.rounding;
    const auto first = image::padded(static_cast<uint32_t>(sizeof h + records_.bytes.size()), image::kAlignment);
    for (const auto& [at, words] : fixups_)
      for (size_t i = 0; i < words; ++i) {
        uint32_t word;
        std::memcpy(&word, &records_.bytes[at + 4 * i], 4);
        if (word >= kPending) word += first - kPending;
        std::memcpy(&records_.bytes[at + 4 * i], &word, 4);
      }
    Buffer all;
    all.put(h);
    all.put(records_.bytes.data(), records_.bytes.size());
    all.pad(image::kAlignment);
    all.put(blobs_.bytes.data(), blobs_.bytes.size());
    all.pad(image::kAlignment);
    check(all.bytes.size() < kPending, "firmware: an image of ", all.bytes.size(), " bytes");
    h.bytes = static_cast<uint32_t>(all.bytes.size());
    std::memcpy(all.bytes.data(), &h, sizeof h);
    constexpr size_t kCrcAt = offsetof(image::Header, crc), kCrcEnd = kCrcAt + sizeof h.crc;
    const std::span<const std::byte> bytes = all.bytes;
    h.crc = crc32(bytes.subspan(kCrcEnd), crc32(bytes.first(kCrcAt)));
    std::memcpy(all.bytes.data(), &h, sizeof h);
    return std::move(all.bytes);
  }

  /// Marks offsets among the blobs until these have a place; no image is that large.
  static constexpr uint32_t kPending = uint32_t{1} << 31;

  const FirmwarePlan& plan_;
  Buffer records_, blobs_;
  std::unordered_multimap<size_t, std::pair<size_t, size_t>> stored_;  // offset and size of a blob, by hash
  std::vector<std::pair<size_t, size_t>> fixups_;                      // place and number of words that may be such offsets
};

}  // namespace

Bytes image_bytes(const FirmwarePlan& plan) try {
  const FloatScope environment;
  return Writer(plan).run();
} catch (const std::bad_alloc&) {
  fail("image_bytes: out of memory");
}

int64_t flash_bytes(const FirmwareStep& step, Rounding rounding, bool layer_names) {
  FirmwarePlan alone;
  alone.rounding = rounding;
  alone.layer_names = layer_names;
  return Writer(alone).size_of(step);
}

}  // namespace octet
