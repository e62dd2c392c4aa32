// SPDX-License-Identifier: Apache-2.0
// Dequantization of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op octet_op_dequantize_16 = octet::op::reference_16<octet::kernels::DequantizeArgs, octet::checks::dequantize_16>();
