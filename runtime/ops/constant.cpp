// SPDX-License-Identifier: Apache-2.0
// A tensor of the model's own.
#include "runtime/ops/op.h"

const octet_op octet_op_constant = octet::op::reference<octet::kernels::ConstantArgs, octet::checks::constant>();
