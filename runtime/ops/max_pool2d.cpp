// SPDX-License-Identifier: Apache-2.0
// Maximum pooling; the same in every rounding.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

octet_status check(const octet_step* s) { return checks::max_pool2d(*s); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::Pool2dArgs>(s);
  kernels::max_pool2d(a, s->input[0], s->output, 0, kernels::units(a));
}

}  // namespace

const octet_op octet_op_max_pool2d = {
    op::kind_of(image::Kind::max_pool2d), OCTET_ANY_ROUNDING, image::overwrites(image::Kind::max_pool2d), 0, 0, check, run};
