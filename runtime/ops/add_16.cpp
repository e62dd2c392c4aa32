// SPDX-License-Identifier: Apache-2.0
// Element-wise sum of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(add_16) = octet::op::reference_16<octet::kernels::AddArgs, octet::checks::add_16>();
