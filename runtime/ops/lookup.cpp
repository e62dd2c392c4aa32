// SPDX-License-Identifier: Apache-2.0
// A code for every code, from a table: sigmoid, tanh and their kin; the same in every rounding.
#include "runtime/ops/op.h"

const octet_op octet_op_lookup = octet::op::reference<octet::kernels::LookupArgs, octet::checks::lookup>();
