// SPDX-License-Identifier: Apache-2.0
// Fully connected layer on weights packed for a Cortex-M family.
#include "runtime/ops/packed.h"

using namespace octet;

namespace {

octet_status check(const octet_step* s) {
  if (const octet_status status = checks::linear(*s, op::kRounding)) return status;
  return op::fits<kernels::LinearArgs>(s);
}

void run(const octet_step* s) {
  const auto& a = op::args<kernels::LinearArgs>(s);
  op::family::linear<op::kRounding>(a, op::data(s), 0, a.rows);
}

}  // namespace

const octet_op OCTET_PACKED_OP(linear) = op::packed(kernels::Info<kernels::LinearArgs>::device[0], 0, image::Family::OCTET_FAMILY,
                                                    check, run);
