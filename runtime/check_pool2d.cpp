// SPDX-License-Identifier: Apache-2.0
// Pooling: every window begins inside the padded input, so that a divisor is positive and small.
#include "runtime/check.h"

namespace octet::checks {
namespace {

using namespace kernels;

bool starts_inside(int32_t out, int32_t stride, int32_t before, int32_t in, int32_t after) {
  return (out - 1) * stride - before < in + after;
}

octet_status pool(const octet_step& s, bool average) {
  Pool2dArgs a;
  if (!take(s, &a) || (a.kind == PoolKind::max) == average) return OCTET_ERROR_ARGUMENTS;
  const bool codes = valid(a.type) && is_code(a.zero_point, a.type) && is_code(a.clamp_min, a.type) &&
                     is_code(a.clamp_max, a.type) && a.clamp_min <= a.clamp_max;
  return codes ? pool_shape(s, a, 1, image::kMaxCells) : OCTET_ERROR_ARGUMENTS;
}

}  // namespace

octet_status pool_shape(const octet_step& s, const Pool2dArgs& a, int32_t size, int32_t most_cells) {
  if (static_cast<uint8_t>(a.kind) > 2 || a.count_include_pad > 1) return OCTET_ERROR_ARGUMENTS;
  const int32_t all[] = {a.batch, a.in_h, a.in_w, a.channels, a.out_h, a.out_w};
  if (!sides(all, sizeof all / sizeof *all)) return OCTET_ERROR_ARGUMENTS;
  if (!equals_product(s.input_bytes[0], a.batch, a.in_h, a.in_w, a.channels, size) || s.input_count != 1 ||
      !equals_product(s.output_bytes[0], a.batch, a.out_h, a.out_w, a.channels, size))
    return OCTET_ERROR_ARGUMENTS;
  if (a.kind == PoolKind::adaptive_average) return Info<Pool2dArgs>::cells(a) <= most_cells ? OCTET_OK : OCTET_ERROR_BOUND;
  const int32_t window[] = {a.kernel_h, a.kernel_w, a.stride_h, a.stride_w};
  if (!sides(window, 4)) return OCTET_ERROR_ARGUMENTS;
  const int32_t pads[] = {a.pad_top, a.pad_left, a.pad_bottom, a.pad_right};
  for (const int32_t pad : pads)
    if (!within(pad, 0, kMaxSide)) return OCTET_ERROR_ARGUMENTS;
  if (a.kind == PoolKind::average && a.kernel_h * a.kernel_w > most_cells) return OCTET_ERROR_BOUND;
  return starts_inside(a.out_h, a.stride_h, a.pad_top, a.in_h, a.pad_bottom) &&
                 starts_inside(a.out_w, a.stride_w, a.pad_left, a.in_w, a.pad_right)
             ? OCTET_OK
             : OCTET_ERROR_ARGUMENTS;
}

octet_status max_pool2d(const octet_step& s) { return pool(s, false); }

octet_status average_pool2d(const octet_step& s, Rounding rounding) {
  Pool2dArgs a;
  if (!take(s, &a) || a.rounding != rounding) return OCTET_ERROR_ARGUMENTS;
  return pool(s, true);
}

}  // namespace octet::checks
