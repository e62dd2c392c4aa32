// SPDX-License-Identifier: Apache-2.0
// Element-wise sum, difference, product, minimum and maximum with broadcasting.
#include "runtime/ops/op.h"

const octet_op OCTET_OP(binary) = octet::op::reference<octet::kernels::BinaryArgs, octet::checks::binary>();
