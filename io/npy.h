// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files, versions 1 and 2: little-endian, C order; f4, f8, u1, i1, i2, i4, and what
// converts to integers or floats. Dimensions are taken as they are, also
// those of images in another order (see nhwc_from_nchw).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/tensor.h"
#include "io/file.h"

namespace octet {

/// Throws Error naming the file for every other element type, order or version, and whenever shape and file size disagree.
Tensor load_npy(const std::string& path);
Tensor parse_npy(std::span<const std::byte> bytes, std::string_view name);

/// The same for integers: also reads bool, i8, u2, u4, u8 and floating-point numbers without a fraction (what NumPy makes of
/// labels), and gives i32. Throws naming the file and the first element that is no integer or does not fit 32 bits.
Tensor load_npy_integers(const std::string& path);
Tensor parse_npy_integers(std::span<const std::byte> bytes, std::string_view name);
/// The same for data: all those types as f32, rounded to nearest. Throws naming the file and the first element that f32 cannot
/// hold.
Tensor load_npy_floats(const std::string& path);
Tensor parse_npy_floats(std::span<const std::byte> bytes, std::string_view name);

/// Quantization parameters are not part of the format: codes go out as plain integers.
void save_npy(const std::string& path, const Tensor&);
Bytes npy_bytes(const Tensor&);

}  // namespace octet
