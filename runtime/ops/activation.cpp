// SPDX-License-Identifier: Apache-2.0
// Functions of 16-bit codes by formulas.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(activation) = octet::op::reference_16<octet::kernels::ActivationArgs, octet::checks::activation>();
