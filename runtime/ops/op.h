// SPDX-License-Identifier: Apache-2.0
// How an operator of the runtime is written: one file, compiled once per rounding into an object of its own (runtime/meson.build),
// that names one constant octet_op_<kind>_<rounding>.
#pragma once

#include "kernels/ref/ref16.h"
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

inline kernels::Buffers buffers(const octet_step* s) {
  const octet_tables& t = s->tables[0];
  return {s->input[0],
          t.weight,
          s->input[1],
          s->output[0],
          {t.scale, t.bias, t.bias_codes, t.multiplier, t.shift, t.weight_zero_point}};
}

#ifdef OCTET_ROUNDING
constexpr Rounding kRounding = static_cast<Rounding>(OCTET_ROUNDING);
constexpr uint8_t kStoredRounding = OCTET_ROUNDING;
#else
constexpr Rounding kRounding = Rounding::real;  // not read
constexpr uint8_t kStoredRounding = OCTET_ANY_ROUNDING;
#endif

/// The operator of this record, without packed weights.
constexpr octet_op plain(kernels::DeviceOp op, octet_status (*check)(const octet_step*), void (*run)(const octet_step*)) {
  return {op.kind, kStoredRounding, op.overwrites, 0, 0, check, run};
}

// Internal linkage: the same name is another rounding in another object file.
template <class Args>
static void run_reference(const octet_step* s) {
  const Args& a = args<Args>(s);
  kernels::run<kRounding>(a, buffers(s), 0, kernels::units(a));
}
template <class Args>
static void run_reference_16(const octet_step* s) {
  const Args& a = args<Args>(s);
  kernels::run_16<kRounding>(a, buffers(s), 0, kernels::units(a));
}
template <octet_status (*Check)(const octet_step&, Rounding)>
static octet_status checked(const octet_step* s) {
  return Check(*s, kRounding);
}
template <octet_status (*Check)(const octet_step&)>
static octet_status checked(const octet_step* s) {
  return Check(*s);
}

/// The operator that is a reference kernel behind its check, as most are.
template <class Args, auto Check>
constexpr octet_op reference() {
  return plain(kernels::Info<Args>::device[0], checked<Check>, run_reference<Args>);
}

/// The same of 16-bit codes: the family's second operator, or its only one.
template <class Args, auto Check>
constexpr octet_op reference_16() {
  constexpr auto& ops = kernels::Info<Args>::device;
  return plain(ops[sizeof ops / sizeof *ops - 1], checked<Check>, run_reference_16<Args>);
}

}  // namespace octet::op
