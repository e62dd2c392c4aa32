// SPDX-License-Identifier: Apache-2.0
// Convolution by the reference kernel, which needs the plain weights.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(conv2d) = octet::op::reference<octet::kernels::Conv2dArgs, octet::checks::conv2d>();
