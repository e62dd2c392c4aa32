// SPDX-License-Identifier: Apache-2.0
// Element-wise functions of two tensors of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(binary_16) = octet::op::reference_16<octet::kernels::BinaryArgs, octet::checks::binary_16>();
