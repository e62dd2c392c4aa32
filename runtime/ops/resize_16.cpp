// SPDX-License-Identifier: Apache-2.0
// Pictures of another size of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op octet_op_resize_16 = octet::op::reference_16<octet::kernels::ResizeArgs, octet::checks::resize_16>();
