// SPDX-License-Identifier: Apache-2.0
// The firmware image of a plan (format: runtime/image.h), as bytes or as C source.
#pragma once

#include <string>

#include "io/file.h"
#include "io/firmware_plan.h"

namespace octet {

/// The image. Throws naming the layer if something does not fit the format.
Bytes image_bytes(const FirmwarePlan&);
/// Bytes of a step's record and blobs in the image.
int64_t flash_bytes(const FirmwareStep&, Rounding, bool layer_names);

/// C source and header: `<name>_image`, an aligned constant array, `<name>_ops`, the operators to pass to octet_model_open, and
/// `<NAME>_ARENA_BYTES`. `name` must be a C identifier.
struct ImageSource {
  std::string c, h;
};
ImageSource image_source(const FirmwarePlan&, const std::string& name);

}  // namespace octet
