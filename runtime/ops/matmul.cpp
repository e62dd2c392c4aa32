// SPDX-License-Identifier: Apache-2.0
// Products of matrices.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(matmul) = octet::op::reference<octet::kernels::MatMulArgs, octet::checks::matmul>();
