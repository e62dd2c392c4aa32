// SPDX-License-Identifier: Apache-2.0
// The table of this instruction set's build.
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {

Table table() {
  Table t;
  fill_gemm(t);
  fill_matmul(t);
  fill_conv2d(t);
  fill_conv2d_grad(t);
  fill_columns(t);
  fill_batch_norm(t);
  fill_elementwise(t);
  fill_statistics(t);
  fill_histogram(t);
  fill_fake_quantize(t);
  fill_pool2d(t);
  return t;
}

}  // namespace octet::f32::OCTET_ISA
