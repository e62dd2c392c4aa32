// SPDX-License-Identifier: Apache-2.0
// Elements by an index for each axis, a run of them from every place, or a constant.
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"
#include "kernels/ref/rows.h"

namespace octet::kernels {

void gather(const GatherArgs& a, const void* input, const int32_t* table, void* output, int32_t begin, int32_t end) {
  const size_t size = static_cast<size_t>(a.element_size), bytes_of_run = static_cast<size_t>(a.run) * size;
  const int32_t last = a.rank - 1;
  const int32_t* along[6] = {table};  // by axis
  for (int32_t axis = 1; axis < a.rank; ++axis) along[axis] = along[axis - 1] + a.output_shape[axis - 1];
  for (Rows rows(a.rank, a.output_shape, begin, end); rows.more(); rows.next()) {
    int32_t place = 0;
    bool filled = false;
    for (int32_t axis = 0; axis < last; ++axis) {
      const int32_t step = along[axis][rows.index(axis)];
      filled |= step < 0, place += step;
    }
    const int32_t* steps = along[last] + (last == 0 ? begin : 0);
    uint8_t* to = bytes(output) + rows.output() * bytes_of_run;
    for (int32_t i = 0; i < rows.length(); ++i, to += bytes_of_run) {
      if (!filled && steps[i] >= 0) {
        __builtin_memcpy(to, bytes(input) + static_cast<size_t>(place + steps[i]) * size, bytes_of_run);
      } else {
        for (size_t j = 0; j < bytes_of_run; j += size) __builtin_memcpy(to + j, a.constant, size);
      }
    }
  }
}

}  // namespace octet::kernels
