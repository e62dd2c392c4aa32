// SPDX-License-Identifier: Apache-2.0
// Networks whose output is a picture.
#pragma once

#include "engine/model.h"

namespace octet::bench {

Model unet();  ///< 128x128x3, four levels of 16 to 128 channels, up again by transposed convolutions, 2 classes a pixel

}  // namespace octet::bench
