// SPDX-License-Identifier: Apache-2.0
// Layers whose weights are packed for one kernel family: how large they may be, and whether packed weights and scratch memory are
// as large as the kernel takes for granted.
#include "runtime/check.h"

namespace octet::checks {
namespace {

constexpr uint64_t kMaxWeights = 1u << 26, kMaxRows = 1u << 28;

}  // namespace

bool packable(const kernels::Conv2dArgs& a) {
  const int32_t width = (a.out_w - 1) * a.stride_w + a.kernel_w, height = (a.out_h - 1) * a.stride_h + a.kernel_h;
  const uint64_t row = static_cast<uint64_t>(width) * static_cast<uint32_t>(a.in_c);
  const uint64_t window = static_cast<uint64_t>(a.kernel_h * a.kernel_w) * static_cast<uint32_t>(a.in_c);
  return width <= kMaxSide && height <= kMaxSide && row * static_cast<uint32_t>(a.kernel_h + a.stride_h) <= kMaxRows &&
         window * static_cast<uint32_t>(a.out_c) <= kMaxWeights * static_cast<uint32_t>(a.groups);
}

bool packable(const kernels::LinearArgs& a) { return static_cast<uint64_t>(a.in) * static_cast<uint32_t>(a.out) <= kMaxWeights; }

octet_status packed(const octet_step& s, int32_t packed_bytes, int32_t scratch_bytes) {
  if (s.packed_bytes != static_cast<uint32_t>(packed_bytes)) return OCTET_ERROR_ARGUMENTS;
  return s.scratch_bytes < static_cast<uint32_t>(scratch_bytes) ? OCTET_ERROR_SCRATCH : OCTET_OK;
}

}  // namespace octet::checks
