// SPDX-License-Identifier: Apache-2.0
// Element-wise sum of two tensors.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(add) = octet::op::reference<octet::kernels::AddArgs, octet::checks::add>();
