// SPDX-License-Identifier: Apache-2.0
// Pictures of another size, interpolated.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(resize) = octet::op::reference<octet::kernels::ResizeArgs, octet::checks::resize>();
