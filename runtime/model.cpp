// SPDX-License-Identifier: Apache-2.0
// Opening an image: every byte is accounted for before a model exists. One pass over the records and the blobs, constant memory;
// what a step's arguments must satisfy is for its operator to say (runtime/check_*.cpp).
#include "runtime/walk.h"

namespace octet::image {
namespace {

/// a in [0, whole) and length bytes from there on inside it.
bool inside(uint32_t offset, uint32_t length, uint32_t whole) { return offset <= whole && length <= whole - offset; }
bool apart(uint32_t a, uint32_t a_bytes, uint32_t b, uint32_t b_bytes) { return a + a_bytes <= b || b + b_bytes <= a; }
bool zeros(const uint8_t* from, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i)
    if (from[i] != 0) return false;
  return true;
}

/// Finite, positive and normal, in integer arithmetic.
bool positive_normal(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits >= 0x00800000 && bits < 0x7f800000;
}

class Opening {
 public:
  Opening(const uint8_t* image, const octet_op* const* ops, uint32_t op_count) : image_(image), ops_(ops), op_count_(op_count) {}

  octet_status run(size_t bytes) {
    if (const octet_status s = header(bytes)) return s;
    Cursor walk = records_of(image_, header_);
    if (const octet_status s = values(walk)) return s;
    for (uint32_t i = 0; i < uint32_t{header_.inputs} + header_.outputs; ++i)
      if (const octet_status s = port(walk, i)) return s;
    next_value_ = header_.inputs;
    find_next_value();
    for (uint32_t i = 0; i < header_.steps; ++i)
      if (const octet_status s = step(walk, i + 1 == header_.steps)) return s;
    if (!walk.done()) return OCTET_ERROR_RECORD;
    if (next_value_ != header_.values) return OCTET_ERROR_RANGE;
    return padded(cursor_, kAlignment) == header_.bytes && zeros(image_ + cursor_, header_.bytes - cursor_) ? OCTET_OK
                                                                                                            : OCTET_ERROR_RANGE;
  }

 private:
  octet_status header(size_t bytes) {
    if (bytes < sizeof(Header)) return OCTET_ERROR_SIZE;
    header_ = header_of(image_);
    if (__builtin_memcmp(header_.magic, kMagic, sizeof kMagic) != 0) return OCTET_ERROR_MAGIC;
    if (header_.version != kVersion || header_.header_bytes != sizeof(Header)) return OCTET_ERROR_VERSION;
    if (header_.bytes != bytes || header_.bytes % kAlignment != 0) return OCTET_ERROR_SIZE;
    constexpr uint32_t kCrcAt = offsetof(Header, crc), kCrcEnd = kCrcAt + sizeof(uint32_t);
    if (octet_crc32(image_ + kCrcEnd, bytes - kCrcEnd, octet_crc32(image_, kCrcAt, 0)) != header_.crc) return OCTET_ERROR_CHECKSUM;
    if (!zeros(header_.reserved, sizeof header_.reserved)) return OCTET_ERROR_VERSION;
    if (static_cast<uint8_t>(header_.rounding) > static_cast<uint8_t>(Rounding::fixed_single)) return OCTET_ERROR_RECORD;
    if (!inside(header_.header_bytes, header_.records_bytes, header_.bytes) || header_.records_bytes % 4 != 0)
      return OCTET_ERROR_RANGE;
    if (header_.inputs == 0 || header_.outputs == 0 || header_.arena_bytes % kAlignment != 0) return OCTET_ERROR_RECORD;
    cursor_ = header_.header_bytes + header_.records_bytes;
    return OCTET_OK;
  }

  /// The record at the walk's position is complete, of this version and `least` bytes long at the least.
  octet_status record(const Cursor& walk, uint32_t least) const {
    if (!inside(walk.at, sizeof(RecordHeader), walk.end)) return OCTET_ERROR_RECORD;
    const RecordHeader r = walk.peek();
    if (r.version != kRecordVersion) return OCTET_ERROR_VERSION;
    if (r.bytes % 4 != 0 || r.bytes < least || !inside(walk.at + sizeof(RecordHeader), r.bytes, walk.end))
      return OCTET_ERROR_RECORD;
    return OCTET_OK;
  }

