// SPDX-License-Identifier: Apache-2.0
// Codes limited to a range: relu and its kin; the same in every rounding.
#include "runtime/ops/op.h"

const octet_op octet_op_clamp = octet::op::reference<octet::kernels::ClampArgs, octet::checks::clamp>();
