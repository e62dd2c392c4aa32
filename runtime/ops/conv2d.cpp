// SPDX-License-Identifier: Apache-2.0
// Convolution by the reference kernel, which needs the plain weights.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

constexpr Rounding kRounding = static_cast<Rounding>(OCTET_ROUNDING);

octet_status check(const octet_step* s) { return s->weight == nullptr ? OCTET_ERROR_KERNEL : checks::conv2d(*s, kRounding); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::Conv2dArgs>(s);
  kernels::conv2d<kRounding>(a, op::weighted(s, s->input[1]), 0, kernels::units(a));
}

}  // namespace

const octet_op OCTET_OP(conv2d) = {
    op::kind_of(image::Kind::conv2d), OCTET_ROUNDING, image::overwrites(image::Kind::conv2d), 0, 0, check, run};
