// SPDX-License-Identifier: Apache-2.0
// The inner block of the M55 convolution that leaves accumulators, for layers with a residual (sums.h); once for each
// OCTET_ROUNDING, as the other.
#define OCTET_SUMS
#include "kernels/cortex_m/m55_conv2d_block.S"
