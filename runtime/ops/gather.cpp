// SPDX-License-Identifier: Apache-2.0
// Elements by an index for each axis: padding, mirrored, repeated and chosen axes.
#include "runtime/ops/op.h"

const octet_op octet_op_gather = octet::op::reference<octet::kernels::GatherArgs, octet::checks::gather>();
