// SPDX-License-Identifier: Apache-2.0
// A table's bytes.
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {

void constant(const ConstantArgs&, const int8_t* table, void* output, int32_t begin, int32_t end) {
  uint8_t* to = bytes(output);
  for (int32_t i = begin; i < end; ++i) to[i] = static_cast<uint8_t>(table[i]);
}

}  // namespace octet::kernels
