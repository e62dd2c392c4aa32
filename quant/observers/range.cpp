// SPDX-License-Identifier: Apache-2.0
// Running and averaged extremes.
#include "quant/observers/range.h"

#include <algorithm>
#include <cmath>

#include "kernels/f32/f32.h"
#include "kernels/float_scope.h"

namespace octet {

namespace {

/// PyTorch's m + c * (batch - m), in float32; in double where the difference leaves the floats.
float averaged(float m, float batch, float constant) {
  if (constant == 1) return batch;
  const float difference = batch - m;
  if (std::isfinite(difference)) return m + constant * difference;
  return static_cast<float>(m + static_cast<double>(constant) * (static_cast<double>(batch) - m));
}

}  // namespace

RangeObserver::RangeObserver(ObserverSpec spec, std::optional<float> averaging_constant, bool per_channel)
    : spec_(spec), averaging_constant_(averaging_constant), per_channel_(per_channel) {
  check_spec(spec_, averaging_constant_, per_channel_);
}

void RangeObserver::check_spec(const ObserverSpec& spec, std::optional<float> constant, bool per_channel) {
  spec.range();
  check(spec.per_channel() == per_channel, "observer: a per-", per_channel ? "channel" : "tensor", " observer with a per-",
        per_channel ? "tensor" : "channel", " scheme");
  check(!constant || (*constant >= 0 && *constant <= 1), "observer: averaging constant ", constant.value_or(0), " outside 0..1");
}

void RangeObserver::observe(const Tensor& x, std::string_view path) {
  const FloatScope environment;
  if (x.numel() == 0) return;
  std::vector<float> lo(1), hi(1);
  if (!per_channel_) {
    std::tie(lo[0], hi[0]) = finite_min_max(x, path);
  } else {
    check(spec_.axis < static_cast<int>(x.rank()), path, ": observer on axis ", spec_.axis, " of a tensor of shape ",
          to_string(x.shape()));
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < spec_.axis; ++i) outer *= x.size(i);
    for (size_t i = spec_.axis + 1; i < x.rank(); ++i) inner *= x.size(i);
    const int64_t channels = x.size(spec_.axis);
    lo.resize(channels), hi.resize(channels);
    f32::min_max_channels(outer, channels, inner, x.data<float>().data(), lo.data(), hi.data());
    const auto finite = [](float v) { return std::isfinite(v); };
    if (!std::ranges::all_of(lo, finite) || !std::ranges::all_of(hi, finite)) finite_min_max(x, path);
    check(min_.empty() || min_.size() == lo.size(), path, ": observer has seen ", min_.size(), " channels, now ", lo.size(),
          " came");
  }
  if (min_.empty()) {
    min_ = std::move(lo);
    max_ = std::move(hi);
    return;
  }
  for (size_t c = 0; c < min_.size(); ++c) {
    if (!averaging_constant_) {
      min_[c] = std::min(min_[c], lo[c]);
      max_[c] = std::max(max_[c], hi[c]);
    } else {
      min_[c] = averaged(min_[c], lo[c], *averaging_constant_);
      max_[c] = averaged(max_[c], hi[c], *averaging_constant_);
      if (min_[c] > max_[c]) std::swap(min_[c], max_[c]);  // a range of one value, rounded apart
    }
  }
}

QParams RangeObserver::qparams() const {
  const FloatScope environment;
  check(calibrated(), kind(), ": the observer has seen no data");
  return calculate_qparams(min_, max_, spec_);
}

std::optional<std::pair<float, float>> RangeObserver::seen() const {
  if (per_channel_ || min_.empty()) return std::nullopt;
  return std::pair{min_[0], max_[0]};
}

void RangeObserver::reset() {
  min_.clear();
  max_.clear();
}

StateDict RangeObserver::state() const {
  StateDict state;
  save_spec(spec_, state);
  if (averaging_constant_) state["averaging_constant"] = Tensor::of<float>({1}, std::vector<float>{*averaging_constant_});
  state["min_val"] = Tensor::of<float>({static_cast<int64_t>(min_.size())}, min_);
  state["max_val"] = Tensor::of<float>({static_cast<int64_t>(max_.size())}, max_);
  return state;
}

void RangeObserver::load(const StateDict& state) {
  const ObserverSpec spec = load_spec(state);
  std::optional<float> constant;
  if (averaging_constant_) {
    const Tensor& stored = state_tensor(state, "averaging_constant", DType::f32);
    check(stored.numel() == 1, "observer state: \"averaging_constant\" has ", stored.numel(), " values, expected 1");
    constant = stored.data<float>()[0];
  }
  RangeObserver::check_spec(spec, constant, per_channel_);
  const auto lo = state_tensor(state, "min_val", DType::f32).data<float>(),
             hi = state_tensor(state, "max_val", DType::f32).data<float>();
  check(lo.size() == hi.size() && (per_channel_ || lo.size() <= 1), "observer state: ", lo.size(), " minima and ", hi.size(),
        " maxima");
  for (size_t c = 0; c < lo.size(); ++c)
    check(std::isfinite(lo[c]) && std::isfinite(hi[c]) && lo[c] <= hi[c], "observer state: range ", lo[c], "..", hi[c],
          " of channel ", c);
  spec_ = spec;
  averaging_constant_ = constant;
  min_.assign(lo.begin(), lo.end());
  max_.assign(hi.begin(), hi.end());
}

}  // namespace octet
