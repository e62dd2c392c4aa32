// SPDX-License-Identifier: Apache-2.0
// The newest of PyTorch's four algorithms (2.5 and later): batches are merged by spreading the old histogram over the new range;
// the range to quantize is found by trimming tails while the estimated squared error falls.
#include "quant/observers/histogram.h"

#include <algorithm>
#include <cmath>

#include "kernels/f32/f32.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

constexpr int kUpsample = 16;       // sub-bins per bin when a histogram moves to a wider range
constexpr double kTrimStep = 1e-5;  // share of the mass one trimming step removes

/// Counts of x over `bins` equal bins of [lo, hi]; an empty range is widened by one on both sides.
std::vector<double> histc(std::span<const float> x, int bins, float lo, float hi) {
  if (lo == hi) lo -= 1, hi += 1;
  std::vector<int64_t> counts(bins);
  f32::histogram(static_cast<int64_t>(x.size()), x.data(), lo, hi, bins, counts.data());
  return {counts.begin(), counts.end()};
}

/// Element i of torch.linspace(a, b, n) in float32: counted from the nearer end.
float linspace(float a, float b, int n, int i) {
  const float step = (b - a) / static_cast<float>(n - 1);
  return i < n / 2 ? a + step * static_cast<float>(i) : b - step * static_cast<float>(n - 1 - i);
}

/// The histogram over [lo, hi] as one over the wider [new_lo, new_hi]: each bin's sub-bins go where their midpoints fall.
std::vector<double> spread(std::span<const double> histogram, float lo, float hi, float new_lo, float new_hi) {
  const int bins = static_cast<int>(histogram.size()), fine = bins * kUpsample;
  const float half = 0.5F * ((hi - lo) / static_cast<float>(fine));
  std::vector<double> result(bins);
  int target = 0;  // midpoints ascend, so the target bin only moves up
  for (int i = 0; i < fine; ++i) {
    const float midpoint = linspace(lo, hi, fine + 1, i) + half;
    while (target < bins - 1 && linspace(new_lo, new_hi, bins + 1, target + 1) <= midpoint) ++target;
    result[target] += histogram[i / kUpsample] / kUpsample;
  }
  return result;
}

/// Levels the error is estimated for: 2^bits of the dtype, whatever the code range.
double target_levels(DType dtype) { return dtype == DType::i16 ? 65536 : 256; }

/// Estimated squared error when bins a..b are quantized to so many levels and everything outside is clipped to their ends.
double quantization_error(std::span<const double> histogram, double bin_width, double levels, int a, int b) {
  const double level = bin_width * (b - a + 1) / levels;
  if (level == 0) return 0;
  const auto cube = [](double v) { return v * v * v; };
  const double whole = 2 * cube(level / 2) / 3;  // of one level inside a bin, times the density
  double error = 0;
  for (int i = 0; i < static_cast<int>(histogram.size()); ++i) {
    const double begin = (i - a) * bin_width, end = begin + bin_width;
    const double first = std::clamp(std::floor(begin / level), 0.0, levels - 1.0);
    const double last = std::clamp(std::floor(end / level), 0.0, levels - 1.0);
    const double density = histogram[i] / bin_width;
    const double head = (cube(level / 2) - cube(begin - (first + 0.5) * level)) / 3;
    const double tail = (cube(end - (last + 0.5) * level) - cube(-level / 2)) / 3;
    error += density * (head + (last - first - 1) * whole + tail);
  }
  return error;
}

/// First and last bin of the range with the smallest estimated error along one path of trims.
std::pair<int, int> best_window(std::span<const double> histogram, double bin_width, double levels) {
  std::vector<double> cumulative(histogram.size());
  double total = 0;
  for (size_t i = 0; i < histogram.size(); ++i) cumulative[i] = total += histogram[i];
  int start = 0, end = static_cast<int>(histogram.size()) - 1;
  // PyTorch takes the first trim whatever it costs; of 16 bits the whole range is a candidate too, because it often is the best.
  double left_mass = 0, right_mass = 1;
  double best = levels > 256 ? quantization_error(histogram, bin_width, levels, start, end) : INFINITY;
  while (left_mass < right_mass) {
    int left = start, right = end;
    while (left < end && cumulative[left] < (left_mass + kTrimStep) * total) ++left;
    while (right > start && cumulative[right] > (right_mass - kTrimStep) * total) --right;
    int next_start = start, next_end = end;
    if (left - start > end - right) {
      next_start = left;
      left_mass += kTrimStep;
    } else {
      next_end = right;
      right_mass -= kTrimStep;
    }
    if (next_start == start && next_end == end) continue;
    const double error = quantization_error(histogram, bin_width, levels, next_start, next_end);
    if (error > best) break;
    best = error;
    start = next_start;
    end = next_end;
  }
  return {start, end};
}

}  // namespace

