// SPDX-License-Identifier: Apache-2.0
// Fully connected layer of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op octet_op_linear_16 = octet::op::reference_16<octet::kernels::LinearArgs, octet::checks::linear_16>();
