// SPDX-License-Identifier: Apache-2.0
// Codes limited to a range: relu and its kin; the same in every rounding.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

octet_status check(const octet_step* s) { return checks::clamp(*s); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::ClampArgs>(s);
  kernels::clamp(a, s->input[0], s->output, 0, kernels::units(a));
}

}  // namespace

const octet_op octet_op_clamp = {
    op::kind_of(image::Kind::clamp), OCTET_ANY_ROUNDING, image::overwrites(image::Kind::clamp), 0, 0, check, run};
