// SPDX-License-Identifier: Apache-2.0
// Fully connected layer by the reference kernel, which needs the plain weights.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

constexpr Rounding kRounding = static_cast<Rounding>(OCTET_ROUNDING);

octet_status check(const octet_step* s) { return s->weight == nullptr ? OCTET_ERROR_KERNEL : checks::linear(*s, kRounding); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::LinearArgs>(s);
  kernels::linear<kRounding>(a, op::weighted(s, nullptr), 0, kernels::units(a));
}

}  // namespace

const octet_op OCTET_OP(linear) = {
    op::kind_of(image::Kind::linear), OCTET_ROUNDING, image::overwrites(image::Kind::linear), 0, 0, check, run};
