// SPDX-License-Identifier: Apache-2.0
// Codes as a float output.
#include "runtime/ops/op.h"

using namespace octet;

namespace {

octet_status check(const octet_step* s) { return checks::dequantize(*s); }

void run(const octet_step* s) {
  const auto& a = op::args<kernels::DequantizeArgs>(s);
  kernels::dequantize(a, s->input[0], static_cast<float*>(s->output), 0, kernels::units(a));
}

}  // namespace

const octet_op octet_op_dequantize = {
    op::kind_of(image::Kind::dequantize), OCTET_ANY_ROUNDING, image::overwrites(image::Kind::dequantize), 0, 0, check, run};
