// SPDX-License-Identifier: Apache-2.0
// How many independent units each kernel's work has; see ref.h.
#include "kernels/ref/ref.h"

namespace octet::kernels {

int32_t units(const Conv2dArgs& a) { return a.batch * a.out_h; }
int32_t units(const LinearArgs& a) { return a.rows; }
int32_t units(const AddArgs& a) { return a.count; }
int32_t units(const RequantizeArgs& a) { return a.rows; }
int32_t units(const Pool2dArgs& a) { return a.batch * a.out_h; }
int32_t units(const ClampArgs& a) { return a.count; }
int32_t units(const QuantizeArgs& a) { return a.count; }
int32_t units(const DequantizeArgs& a) { return a.count; }
int32_t units(const TransposeArgs& a) { return a.output_shape[0]; }

}  // namespace octet::kernels
