// SPDX-License-Identifier: Apache-2.0
// Axis permutation by input strides: one step of the first output axis a unit. The last axis is copied as one run where it is
// contiguous in the input as well.
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"
#include "kernels/ref/rows.h"

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
  const size_t size = static_cast<size_t>(a.element_size), stride = static_cast<size_t>(a.input_stride[a.rank - 1]) * size;
  for (Rows rows(a.rank, a.output_shape, begin, end); rows.more(); rows.next())
    copy_axis(bytes(input) + rows.input(a.input_stride) * size, stride, bytes(output) + rows.output() * size, rows.length(), size);
}

}  // namespace octet::kernels
