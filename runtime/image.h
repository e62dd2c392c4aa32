// SPDX-License-Identifier: Apache-2.0
// The firmware image, byte by byte: a header, records {kind, version, bytes} with plain little-endian payloads, then 16-byte
// aligned blobs that records name by offset from the image's start. Nothing in it is a pointer and nothing in it is ever written.
// The writer is io/image.cpp, the reader runtime/model.cpp; tests/runtime/format.cpp pins every offset, and a change is a new
// version.
#pragma once

#include "kernels/list.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "octet's images are little-endian"
#endif

namespace octet::image {

constexpr uint8_t kMagic[4] = {'O', 'C', 'T', 'I'};
constexpr uint16_t kVersion = 1;
constexpr uint32_t kAlignment = 16;
constexpr uint32_t kMaxRank = 6;
constexpr uint16_t kNoValue = 0xffff;

/// Record kinds: values first, then ports (inputs before outputs), then steps in the order of running, each followed by its packed
/// weights. A step's kind is its kernel's (kernels/list.h).
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
constexpr uint16_t kRecordVersion = 1;

/// Payload of Kind::values: one for each tensor, numbered in the order in which they are first written, inputs first.
struct Value {
  uint32_t offset, bytes;  ///< in the arena
};

/// Payload of Kind::port, then the name.
struct Port {
  uint16_t value;
  uint8_t output;  ///< 0: input, 1: output
  uint8_t type;    ///< octet_type: u8, i8, f32
  uint8_t rank, name_bytes;
  uint16_t reserved;
  int32_t shape[kMaxRank];  ///< zeros past the rank
  float scale;
  int32_t zero_point;
};

/// Payload of a step, then its arguments (kernels/args.h), its tables if a flag says so, its name.
struct Step {
  uint16_t inputs[2];  ///< values, kNoValue for none
  uint16_t output;
  uint16_t args_bytes;
  uint8_t name_bytes, flags;
  uint16_t reserved;
  uint32_t output_offset;  ///< bytes into the output's value: slices of a concatenation
  uint32_t scratch_offset, scratch_bytes;
};
constexpr uint8_t kHasTables = 1;
constexpr uint8_t kCompletes = 2;  ///< no later step writes this value

/// Where a weighted step's tables lie; 0: none. Blobs follow each other in the order of the fields that name them.
struct Tables {
  uint32_t weight, weight_bytes, channels;
  uint32_t weight_zero_point, scale, bias, bias_codes, multiplier, shift;
};

/// Whose layout packed weights have; 0 is none, below 1024 are octet's own.
enum class Family : uint16_t { m4 = 1, m4_depthwise = 2, m55 = 3, m55_depthwise = 4 };
constexpr uint16_t kFamilyVersion = 1;

/// Payload of Kind::packed: the weights of the step before it in the layout of one kernel family.
struct Packed {
  uint16_t family, version;
  uint32_t offset, bytes, reserved;
};

constexpr uint32_t padded(uint32_t bytes, uint32_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace octet::image
