// SPDX-License-Identifier: Apache-2.0
// Codes as a float output.
#include "runtime/ops/op.h"

const octet_op octet_op_dequantize = octet::op::reference<octet::kernels::DequantizeArgs, octet::checks::dequantize>();
