// SPDX-License-Identifier: Apache-2.0
// How an operator of the runtime is written: one file, compiled once per rounding into an object of its own (runtime/meson.build),
// that names one constant octet_op_<kind>_<rounding>.
#pragma once

#include "kernels/ref/ref.h"
#include "runtime/check.h"

#ifdef OCTET_ROUNDING
#if OCTET_ROUNDING == 0
#define OCTET_OP(kind) octet_op_##kind##_real
#elif OCTET_ROUNDING == 2
#define OCTET_OP(kind) octet_op_##kind##_fixed_double
#elif OCTET_ROUNDING == 3
#define OCTET_OP(kind) octet_op_##kind##_fixed_single
#else
#error "no such rounding on a device"
#endif
#endif

namespace octet::op {

/// The step's arguments.
template <class Args>
const Args& args(const octet_step* step) {
  return *static_cast<const Args*>(step->args);
}

inline kernels::WeightedData weighted(const octet_step* s, const void* residual) {
  return {s->input[0],
          s->weight,
          residual,
          s->output,
          {s->scale, s->bias, s->bias_codes, s->multiplier, s->shift, s->weight_zero_point}};
}

constexpr uint16_t kind_of(image::Kind kind) { return static_cast<uint16_t>(kind); }

}  // namespace octet::op