HistogramObserver::HistogramObserver(ObserverSpec spec, int bins) : spec_(spec), bins_(bins) {
  spec_.range();
  check(!spec_.per_channel(), "observer: a histogram is per tensor");
  check(bins > 0 && bins <= 1 << 20, "observer: ", bins, " histogram bins");
}

void HistogramObserver::observe(const Tensor& x, std::string_view path) {
  const FloatScope environment;
  if (x.numel() == 0) return;
  const auto [lo, hi] = finite_min_max(x, path);
  const auto values = x.data<float>();
  check(std::isfinite(hi - lo), path, ": observed range ", lo, "..", hi, " is too wide for a histogram");
  if (histogram_.empty()) {
    histogram_ = histc(values, bins_, lo, hi);
    min_ = lo, max_ = hi;
    return;
  }
  const float new_lo = std::min(min_, lo), new_hi = std::max(max_, hi);
  check(std::isfinite(new_hi - new_lo), path, ": observed range ", new_lo, "..", new_hi, " is too wide for a histogram");
  std::vector<double> update = histc(values, bins_, new_lo, new_hi);
  if (new_lo != min_ || new_hi != max_) {
    if (min_ == max_) {  // a single value so far: all its mass goes where it falls
      double mass = 0;
      for (const double count : histogram_) mass += count;
      histogram_ = histc({&min_, 1}, bins_, new_lo, new_hi);
      for (double& count : histogram_) count *= mass;
    } else {
      histogram_ = spread(histogram_, min_, max_, new_lo, new_hi);
    }
    min_ = new_lo, max_ = new_hi;
  }
  for (size_t i = 0; i < update.size(); ++i) histogram_[i] += update[i];
}

QParams HistogramObserver::qparams() const {
  const FloatScope environment;
  check(calibrated(), kKind, ": the observer has seen no data");
  const float width = (max_ - min_) / static_cast<float>(bins_);
  const auto [start, end] = best_window(histogram_, width, target_levels(spec_.dtype));
  const float lo = min_ + width * static_cast<float>(start), hi = min_ + width * static_cast<float>(end + 1);
  return calculate_qparams({&lo, 1}, {&hi, 1}, spec_);
}

void HistogramObserver::reset() {
  histogram_.clear();
  min_ = max_ = 0;
}

StateDict HistogramObserver::state() const {
  StateDict state;
  save_spec(spec_, state);
  state["bins"] = Tensor::of<int32_t>({1}, std::vector<int32_t>{bins_});
  state["histogram"] = Tensor::of<double>({static_cast<int64_t>(histogram_.size())}, histogram_);
  state["min_val"] = Tensor::of<float>({1}, std::vector<float>{min_});
  state["max_val"] = Tensor::of<float>({1}, std::vector<float>{max_});
  return state;
}

void HistogramObserver::load(const StateDict& state) {
  const auto bins = state_tensor(state, "bins", DType::i32).data<int32_t>();
  const auto counts = state_tensor(state, "histogram", DType::f64).data<double>();
  const auto lo = state_tensor(state, "min_val", DType::f32).data<float>(),
             hi = state_tensor(state, "max_val", DType::f32).data<float>();
  check(bins.size() == 1 && lo.size() == 1 && hi.size() == 1,
        "observer state: \"bins\", \"min_val\" and \"max_val\" must be single values");
  HistogramObserver loaded(load_spec(state), bins[0]);
  check(counts.empty() || counts.size() == static_cast<size_t>(bins[0]), "observer state: ", counts.size(), " counts for ", bins[0],
        " bins");
  check(std::isfinite(lo[0]) && std::isfinite(hi[0]) && lo[0] <= hi[0], "observer state: range ", lo[0], "..", hi[0]);
  for (const double count : counts) check(std::isfinite(count) && count >= 0, "observer state: histogram count ", count);
  loaded.histogram_.assign(counts.begin(), counts.end());
  loaded.min_ = lo[0], loaded.max_ = hi[0];
  *this = std::move(loaded);
}

}  // namespace octet
