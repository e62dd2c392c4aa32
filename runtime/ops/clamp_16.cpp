// SPDX-License-Identifier: Apache-2.0
// Limits of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op octet_op_clamp_16 = octet::op::reference_16<octet::kernels::ClampArgs, octet::checks::clamp_16>();
