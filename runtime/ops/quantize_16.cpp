// SPDX-License-Identifier: Apache-2.0
// Quantization of 16-bit codes.
#include "runtime/ops/op.h"

const octet_op octet_op_quantize_16 = octet::op::reference_16<octet::kernels::QuantizeArgs, octet::checks::quantize_16>();
