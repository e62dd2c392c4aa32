// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files, versions 1 and 2: little-endian, C order; f4, f8, u1, i1, i2, i4. Dimensions are taken as they are, also
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

/// Quantization parameters are not part of the format: codes go out as plain integers.
void save_npy(const std::string& path, const Tensor&);
Bytes npy_bytes(const Tensor&);

}  // namespace octet
