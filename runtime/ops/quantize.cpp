// SPDX-License-Identifier: Apache-2.0
// A float input as codes.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(quantize) = octet::op::reference<octet::kernels::QuantizeArgs, octet::checks::quantize>();
