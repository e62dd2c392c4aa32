// SPDX-License-Identifier: Apache-2.0
// The firmware image, byte by byte: a header, records {kind, version, bytes} with plain little-endian payloads, then 16-byte
// aligned blobs that records name by offset from the image's start. Nothing in it is a pointer and nothing in it is ever written.
// The writer is io/image.cpp, the reader runtime/model.cpp; tests/runtime/format.cpp pins every offset, and a change is a new
// version.
#pragma once

#include "kernels/list.h"
#include "runtime/octet.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "octet's images are little-endian"
#endif

namespace octet::image {

constexpr uint8_t kMagic[4] = {'O', 'C', 'T', 'I'};
constexpr uint16_t kVersion = 4;
constexpr uint32_t kAlignment = 16;
constexpr uint32_t kMaxRank = 6;
constexpr uint16_t kNoValue = 0xffff;
constexpr uint32_t kMostOperands = OCTET_MAX_OPERANDS;  ///< inputs of a step, and outputs
constexpr uint32_t kMostTables = OCTET_MAX_TABLES;
/// Largest dimension, stride, padding or kernel side of a step: products of two stay below 2^30.
constexpr int32_t kMaxSide = 1 << 15;
/// Most cells that an average is of: so many codes of 255 stay below 2^30.
constexpr int32_t kMaxCells = 1 << 22;
/// Most weights of a channel: their sum of magnitudes stays below 2^31.
constexpr int32_t kMaxRow = 1 << 23;

/// Whether what a packed layer's kernel computes of its sizes stays within 32 bits.
constexpr bool packable(const kernels::Conv2dArgs& a) {
  constexpr int64_t kMaxWeights = 1 << 26, kMaxRows = 1 << 28;
  const int64_t width = int64_t{a.out_w - 1} * a.stride_w + a.kernel_w, height = int64_t{a.out_h - 1} * a.stride_h + a.kernel_h;
  const int64_t window = int64_t{a.kernel_h} * a.kernel_w * a.in_c;
  return width <= kMaxSide && height <= kMaxSide && width * a.in_c * (a.kernel_h + a.stride_h) <= kMaxRows &&
         window * a.out_c <= kMaxWeights * a.groups;
}
constexpr bool packable(const kernels::LinearArgs& a) { return int64_t{a.in} * a.out <= 1 << 26; }

/// Record kinds: values first, then ports (inputs before outputs), then steps in the order of running, each followed by its packed
/// weights. A step's kind is its kernel's (kernels/info.h).
enum class Kind : uint16_t { values = 1, port = 2, packed = 64 };
constexpr uint16_t kFirstStep = 16, kLastStep = kernels::last_kind();
static_assert(kLastStep < static_cast<uint16_t>(Kind::packed));

struct Header {
  uint8_t magic[4];
  uint16_t version, header_bytes;
  uint32_t bytes;          ///< of the whole image, a multiple of 16
  uint32_t crc;            ///< CRC-32 of all other bytes
  uint32_t records_bytes;  ///< from the header's end; blobs begin at the next multiple of 16
  uint32_t arena_bytes;
  uint16_t values, inputs, outputs, steps;
  Rounding rounding;
  uint8_t reserved[15];
};

/// In front of every record's payload, whose size is a multiple of 4.
struct RecordHeader {
  uint16_t kind, version;
  uint32_t bytes;
};
constexpr uint16_t kRecordVersion = 2;

/// Payload of Kind::values: one for each tensor, numbered in the order in which they are there, inputs first.
struct Value {
  uint32_t offset, bytes;  ///< in the arena
  uint16_t of;             ///< kNoValue: an input, or a step writes it; else it is a piece of this value, or made of it and others
  uint16_t reserved;
};

/// Payload of Kind::port, then the name.
struct Port {
  uint16_t value;
  uint8_t output;  ///< 0: input, 1: output
  uint8_t type;    ///< octet_type: u8, i8, f32, i16
  uint8_t rank, name_bytes;
  uint16_t reserved;
  int32_t shape[kMaxRank];  ///< zeros past the rank
  float scale;
  int32_t zero_point;
};

/// Part of a value: from this byte to its end.
struct Operand {
  uint16_t value, reserved;
  uint32_t offset;
};

/// Payload of a step, then its operands (inputs, then outputs), its arguments (kernels/args.h), its tables, its name.
struct Step {
  uint8_t inputs, outputs, tables, flags;  ///< how many of each
  uint16_t args_bytes;
  uint8_t name_bytes, reserved;
  uint32_t scratch_offset, scratch_bytes;
};
constexpr uint8_t kCompletes = 1;  ///< no later step writes these outputs
constexpr uint8_t kTemporary = 2;  ///< with it: they are no layer's, but handed from one of its steps to the next

/// Where a weighted step's tables lie; 0: none. Blobs follow each other in the order of the fields that name them.
struct Tables {
  uint32_t weight, weight_bytes, channels;
  uint32_t weight_zero_point, scale, bias, bias_codes, multiplier, shift;  ///< bias codes of 16-bit layers: two words a channel
};

/// Whose layout packed weights have; 0 is none, below 1024 are octet's own.
enum class Family : uint16_t { m4 = 1, m4_depthwise = 2, m55 = 3, m55_depthwise = 4, m4_sums = 5, m55_sums = 6 };
constexpr uint16_t kFamilyVersion = 1;

/// Payload of Kind::packed: the weights of the step before it in the layout of one kernel family.
struct Packed {
  uint16_t family, version;
  uint32_t offset, bytes, reserved;
};

/// Where the parts of a step's payload begin.
struct StepParts {
  uint32_t operands, args, tables, name;
};
constexpr StepParts parts_of(const Step& s) {
  StepParts p{};
  p.operands = sizeof(Step);
  p.args = p.operands + (uint32_t{s.inputs} + s.outputs) * static_cast<uint32_t>(sizeof(Operand));
  p.tables = p.args + s.args_bytes;
  p.name = p.tables + s.tables * static_cast<uint32_t>(sizeof(Tables));
  return p;
}

constexpr uint32_t padded(uint32_t bytes, uint32_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace octet::image