  octet_status values(Cursor& walk) {
    if (const octet_status s = record(walk, 0)) return s;
    const RecordHeader r = walk.peek();
    if (r.kind != static_cast<uint16_t>(Kind::values) || r.bytes != header_.values * uint32_t{sizeof(Value)})
      return OCTET_ERROR_RECORD;
    if (header_.values < header_.inputs || header_.values == kNoValue) return OCTET_ERROR_RECORD;
    values_ = walk.payload();
    for (uint16_t i = 0; i < header_.values; ++i) {
      const Value v = value(values_, i);
      if (v.bytes == 0 || v.offset % kAlignment != 0 || !inside(v.offset, v.bytes, header_.arena_bytes)) return OCTET_ERROR_RANGE;
      if (v.reserved != 0) return OCTET_ERROR_RECORD;
      if (v.of == kNoValue) continue;
      if (i < header_.inputs || v.of >= i) return OCTET_ERROR_RANGE;
      const Value other = value(values_, v.of);
      if (!inside(v.offset - other.offset, v.bytes, other.bytes) && !inside(other.offset - v.offset, other.bytes, v.bytes))
        return OCTET_ERROR_RANGE;
    }
    walk.skip();
    return OCTET_OK;
  }

  /// A name of `bytes` bytes and then zeros up to the payload's end; control characters would spoil a terminal.
  static bool name_ok(const uint8_t* at, uint32_t bytes, uint32_t room) {
    if (image::padded(bytes, 4) != room) return false;
    for (uint32_t i = 0; i < bytes; ++i)
      if (at[i] < 0x20 || at[i] > 0x7e) return false;
    return zeros(at + bytes, room - bytes);
  }

  octet_status port(Cursor& walk, uint32_t index) {
    if (const octet_status s = record(walk, sizeof(Port))) return s;
    const RecordHeader r = walk.peek();
    if (r.kind != static_cast<uint16_t>(Kind::port)) return OCTET_ERROR_RECORD;
    const Port p = load<Port>(walk.payload());
    if (p.output != (index < header_.inputs ? 0 : 1) || p.type > OCTET_I16 || p.rank > kMaxRank || p.reserved != 0)
      return OCTET_ERROR_RECORD;
    if (!name_ok(walk.payload() + sizeof(Port), p.name_bytes, r.bytes - uint32_t{sizeof(Port)})) return OCTET_ERROR_RECORD;
    if (p.value >= header_.values || (p.output == 0 && p.value != index)) return OCTET_ERROR_RANGE;
    const int32_t lo = p.type == OCTET_I8 ? -128 : 0;
    const bool around_zero = p.type == OCTET_F32 || p.type == OCTET_I16;
    if (around_zero ? p.zero_point != 0 : p.zero_point < lo || p.zero_point > lo + 255) return OCTET_ERROR_ARGUMENTS;
    if (!positive_normal(p.scale)) return OCTET_ERROR_ARGUMENTS;
    const uint32_t bytes = value(values_, p.value).bytes;
    uint32_t needed = p.type == OCTET_F32 ? 4 : p.type == OCTET_I16 ? 2 : 1;
    for (uint32_t i = 0; i < kMaxRank; ++i) {
      if (i >= p.rank ? p.shape[i] != 0 : p.shape[i] <= 0) return OCTET_ERROR_RECORD;
      if (i < p.rank && __builtin_mul_overflow(needed, static_cast<uint32_t>(p.shape[i]), &needed)) return OCTET_ERROR_RANGE;
    }
    walk.skip();
    return needed == bytes ? OCTET_OK : OCTET_ERROR_RANGE;
  }

  /// Blobs lie one after the other, aligned, with zeros between them; one may be named again.
  bool take_blob(uint32_t offset, uint32_t bytes) {
    if (offset % kAlignment != 0 || bytes == 0 || !inside(offset, bytes, header_.bytes)) return false;
    const uint32_t first = padded(header_.header_bytes + header_.records_bytes, kAlignment);
    if (offset >= first && offset + bytes <= cursor_) return true;
    const uint32_t next = padded(cursor_, kAlignment);
    if (offset != next || !zeros(image_ + cursor_, next - cursor_)) return false;
    cursor_ = offset + bytes;
    return true;
  }

