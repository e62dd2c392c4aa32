// SPDX-License-Identifier: Apache-2.0
// Dense convolution with a residual on Cortex-M4.
#include "kernels/cortex_m/m4_conv2d.h"

namespace octet::cortex_m::m4 {

template <Rounding R>
void conv2d_sums(const Conv2dArgs& a, const PackedData& d, int32_t begin, int32_t end) {
  convolve<R, true>(a, d, begin, end);
}

template void conv2d_sums<static_cast<Rounding>(OCTET_ROUNDING)>(const Conv2dArgs&, const PackedData&, int32_t, int32_t);

}  // namespace octet::cortex_m::m4
