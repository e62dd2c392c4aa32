// SPDX-License-Identifier: Apache-2.0
// Products of matrices of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op octet_op_matmul_16 = octet::op::reference_16<octet::kernels::MatMulArgs, octet::checks::matmul_16>();
