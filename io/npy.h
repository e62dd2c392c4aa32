// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files, versions 1 and 2: every integer and float type (f2 f4 f8, u1 to u8, i1 to i8, b1) in either byte order, C or
// Fortran order. Dimensions are taken as they are, also those of images in another order (see nhwc_from_nchw).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/tensor.h"
#include "io/file.h"

namespace octet {

/// Types that tensors do not have are held in wider ones: f2 as f32, b1 as u8, u2, u4, u8 and i8 as i32. Throws Error naming the
/// file for every other element type or version, for an integer that does not fit, and whenever shape and file size disagree.
Tensor load_npy(const std::string& path);
Tensor parse_npy(std::span<const std::byte> bytes, std::string_view name);

/// The same as integers: of floating-point numbers those without a fraction (what NumPy makes of labels), and gives i32. Throws
/// naming the file and the first element that is no integer or does not fit 32 bits.
Tensor load_npy_integers(const std::string& path);
Tensor parse_npy_integers(std::span<const std::byte> bytes, std::string_view name);
/// The same as data: all those types as f32, rounded to nearest. Throws naming the file and the first element that f32 cannot
/// hold.
Tensor load_npy_floats(const std::string& path);
Tensor parse_npy_floats(std::span<const std::byte> bytes, std::string_view name);

/// Quantization parameters are not part of the format: codes go out as plain integers.
void save_npy(const std::string& path, const Tensor&);
Bytes npy_bytes(const Tensor&);

}  // namespace octet
