// SPDX-License-Identifier: Apache-2.0
// Axes permuted, or a plain copy.
#include "runtime/ops/op.h"

const octet_op octet_op_transpose = octet::op::reference<octet::kernels::TransposeArgs, octet::checks::transpose>();