  octet_status tables(const uint8_t* at, uint32_t bias_words) {
    const Tables t = load<Tables>(at);
    uint32_t table;
    if (t.channels == 0 || __builtin_mul_overflow(t.channels, uint32_t{4}, &table)) return OCTET_ERROR_RANGE;
    if (t.weight == 0 ? t.weight_bytes != 0 : !take_blob(t.weight, t.weight_bytes)) return OCTET_ERROR_RANGE;
    uint32_t bias;
    if (__builtin_mul_overflow(table, bias_words, &bias)) return OCTET_ERROR_RANGE;
    const uint32_t rest[] = {t.weight_zero_point, t.scale, t.bias, t.bias_codes, t.multiplier, t.shift};
    for (uint32_t i = 0; i < sizeof rest / sizeof *rest; ++i)
      if (rest[i] != 0 && !take_blob(rest[i], i == 3 ? bias : table)) return OCTET_ERROR_RANGE;
    return OCTET_OK;
  }

  /// The next value that a step has to write.
  void find_next_value() {
    while (next_value_ < header_.values && value(values_, static_cast<uint16_t>(next_value_)).of != kNoValue) ++next_value_;
  }

  /// Where a step reads and writes: only values that were there before it, nothing under its feet unless its operator may.
  octet_status buffers(const Step& s, const uint8_t* payload, const octet_op& op, uint32_t alignment) {
    Value outs[kMostOperands];  // from the operand's offset on
    const uint32_t first_output = operand(payload, s.inputs).value;
    if (!inside(s.scratch_offset, s.scratch_bytes, header_.arena_bytes) || s.scratch_offset % kAlignment != 0)
      return OCTET_ERROR_RANGE;
    for (uint32_t i = 0; i < s.outputs; ++i) {
      const Operand o = operand(payload, s.inputs + i);
      // In the order of their numbers; steps that write one value follow each other.
      if (o.value >= header_.values || o.reserved != 0 || o.offset % alignment != 0) return OCTET_ERROR_RANGE;
      if (!completed_ && s.outputs != 1) return OCTET_ERROR_RECORD;
      if (o.value != (completed_ ? next_value_ : last_value_)) return OCTET_ERROR_RANGE;
      if (completed_) last_value_ = next_value_++, find_next_value();
      const Value v = value(values_, o.value);
      if (o.offset >= v.bytes) return OCTET_ERROR_RANGE;
      outs[i] = {v.offset + o.offset, v.bytes - o.offset, kNoValue, 0};
      if (s.scratch_bytes != 0 && !apart(s.scratch_offset, s.scratch_bytes, outs[i].offset, outs[i].bytes))
        return OCTET_ERROR_RANGE;
      for (uint32_t k = 0; k < i; ++k)
        if (!apart(outs[k].offset, outs[k].bytes, outs[i].offset, outs[i].bytes)) return OCTET_ERROR_RANGE;
    }
    completed_ = (s.flags & kCompletes) != 0;
    for (uint32_t i = 0; i < s.inputs; ++i) {
      const Operand o = operand(payload, i);
      if (o.value >= first_output || o.reserved != 0 || o.offset % alignment != 0) return OCTET_ERROR_RANGE;
      const Value v = value(values_, o.value);
      if (o.offset >= v.bytes) return OCTET_ERROR_RANGE;
      const Value in{v.offset + o.offset, v.bytes - o.offset, kNoValue, 0};
      for (uint32_t k = 0; k < s.outputs; ++k) {
        const bool may_overwrite = k == 0 && (op.overwrites >> i & 1) != 0 && in.offset == outs[0].offset &&
                                   in.bytes == outs[0].bytes && operand(payload, s.inputs).offset == 0;
        if (!may_overwrite && !apart(in.offset, in.bytes, outs[k].offset, outs[k].bytes)) return OCTET_ERROR_RANGE;
      }
      if (s.scratch_bytes != 0 && !apart(s.scratch_offset, s.scratch_bytes, in.offset, in.bytes)) return OCTET_ERROR_RANGE;
    }
    return OCTET_OK;
  }

