// SPDX-License-Identifier: Apache-2.0
// Reading records one after the other: shared by the check of an image, which believes nothing, and by the run of a checked one.
#pragma once

#include "runtime/image.h"
#include "runtime/octet.h"

namespace octet::image {

/// Whatever records hold lies at multiples of four; cores that load only so would read it byte by byte if they were not told.
template <class T>
inline T load(const uint8_t* from) {
  T value;
  __builtin_memcpy(&value, __builtin_assume_aligned(from, 4), sizeof value);
  return value;
}

constexpr uint32_t kMaxArgs = kernels::Kernels::largest();
/// Arguments at an address where every struct of kernels/args.h may lie.
union ArgsBuffer {
  uint32_t aligned;
  uint8_t bytes[kMaxArgs];
};

/// Position in the records: `at` is the offset of the next one.
struct Cursor {
  const uint8_t* image;
  uint32_t at, end;

  bool done() const { return at >= end; }
  RecordHeader peek() const { return load<RecordHeader>(image + at); }
  const uint8_t* payload() const { return image + at + sizeof(RecordHeader); }
  void skip() { at += static_cast<uint32_t>(sizeof(RecordHeader)) + peek().bytes; }
};

inline Header header_of(const void* image) { return load<Header>(static_cast<const uint8_t*>(image)); }
inline Cursor records_of(const uint8_t* image, const Header& h) {
  return {image, h.header_bytes, h.header_bytes + h.records_bytes};
}
/// The values' payload; the first record holds it.
inline const uint8_t* values_of(const uint8_t* image, const Header& h) { return image + h.header_bytes + sizeof(RecordHeader); }
inline Value value(const uint8_t* values, uint16_t index) { return load<Value>(values + index * sizeof(Value)); }

/// The operator of a step of this kind whose packed records begin at `packed`: one whose kernel family's weights are among them,
/// else one that needs no packed weights; null if neither was given. `other` is set if one for another rounding was.
inline const octet_op* choose_op(const octet_op* const* ops, uint32_t count, uint16_t kind, Rounding rounding, Cursor packed,
                                 bool* other) {
  const octet_op* plain = nullptr;
  for (uint32_t i = 0; i < count; ++i) {
    const octet_op* op = ops[i];
    if (op->kind != kind) continue;
    if (op->rounding != OCTET_ANY_ROUNDING && op->rounding != static_cast<uint8_t>(rounding)) {
      *other = true;
      continue;
    }
    if (op->family == 0) {
      if (plain == nullptr) plain = op;
      continue;
    }
    for (Cursor w = packed; !w.done() && w.peek().kind == static_cast<uint16_t>(Kind::packed); w.skip()) {
      const Packed p = load<Packed>(w.payload());
      if (p.family == op->family && p.version == op->family_version) return op;
    }
  }
  return plain;
}

inline uint8_t* place(void* arena, uint32_t offset) { return arena == nullptr ? nullptr : static_cast<uint8_t*>(arena) + offset; }
template <class T>
const T* blob(const uint8_t* image, uint32_t offset) {
  return offset == 0 ? nullptr : reinterpret_cast<const T*>(image + offset);
}

inline Operand operand(const uint8_t* payload, uint32_t index) {
  return load<Operand>(payload + sizeof(Step) + index * sizeof(Operand));
}

/// A step as its operator sees it; `payload` is the step's record, whose sizes were checked. Arena null: sizes only.
inline octet_step resolve(const uint8_t* image, const uint8_t* values, const uint8_t* payload, ArgsBuffer* args, void* arena) {
  const Step s = load<Step>(payload);
  const StepParts parts = parts_of(s);
  octet_step step;  // field by field: a library's memset writes it byte by byte
  __builtin_memcpy(args->bytes, payload + parts.args, s.args_bytes);
  step.args = args->bytes;
  step.args_bytes = s.args_bytes;
  step.input_count = s.inputs, step.output_count = s.outputs, step.table_count = s.tables;
  for (uint32_t i = 0; i < kMostOperands; ++i) {
    step.input[i] = nullptr, step.input_bytes[i] = 0;
    step.output[i] = nullptr, step.output_bytes[i] = 0;
  }
  for (uint32_t i = 0; i < s.inputs; ++i) {
    const Operand o = operand(payload, i);
    const Value v = value(values, o.value);
    step.input[i] = place(arena, v.offset + o.offset);
    step.input_bytes[i] = v.bytes - o.offset;
  }
  for (uint32_t i = 0; i < s.outputs; ++i) {
    const Operand o = operand(payload, s.inputs + i);
    const Value v = value(values, o.value);
    step.output[i] = place(arena, v.offset + o.offset);
    step.output_bytes[i] = v.bytes - o.offset;
  }
  for (uint32_t i = 0; i < kMostTables; ++i) {
    Tables t = {0, 0, 0, 0, 0, 0, 0, 0, 0};
    if (i < s.tables) t = load<Tables>(payload + parts.tables + i * sizeof(Tables));
    octet_tables& to = step.tables[i];
    to.weight = blob<int8_t>(image, t.weight);
    to.weight_bytes = t.weight_bytes;
    to.channels = t.channels;
    to.weight_zero_point = blob<int32_t>(image, t.weight_zero_point);
    to.scale = blob<float>(image, t.scale);
    to.bias = blob<float>(image, t.bias);
    to.bias_codes = blob<int32_t>(image, t.bias_codes);
    to.multiplier = blob<int32_t>(image, t.multiplier);
    to.shift = blob<int32_t>(image, t.shift);
  }
  step.packed = nullptr, step.packed_bytes = 0;
  step.scratch_bytes = s.scratch_bytes;
  step.scratch = s.scratch_bytes != 0 ? place(arena, s.scratch_offset) : nullptr;
  return step;
}

/// Takes a packed record's weights if they are for this operator's kernel family.
inline void take_packed(const uint8_t* image, const Packed& p, const octet_op& op, octet_step* step) {
  if (op.family == 0 || p.family != op.family || p.version != op.family_version) return;
  step->packed = image + p.offset;
  step->packed_bytes = p.bytes;
}

}  // namespace octet::image
