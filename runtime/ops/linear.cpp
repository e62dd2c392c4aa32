// SPDX-License-Identifier: Apache-2.0
// Fully connected layer by the reference kernel, which needs the plain weights.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(linear) = octet::op::reference<octet::kernels::LinearArgs, octet::checks::linear>();