  octet_status step(Cursor& walk, bool last) {
    if (const octet_status s = record(walk, sizeof(Step))) return s;
    const RecordHeader r = walk.peek();
    if (r.kind < kFirstStep || r.kind > kLastStep) return OCTET_ERROR_RECORD;
    const uint8_t* payload = walk.payload();
    const Step s = load<Step>(payload);
    if ((s.flags != 0 && s.flags != kCompletes && s.flags != (kCompletes | kTemporary)) || s.reserved != 0)
      return OCTET_ERROR_VERSION;
    if (s.inputs > kMostOperands || s.outputs == 0 || s.outputs > kMostOperands || s.tables > kMostTables)
      return OCTET_ERROR_RECORD;
    const StepParts parts = parts_of(s);
    if (s.args_bytes > kMaxArgs || s.args_bytes % 4 != 0 || parts.name > r.bytes) return OCTET_ERROR_RECORD;
    if (!name_ok(payload + parts.name, s.name_bytes, r.bytes - parts.name)) return OCTET_ERROR_RECORD;
    static constexpr kernels::KindTable kKnown;
    for (uint32_t i = 0; i < s.tables; ++i)
      if (const octet_status t = tables(payload + parts.tables + i * sizeof(Tables), kKnown.bias_words(r.kind))) return t;
    walk.skip();
    const Cursor packed = walk;
    const bool takes_packed = s.tables != 0 || kKnown.packs(r.kind);
    if (const octet_status p = packed_weights(walk, takes_packed)) return p;
    bool other = false;
    const octet_op* op = choose_op(ops_, op_count_, r.kind, header_.rounding, packed, &other);
    if (op == nullptr) return other ? OCTET_ERROR_ROUNDING : OCTET_ERROR_OPERATOR;
    if (const octet_status b = buffers(s, payload, *op, kKnown.alignment(r.kind))) return b;
    if (last && !completed_) return OCTET_ERROR_RECORD;
    ArgsBuffer args;
    octet_step resolved = resolve(image_, values_, payload, &args, nullptr);
    for (Cursor w = packed; w.at < walk.at; w.skip()) take_packed(image_, load<Packed>(w.payload()), *op, &resolved);
    return op->check(&resolved);
  }

  /// The packed records of a step, as many as there are.
  octet_status packed_weights(Cursor& walk, bool takes_packed) {
    while (!walk.done()) {
      if (const octet_status s = record(walk, 0)) return s;
      if (walk.peek().kind != static_cast<uint16_t>(Kind::packed)) break;
      if (walk.peek().bytes != sizeof(Packed) || !takes_packed) return OCTET_ERROR_RECORD;
      const Packed p = load<Packed>(walk.payload());
      if (p.family == 0 || p.reserved != 0) return OCTET_ERROR_RECORD;
      if (!take_blob(p.offset, p.bytes)) return OCTET_ERROR_RANGE;
      walk.skip();
    }
    return OCTET_OK;
  }

  const uint8_t* image_;
  const octet_op* const* ops_;
  uint32_t op_count_;
  Header header_{};
  const uint8_t* values_ = nullptr;
  uint32_t cursor_ = 0;                       ///< end of the last blob
  uint32_t next_value_ = 0, last_value_ = 0;  ///< to be written, written last
  bool completed_ = true;                     ///< the value written last
};

}  // namespace
}  // namespace octet::image

uint32_t octet_image_bytes(const void* header) {
  using namespace octet::image;
  static_assert(sizeof(Header) == OCTET_HEADER_BYTES);
  if (header == nullptr) return 0;
  Header h;  // it may lie anywhere
  __builtin_memcpy(&h, header, sizeof h);
  return __builtin_memcmp(h.magic, kMagic, sizeof kMagic) == 0 && h.version == kVersion ? h.bytes : 0;
}

octet_status octet_model_open(octet_model* model, const void* image, size_t bytes, const octet_op* const* ops, size_t op_count) {
  if (model == nullptr || image == nullptr || (ops == nullptr && op_count != 0)) return OCTET_ERROR_NULL;
  for (size_t i = 0; i < op_count; ++i)
    if (ops[i] == nullptr || ops[i]->check == nullptr || ops[i]->run == nullptr) return OCTET_ERROR_NULL;
  if (reinterpret_cast<uintptr_t>(image) % OCTET_ALIGNMENT != 0) return OCTET_ERROR_ALIGNMENT;
  const uint32_t count = static_cast<uint32_t>(op_count);
  const octet_status status = octet::image::Opening(static_cast<const uint8_t*>(image), ops, count).run(bytes);
  if (status == OCTET_OK) *model = octet_model{image, ops, count};
  return status;
}
