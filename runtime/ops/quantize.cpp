// SPDX-License-Identifier: Apache-2.0
// A float input as codes.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

constexpr Rounding kRounding = static_cast<Rounding>(OCTET_ROUNDING);

octet_status check(const octet_step* s) { return checks::quantize(*s, kRounding); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::QuantizeArgs>(s);
  kernels::quantize<kRounding>(a, static_cast<const float*>(s->input[0]), s->output, 0, kernels::units(a));
}

}  // namespace

const octet_op OCTET_OP(quantize) = {
    op::kind_of(image::Kind::quantize), OCTET_ROUNDING, image::overwrites(image::Kind::quantize), 0, 0, check, run};
