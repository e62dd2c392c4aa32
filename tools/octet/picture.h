// SPDX-License-Identifier: Apache-2.0
// Pictures as input values: read from PNG, JPEG and BMP through stb_image, resized, and normalized.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "engine/interface.h"
#include "engine/tensor.h"

namespace octet::cli {

/// Whether the name ends like a picture's.
bool is_picture(const std::string& path);
/// One row, [1, height, width, channels] for `input` of that shape: gray for one channel, RGB for three, RGBA for four. Throws
/// naming the file if it is no picture, too large, or of another size where nothing is to be resized.
Tensor read_picture(const std::string& path, const Shape& input, const Preprocessing&);
/// The same from memory; `name` stands for the file in messages.
Tensor parse_picture(std::span<const std::byte> file, const std::string& name, const Shape& input, const Preprocessing&);
/// "mean 0.5, std 0.25, stretched to 96x96": for people.
std::string described(const Preprocessing&, const Shape& input);

}  // namespace octet::cli
