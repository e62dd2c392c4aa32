// SPDX-License-Identifier: Apache-2.0
// The one formula from observed ranges to scales and zero points, and what observers share.
#include "quant/observer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/quantize.h"
#include "kernels/f32/f32.h"
#include "kernels/float_scope.h"
#include "quant/observers/fixed.h"
#include "quant/observers/histogram.h"
#include "quant/observers/range.h"

namespace octet {

std::pair<int32_t, int32_t> ObserverSpec::range() const {
  check(dtype == DType::u8 || dtype == DType::i8 || dtype == DType::i16, "observer: dtype must be u8, i8 or i16, got ",
        to_string(dtype));
  check(dtype != DType::i16 || symmetric(), "observer: i16 codes lie around zero; they need a symmetric scheme");
  const std::pair<int32_t, int32_t> full = dtype == DType::u8   ? std::pair{0, 255}
                                           : dtype == DType::i8 ? std::pair{-128, 127}
                                                                : std::pair{-32768, 32767};
  auto [lo, hi] = quant_range.value_or(full);
  check(lo <= 0 && hi >= 0 && lo < hi, "observer: quantization range ", lo, "..", hi, " must hold zero and more than one code");
  check(lo >= full.first && hi <= full.second, "observer: quantization range ", lo, "..", hi, " does not fit ", to_string(dtype));
  check(!(dtype == DType::u8 && symmetric() && reduce_range),
        "observer: u8 codes with a symmetric scheme cannot have a reduced range");
  // A custom range is halved too; negative numbers round down.
  if (reduce_range) lo = static_cast<int32_t>(std::floor(lo / 2.0)), hi = static_cast<int32_t>(std::floor(hi / 2.0));
  return {lo, hi};
}

namespace {

/// eps = 0: scales of ranges of zero and subnormal ones. A channel of zeros has no size of its own; with its neighbours' scale its
/// bias fits the integers that theirs fit. Where all are zeros the scale is PyTorch's 1, of 16 bits that of values up to 1: half a
/// code of a wire that is always 0 is to be little beside what others carry.
void fill_floors(QParams& q) {
  const float largest = *std::ranges::max_element(q.scale), alone = code_dtype(q) == DType::i16 ? 0x1p-15F : 1;
  for (float& s : q.scale) {
    if (s == 0) s = largest > 0 ? largest : alone;
    s = std::max(s, std::numeric_limits<float>::min());
  }
}

}  // namespace

QParams calculate_qparams(std::span<const float> min, std::span<const float> max, const ObserverSpec& spec) {
  const FloatScope environment;
  check(min.size() == max.size() && !min.empty(), "calculate_qparams: ", min.size(), " minima and ", max.size(), " maxima");
  QParams q;
  std::tie(q.qmin, q.qmax) = spec.range();
  q.axis = spec.per_channel() ? spec.axis : -1;
  const auto levels = static_cast<float>(q.qmax - q.qmin);
  // Of 16 bits the largest value has the highest code, as TensorFlow Lite wants it; PyTorch's 8 bits have half a code of room.
  const float symmetric_levels = spec.dtype == DType::i16 ? static_cast<float>(q.qmax) : levels / 2;
  for (size_t c = 0; c < min.size(); ++c) {
    check(std::isfinite(min[c]) && std::isfinite(max[c]) && min[c] <= max[c], "calculate_qparams: range ", min[c], "..", max[c],
          " of channel ", c);
    const float lo = std::min(min[c], 0.0F), hi = std::max(max[c], 0.0F);
    float scale = spec.symmetric() ? std::max(-lo, hi) / symmetric_levels : (hi - lo) / levels;
    if (!std::isfinite(scale)) scale = static_cast<float>((static_cast<double>(hi) - lo) / levels);  // hi - lo overflowed
    q.scale.push_back(std::max(scale, spec.eps));
  }
  if (spec.eps == 0) fill_floors(q);
  for (size_t c = 0; c < min.size(); ++c) {
    if (spec.symmetric()) {
      // Codes of u8 are symmetric around the middle: 128, or the middle of a custom range.
      const int32_t middle = spec.quant_range ? static_cast<int32_t>(std::floor((q.qmin + q.qmax) / 2.0)) : 128;
      q.zero_point.push_back(spec.dtype == DType::u8 ? middle : 0);
      continue;
    }
    const float zero = static_cast<float>(q.qmin) - std::nearbyint(std::min(min[c], 0.0F) / q.scale[c]);
    q.zero_point.push_back(static_cast<int32_t>(std::clamp(zero, static_cast<float>(q.qmin), static_cast<float>(q.qmax))));
  }
  return q;
}

std::unique_ptr<Observer> make_observer(std::string_view kind) {
  if (kind == MinMaxObserver::kKind) return std::make_unique<MinMaxObserver>();
  if (kind == MovingAverageMinMaxObserver::kKind) return std::make_unique<MovingAverageMinMaxObserver>();
  if (kind == PerChannelMinMaxObserver::kKind) return std::make_unique<PerChannelMinMaxObserver>();
  if (kind == MovingAveragePerChannelMinMaxObserver::kKind) return std::make_unique<MovingAveragePerChannelMinMaxObserver>();
  if (kind == HistogramObserver::kKind) return std::make_unique<HistogramObserver>();
  if (kind == FixedQParamsObserver::kKind) return std::make_unique<FixedQParamsObserver>();
  return nullptr;
}

void save_spec(const ObserverSpec& spec, StateDict& state) {
  const auto [lo, hi] = spec.quant_range.value_or(std::pair{0, 0});
  state["spec"] =
      Tensor::of<int32_t>({7}, std::vector<int32_t>{static_cast<int32_t>(spec.dtype), static_cast<int32_t>(spec.scheme),
                                                    spec.reduce_range, spec.quant_range.has_value(), lo, hi, spec.axis});
  state["eps"] = Tensor::of<float>({1}, std::vector<float>{spec.eps});
}

ObserverSpec load_spec(const StateDict& state) {
  const auto v = state_tensor(state, "spec", DType::i32).data<int32_t>();
  const auto eps = state_tensor(state, "eps", DType::f32).data<float>();
  check(v.size() == 7 && eps.size() == 1, "observer state: \"spec\" and \"eps\" have ", v.size(), " and ", eps.size(),
        " values, expected 7 and 1");
  check(v[0] >= 0 && v[0] <= static_cast<int32_t>(DType::i32) && v[1] >= 0 &&
            v[1] <= static_cast<int32_t>(QScheme::per_channel_symmetric),
        "observer state: dtype ", v[0], " or scheme ", v[1], " is unknown");
  check(eps[0] == 0 || (std::isnormal(eps[0]) && eps[0] > 0), "observer state: eps ", eps[0]);
  check(v[6] >= 0 && v[6] < 8, "observer state: axis ", v[6]);
  ObserverSpec spec{.dtype = static_cast<DType>(v[0]), .scheme = static_cast<QScheme>(v[1]), .reduce_range = v[2] != 0};
  if (v[3] != 0) spec.quant_range = {v[4], v[5]};
  spec.eps = eps[0];
  spec.axis = v[6];
  spec.range();
  return spec;
}

std::pair<float, float> finite_min_max(const Tensor& x, std::string_view path) {
  const FloatScope environment;
  float lo = 0, hi = 0;
  const auto values = x.data<float>();
  f32::min_max(x.numel(), values.data(), &lo, &hi);
  if (!std::isfinite(lo) || !std::isfinite(hi)) {
    const auto bad = std::ranges::find_if(values, [](float v) { return !std::isfinite(v); });
    fail(path, ": observed value ", *bad, " at element ", bad - values.begin(), " of a tensor of shape ", to_string(x.shape()),
         "; calibration needs finite data");
  }
  return {lo, hi};
}

const Tensor& state_tensor(const StateDict& state, std::string_view name, DType dtype) {
  return state_tensor(state, name, dtype, "observer state");
}

}  // namespace octet
