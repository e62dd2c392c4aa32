// SPDX-License-Identifier: Apache-2.0
// Float kernels by element type: fk::conv2d(…) on float pointers is the fast kernel, on double pointers the naive one (the
// compiler prefers the plain function to the template).
#pragma once

#include "kernels/f32/f32.h"
#include "kernels/naive/naive.h"

namespace octet::fk {
using namespace f32;    // NOLINT(google-build-using-namespace)
using namespace naive;  // NOLINT(google-build-using-namespace)
}  // namespace octet::fk
