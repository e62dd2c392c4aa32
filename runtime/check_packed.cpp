// SPDX-License-Identifier: Apache-2.0
// Layers whose weights are packed for one kernel family: whether packed weights and scratch memory are as large as the kernel takes
// for granted.
#include "runtime/check.h"

namespace octet::checks {

octet_status packed(const octet_step& s, int32_t packed_bytes, int32_t scratch_bytes) {
  if (s.packed_bytes != static_cast<uint32_t>(packed_bytes)) return OCTET_ERROR_ARGUMENTS;
  return s.scratch_bytes < static_cast<uint32_t>(scratch_bytes) ? OCTET_ERROR_SCRATCH : OCTET_OK;
}

}  // namespace octet::checks
