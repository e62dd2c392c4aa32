// SPDX-License-Identifier: Apache-2.0
// See pack.h: the choice of packing, and refusals as values.
#include "kernels/cortex_m/pack.h"

#include "kernels/cortex_m/pack_channel.h"

namespace octet::cortex_m {
namespace {

template <class F>
Packed attempt(F f) {
  try {
    return {f(), ""};
  } catch (const Refusal& refusal) {
    return {{}, refusal.reason};
  }
}

}  // namespace

Packed pack(const kernels::Conv2dArgs& a, const kernels::Buffers& data, Target target) {
  return attempt([&] {
    if (!m4::accepts(a))
      refuse(
          "the Cortex-M kernels take int8 codes, not the rounding int_bias, no dilation, and dense or, without a residual, "
          "depthwise 3x3 windows");
    if (target == Target::m55) return is_depthwise(a) ? m55_depthwise3x3(a, data) : m55_conv2d(a, data);
    return is_depthwise(a) ? m4_depthwise3x3(a, data) : m4_conv2d(a, data);
  });
}

Packed pack(const kernels::LinearArgs& a, const kernels::Buffers& data, Target target) {
  return attempt([&] {
    if (target == Target::m55 ? !m55::accepts(a) : !m4::accepts(a))
      refuse("the Cortex-M kernels take int8 codes, and not the rounding int_bias");
    return target == Target::m55 ? m55_linear(a, data) : m4_linear(a, data);
  });
}

Packed pack(const kernels::AddArgs& a, Target target) {
  return attempt([&] {
    if (!accepts(a)) refuse("the Cortex-M kernels add int8 codes in the fixed roundings");
    return add_constants(a, target);
  });
}

}  // namespace octet::cortex_m
