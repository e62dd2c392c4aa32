// SPDX-License-Identifier: Apache-2.0
// Which taps of a convolution's window lie inside the input along one axis.
#pragma once

#include "kernels/ref/codes.h"

namespace octet::kernels {

/// Taps t of [0, kernel) whose input position at * stride - pad + t * dilation lies inside [0, size).
struct Taps {
  int32_t begin, end, origin;

  Taps(int32_t at, int32_t stride, int32_t pad, int32_t dilation, int32_t kernel, int32_t size)
      : begin(0), end(kernel), origin(at * stride - pad) {
    if (origin < 0) begin = smaller(kernel, (dilation - 1 - origin) / dilation);
    if (origin + (kernel - 1) * dilation >= size) end = larger(begin, size > origin ? (size - 1 - origin) / dilation + 1 : 0);
  }
};

}  // namespace octet::kernels
