// SPDX-License-Identifier: Apache-2.0
// Safetensors files: named tensors and string metadata, readable by Python's `safetensors`. octet adds two checksums to the
// metadata, because the format has none: "octet.crc32.data" over the data and "octet.crc32.header" over the header (all of it,
// padding included) with that entry's own eight digits taken as zeros.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"
#include "io/file.h"

namespace octet {

/// Bounds what a file may make the JSON parser hold; a model of 10,000 modules needs about 5 MiB.
inline constexpr uint64_t kMaxSafeTensorsHeader = uint64_t{16} << 20;
inline constexpr uint64_t kMaxSafeTensorsFile = uint64_t{1} << 36;

struct SafeTensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;  ///< without the checksums
  std::vector<std::string> notes;               ///< of loading: what was not as usual but is no error
};

/// Throws Error naming the file if a byte of it is not accounted for: sizes, names, ranges without holes or overlap, checksums. A
/// file without checksums (written by another program) loads with a note. Types that tensors do not have are held in wider ones,
/// with a note: F16 and BF16 as f32, BOOL as u8, U16, U32, U64 and I64 as i32; a number that does not fit is an error that names
/// it.
SafeTensors load_safetensors(const std::string& path);
SafeTensors parse_safetensors(std::span<const std::byte> bytes, std::string_view name);

/// Quantization parameters are not part of the format: codes go out as plain integers. See io/model_file.h.
void save_safetensors(const std::string& path, const SafeTensors&);
Bytes safetensors_bytes(const SafeTensors&, std::string_view name);

}  // namespace octet
