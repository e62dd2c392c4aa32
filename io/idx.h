// SPDX-License-Identifier: Apache-2.0
// IDX, the format of the MNIST family: two zero bytes, element type, rank, big-endian dimensions, data. Plain or gzipped.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/tensor.h"

namespace octet {

/// A u8 tensor with the file's dimensions; gzip is recognised by content. Throws Error naming the file for every other element type
/// and whenever dimensions and data disagree.
Tensor load_idx(const std::string& path);
Tensor parse_idx(std::span<const std::byte> bytes, std::string_view name);

}  // namespace octet
