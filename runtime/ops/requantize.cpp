// SPDX-License-Identifier: Apache-2.0
// Codes of one scale as codes of another: one input of a concatenation.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(requantize) = octet::op::reference<octet::kernels::RequantizeArgs, octet::checks::requantize>();
