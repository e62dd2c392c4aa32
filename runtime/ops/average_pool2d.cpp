// SPDX-License-Identifier: Apache-2.0
// Average pooling, adaptive pooling included.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

constexpr Rounding kRounding = static_cast<Rounding>(OCTET_ROUNDING);

octet_status check(const octet_step* s) { return checks::average_pool2d(*s, kRounding); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::Pool2dArgs>(s);
  kernels::average_pool2d<kRounding>(a, s->input[0], s->output, 0, kernels::units(a));
}

}  // namespace

const octet_op OCTET_OP(average_pool2d) = {
    op::kind_of(image::Kind::average_pool2d), OCTET_ROUNDING, image::overwrites(image::Kind::average_pool2d), 0, 0, check, run};
