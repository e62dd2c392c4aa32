// SPDX-License-Identifier: Apache-2.0
// Codes of one scale as codes of another: one input of a concatenation.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

constexpr Rounding kRounding = static_cast<Rounding>(OCTET_ROUNDING);

octet_status check(const octet_step* s) { return checks::requantize(*s, kRounding); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::RequantizeArgs>(s);
  kernels::requantize<kRounding>(a, s->input[0], s->output, 0, kernels::units(a));
}

}  // namespace

const octet_op OCTET_OP(requantize) = {
    op::kind_of(image::Kind::requantize), OCTET_ROUNDING, image::overwrites(image::Kind::requantize), 0, 0, check, run};
