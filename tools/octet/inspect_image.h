// SPDX-License-Identifier: Apache-2.0
// A firmware image as a device reads it, printed.
#pragma once

#include <string>

#include "tools/octet/verb.h"

namespace octet::cli {

/// Throws naming the file for a damaged or foreign image.
void inspect_image(const std::string& path, const Results&);

}  // namespace octet::cli
