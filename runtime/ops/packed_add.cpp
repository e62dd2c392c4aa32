// SPDX-License-Identifier: Apache-2.0
// Element-wise sum with the constants that a Cortex-M family's kernel wants. Fixed modes only.
#include "runtime/ops/packed.h"

using namespace octet;

namespace {

octet_status check(const octet_step* s) {
  if (const octet_status status = checks::add(*s, op::kRounding)) return status;
  const auto& a = op::args<kernels::AddArgs>(s);
  return cortex_m::accepts(a) ? checks::packed(*s, op::family::packed_bytes(a), 0) : OCTET_ERROR_KERNEL;
}

void run(const octet_step* s) {
  const auto& a = op::args<kernels::AddArgs>(s);
  op::family::add<op::kRounding>(a, s->input[0], s->input[1], s->packed, s->output[0], 0, a.count);
}

}  // namespace

const octet_op OCTET_PACKED_OP(add) = op::packed(kernels::Info<kernels::AddArgs>::device[0],
                                                 kernels::Info<kernels::AddArgs>::device[0].overwrites, image::Family::OCTET_FAMILY,
                                                 check, run);
