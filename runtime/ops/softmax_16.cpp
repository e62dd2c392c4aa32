// SPDX-License-Identifier: Apache-2.0
// Softmax of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(softmax_16) = octet::op::reference_16<octet::kernels::SoftmaxArgs, octet::checks::softmax_16>();
