// SPDX-License-Identifier: Apache-2.0
// Depthwise 3x3 convolution on weights packed for a Cortex-M family.
#include "runtime/ops/packed.h"

using namespace octet;

namespace {

octet_status check(const octet_step* s) {
  if (const octet_status status = checks::conv2d(*s, op::kRounding)) return status;
  return cortex_m::is_depthwise(op::args<kernels::Conv2dArgs>(s)) ? op::fits<kernels::Conv2dArgs>(s) : OCTET_ERROR_KERNEL;
}

void run(const octet_step* s) { op::family::depthwise3x3<op::kRounding>(op::args<kernels::Conv2dArgs>(s), op::data(s)); }

}  // namespace

const octet_op OCTET_PACKED_OP(depthwise) = op::packed(kernels::Info<kernels::Conv2dArgs>::device[0], 0,
                                                       image::Family::OCTET_DEPTHWISE_FAMILY, check, run);
