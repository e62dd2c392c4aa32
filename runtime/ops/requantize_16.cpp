// SPDX-License-Identifier: Apache-2.0
// Codes of one scale as codes of another, one of them 16-bit.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(requantize_16) = octet::op::reference_16<octet::kernels::RequantizeArgs, octet::checks::requantize_16>();
