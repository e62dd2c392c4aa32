// SPDX-License-Identifier: Apache-2.0
// Every operator of the runtime, from the lists of its header.
#pragma once

#include "runtime/octet.h"

namespace octet::device {

#define OCTET_TAKE(name) &octet_op_##name,
#define OCTET_TAKE_FIXED(name) &octet_op_##name##_fixed_double, &octet_op_##name##_fixed_single,
#define OCTET_TAKE_ALL(name) &octet_op_##name##_real, OCTET_TAKE_FIXED(name)
inline const octet_op* const kAllOps[] = {OCTET_OPS_BY_ROUNDING(OCTET_TAKE_ALL) OCTET_OPS_OF_ANY_ROUNDING(OCTET_TAKE)
                                              OCTET_OPS_PACKED(OCTET_TAKE_ALL) OCTET_OPS_PACKED_FIXED(OCTET_TAKE_FIXED)
                                                  OCTET_OPS_16(OCTET_TAKE_FIXED)};
#undef OCTET_TAKE
#undef OCTET_TAKE_FIXED
#undef OCTET_TAKE_ALL

}  // namespace octet::device
