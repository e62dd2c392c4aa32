// SPDX-License-Identifier: Apache-2.0
// Dense convolution with a residual, on weights packed for a Cortex-M family.
#include "runtime/ops/packed.h"

using namespace octet;

namespace {

octet_status check(const octet_step* s) {
  if (const octet_status status = checks::conv2d(*s, op::kRounding)) return status;
  const auto& a = op::args<kernels::Conv2dArgs>(s);
  return cortex_m::is_depthwise(a) || !has_residual(a) ? OCTET_ERROR_KERNEL : op::fits<kernels::Conv2dArgs>(s);
}

void run(const octet_step* s) {
  const auto& a = op::args<kernels::Conv2dArgs>(s);
  op::family::conv2d_sums<op::kRounding>(a, op::data(s), 0, a.batch * a.out_h);
}

}  // namespace

const octet_op OCTET_PACKED_OP(conv2d_sums) = op::packed(kernels::Info<kernels::Conv2dArgs>::device[0], 2,
                                                         image::Family::OCTET_SUMS_FAMILY, check, run);
