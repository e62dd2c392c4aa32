// SPDX-License-Identifier: Apache-2.0
// Average pooling, adaptive pooling included.
#include "kernels/cortex_m/cortex_m.h"
#include "runtime/ops/op.h"

using namespace octet;

namespace {

void run(const octet_step* s) {
  const auto& a = op::args<kernels::Pool2dArgs>(s);
#if OCTET_ROUNDING != 0 && (__ARM_FEATURE_MVE || __ARM_FEATURE_DSP)
#if __ARM_FEATURE_MVE
  namespace family = cortex_m::m55;
#else
  namespace family = cortex_m::m4;
#endif
  if (cortex_m::accepts(a)) return family::average_pool2d(a, s->input[0], s->output[0], 0, kernels::units(a));
#endif
  kernels::average_pool2d<op::kRounding>(a, s->input[0], s->output[0], 0, kernels::units(a));
}

}  // namespace

const octet_op OCTET_OP(average_pool2d) = op::plain(kernels::Info<kernels::Pool2dArgs>::device[1],
                                                    op::checked<checks::average_pool2d>, run);
