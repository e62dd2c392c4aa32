// SPDX-License-Identifier: Apache-2.0
// Convolution of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op octet_op_conv2d_16 = octet::op::reference_16<octet::kernels::Conv2dArgs, octet::checks::conv2d_16>();
