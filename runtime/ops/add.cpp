// SPDX-License-Identifier: Apache-2.0
// Element-wise sum of two tensors.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

constexpr Rounding kRounding = static_cast<Rounding>(OCTET_ROUNDING);

octet_status check(const octet_step* s) { return checks::add(*s, kRounding); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::AddArgs>(s);
  kernels::add<kRounding>(a, s->input[0], s->input[1], s->output, 0, kernels::units(a));
}

}  // namespace

const octet_op OCTET_OP(add) = {
    op::kind_of(image::Kind::add), OCTET_ROUNDING, image::overwrites(image::Kind::add), 0, 0, check, run};
