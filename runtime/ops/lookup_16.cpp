// SPDX-License-Identifier: Apache-2.0
// Interpolated tables of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op octet_op_lookup_16 = octet::op::reference_16<octet::kernels::LookupArgs, octet::checks::lookup_16>();
