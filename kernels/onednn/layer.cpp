// SPDX-License-Identifier: Apache-2.0
// Attributes of a layer's primitives and what no layer may ask for.
#include "kernels/onednn/layer.h"

#include <algorithm>
#include <cmath>

#include "kernels/onednn/primitive.h"
#include "kernels/qmath.h"

namespace octet::onednn {

using dnnl::memory;
using kernels::CodeType;

float scale_of(float inverse) {
  float below = 1 / inverse, above = below;
  for (int i = 0; i < 4; ++i) {
    if (1 / below == inverse) return below;
    if (1 / above == inverse) return above;
    below = std::nextafter(below, 0.0f), above = std::nextafter(above, INFINITY);
  }
  return 0;
}

RealLimits real_limits(const Layer& layer) {
  const kernels::OutputArgs& o = layer.output;
  const int32_t low = layer.low();
  const kernels::OutputArgs unlimited{o.inv_scale, o.zero_point, low, low + 255};
  RealLimits limits{o.clamp_min > low || o.clamp_max < low + 255, true, -INFINITY, INFINITY};
  const auto real = [&](int32_t code) {
    const float value = static_cast<float>(code - o.zero_point) * scale_of(o.inv_scale);
    limits.exact = limits.exact && qmath::code_of_real(value, unlimited, low) == code;
    return value;
  };
  if (o.clamp_min > low) limits.lo = real(o.clamp_min);
  if (o.clamp_max < low + 255) limits.hi = real(o.clamp_max);
  limits.exact = limits.exact && limits.lo <= limits.hi;
  return limits;
}

memory::data_type Layer::input_data() const { return input_type == CodeType::u8 ? memory::data_type::u8 : memory::data_type::s8; }
memory::data_type Layer::output_data() const { return residual() ? memory::data_type::f32 : memory::data_type::u8; }

dnnl::primitive_attr Layer::attributes() const {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_scales_mask(DNNL_ARG_WEIGHTS, scale_mask);
  if (input_zero_point != 0) attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
  if (residual()) return attributes;
  if (const RealLimits limits = real_limits(*this); limits.needed && limits.exact) {
    dnnl::post_ops clip;
    clip.append_eltwise(dnnl::algorithm::eltwise_clip, limits.lo, limits.hi);
    attributes.set_post_ops(clip);
  }
  attributes.set_scales_mask(DNNL_ARG_DST, 0);
  if (output.zero_point != low()) attributes.set_zero_points_mask(DNNL_ARG_DST, 0);
  return attributes;
}

std::string refusal(const Layer& layer) {
  if (const char* why = inexact_cpu()) return why;
  if (layer.rounding != Rounding::real) return "onednn: computes only rounding real, not " + std::string(to_string(layer.rounding));
  if (layer.blobs == nullptr || layer.blobs->scale.empty()) return "onednn: needs a scale for every output channel";
  if (std::ranges::any_of(layer.blobs->weight_zero_point, [](int32_t z) { return z != 0; }))
    return "onednn: weights with zero points";
  if (!layer.residual() && scale_of(layer.output.inv_scale) == 0) return "onednn: no output scale has the reciprocal asked for";
  return {};
}

}  // namespace octet::onednn
