// SPDX-License-Identifier: Apache-2.0
// Softmax along rows.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(softmax) = octet::op::reference<octet::kernels::SoftmaxArgs, octet::checks::softmax>();
