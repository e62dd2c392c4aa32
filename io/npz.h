// SPDX-License-Identifier: Apache-2.0
// NumPy's .npz files: named .npy arrays in a zip archive, compressed or not.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "engine/tensor.h"

namespace octet {

/// Arrays by name (without ".npy"), as load_npy reads them. Throws Error naming the file and the array: for what is no array, names
/// that repeat, encrypted or damaged entries, sizes that disagree, and archives that claim to hold more than 16 MiB and a hundred
/// times their size.
std::map<std::string, Tensor> load_npz(const std::string& path);
std::map<std::string, Tensor> parse_npz(std::span<const std::byte> bytes, std::string_view name);

}  // namespace octet
