// SPDX-License-Identifier: Apache-2.0
// What the M55 kernels accept and how many bytes they need, from the arguments alone.
#include "kernels/cortex_m/m55_depthwise_line.h"
#include "kernels/cortex_m/padded_rows.h"
#include "kernels/cortex_m/scan.h"
#include "kernels/cortex_m/sums.h"

namespace octet::cortex_m::m55 {
namespace {

constexpr int32_t kConstants = static_cast<int32_t>(sizeof(Rescale4));
constexpr int32_t kSumsConstants = 4 * 4 + 4 * static_cast<int32_t>(sizeof(SumConstants));  ///< of channels whose codes are of sums

bool accepts_types(kernels::CodeType in, kernels::CodeType out, Rounding r) {
  return in == kernels::CodeType::i8 && out == kernels::CodeType::i8 && r != Rounding::int_bias;
}

int32_t window(const Conv2dArgs& a) { return round_up(a.kernel_h * a.kernel_w * a.in_c, 16); }

}  // namespace

bool accepts(const Conv2dArgs& a) {
  if (!accepts_types(a.input_type, a.output_type, a.rounding)) return false;
  if (has_residual(a) && (is_depthwise(a) || a.residual_type != kernels::CodeType::i8)) return false;
  if (a.dilation_h != 1 || a.dilation_w != 1) return false;
  if (!is_depthwise(a)) return a.groups == 1;
  return a.kernel_h == 3 && a.kernel_w == 3 && Scan(a).stride_u <= 2 && Scan(a).line() < 1000;
}

int32_t packed_bytes(const Conv2dArgs& a) {
  if (is_depthwise(a)) return a.in_c * static_cast<int32_t>(sizeof(DepthwiseChannel));
  return round_up(a.out_c, 4) / 4 * ((has_residual(a) ? kSumsConstants : kConstants) + 4 * window(a));
}

int32_t scratch_bytes(const Conv2dArgs& a) {
  if (is_depthwise(a)) return 4 * kSlice + (a.in_c < kSlice ? a.in_c : kSlice) * 4 * (Scan(a).line() + 1);
  return 2 * (window(a) + 16) + 2 * spare_bytes(a) + PaddedRows::bytes(a, 16);
}

bool accepts(const LinearArgs& a) { return accepts_types(a.input_type, a.output_type, a.rounding); }

int32_t packed_bytes(const LinearArgs& a) { return round_up(a.out, 4) / 4 * (kConstants + 4 * round_up(a.in, 16)); }

int32_t scratch_bytes(const LinearArgs& a) { return a.in % 16 == 0 ? 0 : round_up(a.in, 16); }

int32_t packed_bytes(const kernels::AddArgs&) { return static_cast<int32_t>(sizeof(AddConstants)); }

}  // namespace octet::cortex_m::m55
