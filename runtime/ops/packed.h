// SPDX-License-Identifier: Apache-2.0
// Operators of the Cortex-M kernel families: compiled once per family (OCTET_FAMILY: m4 or m55) and rounding, named
// octet_op_<family>_<kind>_<rounding>.
#pragma once

#include "kernels/cortex_m/cortex_m.h"
#include "runtime/ops/op.h"

#define OCTET_PASTE(family, kind) family##_##kind
#define OCTET_FAMILY_KIND(family, kind) OCTET_PASTE(family, kind)
#define OCTET_NAMED(name) OCTET_OP(name)
#define OCTET_DEPTHWISE_FAMILY OCTET_FAMILY_KIND(OCTET_FAMILY, depthwise)
#define OCTET_SUMS_FAMILY OCTET_FAMILY_KIND(OCTET_FAMILY, sums)
#define OCTET_PACKED_OP(kind) OCTET_NAMED(OCTET_FAMILY_KIND(OCTET_FAMILY, kind))

namespace octet::op {

namespace family = cortex_m::OCTET_FAMILY;

// Internal linkage: the same name means another family in another object file.
template <class Args>
static octet_status fits(const octet_step* s) {
  const Args& a = args<Args>(s);
  if (!image::packable(a) || !family::accepts(a)) return OCTET_ERROR_KERNEL;
  return checks::packed(*s, family::packed_bytes(a), family::scratch_bytes(a));
}

inline cortex_m::PackedData data(const octet_step* s) { return {s->input[0], s->packed, s->output[0], s->scratch, s->input[1]}; }

/// The operator of this record on weights packed for a kernel family.
constexpr octet_op packed(kernels::DeviceOp op, uint8_t overwrites, image::Family family, octet_status (*check)(const octet_step*),
                          void (*run)(const octet_step*)) {
  return {op.kind, kStoredRounding, overwrites, static_cast<uint16_t>(family), image::kFamilyVersion, check, run};
}

}  // namespace octet::op
