// SPDX-License-Identifier: Apache-2.0
// Average pooling, adaptive pooling included.
#include "kernels/cortex_m/cortex_m.h"
#include "runtime/ops/op.h"

using namespace octet;

namespace {

constexpr Rounding kRounding = static_cast<Rounding>(OCTET_ROUNDING);

octet_status check(const octet_step* s) { return checks::average_pool2d(*s, kRounding); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::Pool2dArgs>(s);
#if OCTET_ROUNDING != 0 && (__ARM_FEATURE_MVE || __ARM_FEATURE_DSP)
#if __ARM_FEATURE_MVE
  namespace family = cortex_m::m55;
#else
  namespace family = cortex_m::m4;
#endif
  if (cortex_m::accepts(a)) return family::average_pool2d(a, s->input[0], s->output, 0, kernels::units(a));
#endif
  kernels::average_pool2d<kRounding>(a, s->input[0], s->output, 0, kernels::units(a));
}

}  // namespace

const octet_op OCTET_OP(average_pool2d) = {
    op::kind_of(image::Kind::average_pool2d), OCTET_ROUNDING, image::overwrites(image::Kind::average_pool2d), 0, 0, check, run};
