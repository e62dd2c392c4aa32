// SPDX-License-Identifier: Apache-2.0
// The VNNI plans behind the Kernel interface.
#pragma once

#include "kernels/kernel.h"

namespace octet::native::vnni {

/// Null with the reason for layers that these kernels do not do.
Made make(const kernels::Conv2dArgs&, const Blobs&);
Made make(const kernels::LinearArgs&, const Blobs&);

}  // namespace octet::native::vnni
