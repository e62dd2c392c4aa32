// SPDX-License-Identifier: Apache-2.0
// A function of 16-bit codes between the entries of a table: the same for all elements, or one for each channel.
#include "kernels/ref/codes.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {

void lookup_16(const LookupArgs& a, const void* input, const int16_t* table, void* output, int32_t begin, int32_t end) {
  const int16_t* x = wide(input);
  int16_t* y = wide(output);
  int32_t channel = begin % a.channels;
  for (int32_t i = begin; i < end; ++i) {
    y[i] = static_cast<int16_t>(interpolate(x[i], table + channel * kLookup16Entries));
    channel = channel + 1 == a.channels ? 0 : channel + 1;
  }
}

}  // namespace octet::kernels
