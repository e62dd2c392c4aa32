// SPDX-License-Identifier: Apache-2.0
// Maximum pooling of 16-bit codes; the same in both fixed roundings.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

void run(const octet_step* s) {
  const auto& a = op::args<kernels::Pool2dArgs>(s);
  kernels::max_pool2d_16(a, s->input[0], s->output[0], 0, kernels::units(a));
}

}  // namespace

const octet_op octet_op_max_pool2d_16 = op::plain(kernels::Info<kernels::Pool2dArgs>::device[2],
                                                 op::checked<checks::max_pool2d_16>, run);
