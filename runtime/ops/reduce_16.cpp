// SPDX-License-Identifier: Apache-2.0
// Mean, sum, largest and smallest of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(reduce_16) = octet::op::reference_16<octet::kernels::ReduceArgs, octet::checks::reduce_16>();
