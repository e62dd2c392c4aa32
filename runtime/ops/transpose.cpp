// SPDX-License-Identifier: Apache-2.0
// Axes permuted, or a plain copy.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

octet_status check(const octet_step* s) { return checks::transpose(*s); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::TransposeArgs>(s);
  kernels::transpose(a, s->input[0], s->output, 0, kernels::units(a));
}

}  // namespace

const octet_op octet_op_transpose = {
    op::kind_of(image::Kind::transpose), OCTET_ANY_ROUNDING, image::overwrites(image::Kind::transpose), 0, 0, check, run};
