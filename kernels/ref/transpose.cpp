// SPDX-License-Identifier: Apache-2.0
// Axis permutation by input strides: one step of the first output axis a unit. The last axis is copied as one run where it is
// contiguous in the input as well.
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {
namespace {

/// n elements, `stride` bytes apart in the input, packed in the output.
void copy_axis(const uint8_t* from, size_t stride, uint8_t* to, int32_t n, size_t size) {
  if (stride == size) {
    __builtin_memcpy(to, from, static_cast<size_t>(n) * size);
    return;
  }
  for (int32_t i = 0; i < n; ++i, from += stride, to += size) {
    if (size == 1)
      *to = *from;
    else if (size == 4)
      __builtin_memcpy(to, from, 4);
    else
      __builtin_memcpy(to, from, size);
  }
}

}  // namespace

void transpose(const TransposeArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  const size_t size = static_cast<size_t>(a.element_size);
  const int32_t last = a.rank - 1;
  int32_t index[6] = {begin, 0, 0, 0, 0, 0};
  size_t stride[6] = {};
  size_t per_unit = size;
  for (int32_t axis = 0; axis <= last; ++axis) {
    stride[axis] = static_cast<size_t>(a.input_stride[axis]) * size;
    if (axis > 0) per_unit *= static_cast<size_t>(a.output_shape[axis]);
  }
  if (begin >= end || per_unit == 0) return;
  const int32_t run = last == 0 ? end - begin : a.output_shape[last];
  uint8_t* to = bytes(output) + static_cast<size_t>(begin) * per_unit;
  for (;;) {
    const uint8_t* from = bytes(input);
    for (int32_t axis = 0; axis <= (last == 0 ? 0 : last - 1); ++axis) from += static_cast<size_t>(index[axis]) * stride[axis];
    copy_axis(from, stride[last], to, run, size);
    to += static_cast<size_t>(run) * size;
    int32_t axis = last - 1;  // next index of all axes but the last
    while (axis > 0 && ++index[axis] == a.output_shape[axis]) index[axis--] = 0;
    if (axis <= 0 && (last == 0 || ++index[0] == end)) return;
  }
}

}  // namespace octet::kernels
