// SPDX-License-Identifier: Apache-2.0
// What a device refuses when it opens an image, for whoever plans one.
#pragma once

#include <string_view>

#include "kernels/kernel.h"

namespace octet {

/// Throws naming `path` if a device would refuse the step. `packed`: weights go there in a packed form alone, without tables.
void check_device_limits(const KernelArgs&, const Blobs&, bool packed, std::string_view path);

}  // namespace octet
