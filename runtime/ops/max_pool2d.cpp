// SPDX-License-Identifier: Apache-2.0
// Maximum pooling; the same in every rounding.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

void run(const octet_step* s) {
  const auto& a = op::args<kernels::Pool2dArgs>(s);
  kernels::max_pool2d(a, s->input[0], s->output[0], 0, kernels::units(a));
}

}  // namespace

const octet_op octet_op_max_pool2d = op::plain(kernels::Info<kernels::Pool2dArgs>::device[0], op::checked<checks::max_pool2d>, run);
