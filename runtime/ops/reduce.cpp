// SPDX-License-Identifier: Apache-2.0
// Mean, sum, largest and smallest along any axes.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(reduce) = octet::op::reference<octet::kernels::ReduceArgs, octet::checks::reduce>();
