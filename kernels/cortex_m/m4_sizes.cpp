// SPDX-License-Identifier: Apache-2.0
// What the M4 kernels accept and how many bytes they need, from the arguments alone; and the limiting of finished codes.
#include "kernels/cortex_m/m4_depthwise_line.h"
#include "kernels/cortex_m/padded_rows.h"
#include "kernels/cortex_m/scan.h"
#include "kernels/cortex_m/sums.h"

namespace octet::cortex_m::m4 {
namespace {

constexpr int32_t kGroupConstants = 4 * 4 + 4 * 12;  ///< start values and rescaling of a group of four channels
constexpr int32_t kSumsConstants = 4 * 4 + 4 * static_cast<int32_t>(sizeof(SumConstants));  ///< of one whose codes are of sums

bool accepts_types(kernels::CodeType in, kernels::CodeType out, Rounding r) {
  return in == kernels::CodeType::i8 && out == kernels::CodeType::i8 && r != Rounding::int_bias;
}

int32_t window(const Conv2dArgs& a) { return a.kernel_h * round_up(a.kernel_w * a.in_c, 4); }

}  // namespace

bool accepts(const Conv2dArgs& a) {
  if (!accepts_types(a.input_type, a.output_type, a.rounding)) return false;
  if (has_residual(a) && (is_depthwise(a) || a.residual_type != kernels::CodeType::i8)) return false;
  if (a.dilation_h != 1 || a.dilation_w != 1) return false;
  if (!is_depthwise(a)) return a.groups == 1;
  return a.kernel_h == 3 && a.kernel_w == 3 && a.in_c % 4 == 0 && Scan(a).stride_u <= 2;
}

int32_t packed_bytes(const Conv2dArgs& a) {
  if (is_depthwise(a)) return a.in_c / 2 * kDepthwisePairWords * 4;
  return round_up(a.out_c, 4) / 4 * ((has_residual(a) ? kSumsConstants : kGroupConstants) + 4 * window(a));
}

int32_t scratch_bytes(const Conv2dArgs& a) {
  if (is_depthwise(a)) return 4 * kSlice + 3 * 4 * (a.in_c < kSlice ? a.in_c : kSlice) / 2 * Scan(a).line();
  return 4 * window(a) + 2 * spare_bytes(a) + PaddedRows::bytes(a, 4);
}

bool accepts(const LinearArgs& a) { return accepts_types(a.input_type, a.output_type, a.rounding); }

int32_t packed_bytes(const LinearArgs& a) { return round_up(a.out, 8) / 8 * (2 * kGroupConstants + 8 * round_up(a.in, 4)); }

int32_t scratch_bytes(const LinearArgs& a) { return 2 * round_up(a.in, 4) + 8; }

int32_t packed_bytes(const kernels::AddArgs&) { return static_cast<int32_t>(sizeof(AddTable)); }

void clamp_codes(int8_t* codes, int32_t count, const kernels::OutputArgs& o) {
  if (o.clamp_min <= -128 && o.clamp_max >= 127) return;
  const uint32_t low = static_cast<uint8_t>(o.clamp_min) * 0x01010101u, high = static_cast<uint8_t>(o.clamp_max) * 0x01010101u;
  int32_t i = 0;
  for (; i + 4 <= count; i += 4) store4(codes + i, clamp4(load4(codes + i), low, high));
  for (; i < count; ++i) codes[i] = static_cast<int8_t>(clamp4(static_cast<uint8_t>(codes[i]), low, high));
}

}  // namespace octet::cortex_m::m4
