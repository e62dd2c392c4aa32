// SPDX-License-Identifier: Apache-2.0
// A code for every code: the same table for all elements, or one for each channel.
#include "kernels/ref/ref.h"

namespace octet::kernels {

void lookup(const LookupArgs& a, const void* input, const int8_t* table, void* output, int32_t begin, int32_t end) {
  const auto* x = static_cast<const uint8_t*>(input);
  auto* y = static_cast<int8_t*>(output);
  if (a.channels == 1) {
    for (int32_t i = begin; i < end; ++i) y[i] = table[x[i]];
    return;
  }
  int32_t channel = begin % a.channels;
  for (int32_t i = begin; i < end; ++i) {
    y[i] = table[channel * 256 + x[i]];
    channel = channel + 1 == a.channels ? 0 : channel + 1;
  }
}

}  // namespace octet::kernels
