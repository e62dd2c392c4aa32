// SPDX-License-Identifier: Apache-2.0
// What both kinds of plan share: which layers there are plans for, and how sums become codes.
#include "kernels/native/vnni/plan.h"

#include <algorithm>
#include <cmath>

#include "kernels/native/vnni/plan_parts.h"
#include "kernels/qmath.h"

namespace octet::native::vnni {

using namespace kernels;

namespace {

/// Whether v * inv_scale + shift is far inside int32 for every sum that this layer's weights can give: then an integer conversion
/// and saturating packs do the same as limits in float.
bool stays_in_int32(const Conv2dArgs& a, const Blobs& b) {
  const size_t window = b.weight.size() / static_cast<size_t>(a.out_c);
  const std::shared_ptr<const int8_t> plain = b.weight.plain();
  const int8_t* w = plain.get();
  for (size_t c = 0; c < static_cast<size_t>(a.out_c); ++c) {
    double sum = 0;
    for (size_t i = 0; i < window; ++i, ++w) sum += 255.0 * std::abs(int{*w});
    const double v = sum * std::abs(double{b.scale[c]}) + (b.bias.empty() ? 0 : std::abs(double{b.bias[c]})) +
                     255.0 * std::abs(double{a.residual_scale});
    if (!(v * std::abs(double{a.output.inv_scale}) + 256 < 1 << 30)) return false;
  }
  return true;
}

template <class T, size_t N>
void set(T (&vector)[N], T value) {
  std::fill(std::begin(vector), std::end(vector), value);
}

}  // namespace

Conv2dArgs as_convolution(const LinearArgs& l) {
  Conv2dArgs a{};
  a.batch = 1, a.in_h = a.out_h = l.rows, a.in_w = a.out_w = 1, a.in_c = l.in, a.out_c = l.out;
  a.kernel_h = a.kernel_w = a.stride_h = a.stride_w = a.dilation_h = a.dilation_w = a.groups = 1;
  a.input_zero_point = l.input_zero_point, a.input_type = l.input_type, a.output_type = l.output_type;
  a.rounding = l.rounding, a.output = l.output;
  return a;
}

bool is_depthwise(const Conv2dArgs& a) { return a.groups > 1 && a.groups == a.in_c && a.groups == a.out_c; }

std::string refusal(const Conv2dArgs& a, const Blobs& b) {
  const auto layer = [&](const char* why) { return std::string("no VNNI kernel for ") + why; };
  if (a.rounding != Rounding::real) return layer("rounding ") + std::string(to_string(a.rounding));
  if (std::ranges::any_of(b.weight_zero_point, [](int32_t z) { return z != 0; })) return layer("weights with zero points");
  if (output_bytes(a) <= 0 || a.in_h <= 0 || a.in_w <= 0 || a.in_c <= 0) return layer("a layer without elements");
  if (a.groups != 1 && !is_depthwise(a)) return layer("groups of several channels");
  if (is_depthwise(a) && a.kernel_h > 4 * kMostGroups) return layer("depthwise windows higher than 16 rows");
  if (b.scale.size() != static_cast<size_t>(a.out_c)) return layer("a layer without a scale for every channel");
  if (!stays_in_int32(a, b)) return layer("results that may leave int32 before they are limited");
  return {};
}

std::vector<int8_t> Packed::unpacked() const { return is_depthwise(layer) ? unpack_depthwise(*this) : unpack_dense(*this); }

std::unique_ptr<const Plan> make_plan(const Conv2dArgs& a, const Blobs& b) {
  auto plan = std::make_unique<Plan>();
  const int32_t low = qmath::lowest(a.output_type);
  Rescale& r = plan->rescale;
  r.residual = a.residual_scale != 0;
  r.shifted = a.output.zero_point != low;
  set(r.inv_scale, a.output.inv_scale);
  set(r.shift, static_cast<float>(a.output.zero_point - low));
  set(r.residual_scale, a.residual_scale);
  set(r.residual_zero, a.residual_zero_point - qmath::lowest(a.residual_type));
  set(r.low, static_cast<uint8_t>(a.output.clamp_min - low));
  set(r.high, static_cast<uint8_t>(a.output.clamp_max - low));
  set(r.flip, static_cast<uint8_t>(low != 0 ? 0x80 : 0));
  set(r.residual_flip, static_cast<uint8_t>(a.residual_type == CodeType::i8 ? 0x80 : 0));
  plan->lines = a.batch * a.out_h;
  plan->is_depthwise = is_depthwise(a);
  plan->packed = b.weight.find_or_pack<Packed>(
      [&](const Packed& p) { return p.zero_point == unsigned_zero_point(a) && p.joined == joined(a) && p.pairs == in_pairs(a); },
      [&](const int8_t* codes) { return is_depthwise(a) ? pack_depthwise(a, b, codes) : pack_dense(a, b, codes); });
  if (plan->is_depthwise)
    plan_depthwise(a, *plan);
  else
    plan_dense(a, *plan);
  return plan;
}

uint8_t unsigned_zero_point(const Conv2dArgs& a) { return static_cast<uint8_t>(a.input_zero_point - qmath::lowest(a.input_type)); }

Source source_of(const Conv2dArgs& a, int32_t planes) {
  Source s{};
  s.in_h = a.in_h, s.in_w = a.in_w, s.in_c = a.in_c, s.pad_left = a.pad_left, s.planes = planes;
  s.padded_w = (a.out_w - 1) * a.stride_w + (a.kernel_w - 1) * a.dilation_w + 1;
  s.plane_bytes = int64_t{(s.padded_w + planes - 1) / planes} * a.in_c;
  s.row_bytes = planes * s.plane_bytes;
  s.fill = unsigned_zero_point(a);
  s.flip = a.input_type == CodeType::i8 ? 0x80 : 0;
  return s;
}

bool joined(const Conv2dArgs& a) { return a.dilation_w == 1; }
bool in_pairs(const Conv2dArgs& a) { return is_depthwise(a) && a.kernel_h <= 3 && a.stride_h == 1 && a.dilation_h == 1; }

int32_t initial_sum(const Conv2dArgs& a, int32_t sum_of_weights) {
  return static_cast<int32_t>(0u - uint32_t{unsigned_zero_point(a)} * static_cast<uint32_t>(sum_of_weights));
}

}  // namespace octet::native::vnni
