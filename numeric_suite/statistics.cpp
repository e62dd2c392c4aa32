// SPDX-License-Identifier: Apache-2.0
// The sums behind Metrics, cut into chunks of rows for the thread pool and added in chunk order.
#include "numeric_suite/statistics.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <numeric>

#include "engine/model.h"
#include "engine/text.h"
#include "kernels/float_scope.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

constexpr int64_t kGrain = 16384;  // elements a chunk holds at least
constexpr int kCoarse = 256;       // 16-bit codes that are counted as one

bool is_wide(const QParams& q) { return code_dtype(q) == DType::i16; }

/// [first, rest] -> [rest, first], so that channels come last.
Tensor channels_last(const Tensor& t) {
  const int64_t n = t.size(0), rest = t.numel() / std::max<int64_t>(n, 1);
  Tensor y(Shape{rest, n}, DType::f32);
  const float* from = t.data<float>().data();
  float* to = y.mutable_data<float>().data();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < rest; ++j) to[j * n + i] = from[i * rest + j];
  return y;
}

Tensor as_float(const Tensor& t) {
  const Tensor values = dequantize(t);
  return values.dtype() == DType::f32 ? values : values.to(DType::f32);
}

/// A grid of 256 codes over the reference, for a test that has none.
QParams made_up_grid(const Tensor& reference) {
  const auto x = reference.data<float>();
  const auto [lo, hi] = std::ranges::minmax(x);
  const float span = std::max(std::max(hi, 0.0F) - std::min(lo, 0.0F), 1e-30F);
  QParams q{{span / 255}, {0}, -1, 0, 0, 255};
  q.zero_point[0] = std::clamp(static_cast<int>(std::lrint(-std::min(lo, 0.0F) / q.scale[0])), 0, 255);
  return q;
}

int bin_of(int code) { return std::clamp((code - CodeHistogram::kLow) / CodeHistogram::kStep, 0, CodeHistogram::kBins - 1); }

}  // namespace

std::string percent(double share) {
  Text text;
  text << std::fixed << std::setprecision(2) << 100 * share << " %";
  return text.str();
}

std::string brief(double v, int digits) {
  if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
  Text text;
  text << std::setprecision(digits) << v;
  return text.str();
}

std::string decibels(double db) {
  const FloatScope environment;
  if (std::isnan(db)) return "-";
  if (std::isinf(db)) return db > 0 ? "inf" : "-inf";
  Text text;
  text << std::fixed << std::setprecision(2) << db;
  return text.str();
}

Statistics::Sums::Sums(size_t n)
    : error(n),
      sum(n),
      signal(n),
      noise(n),
      test(n),
      dot(n),
      max_abs(n),
      min(n, INFINITY),
      max(n, -INFINITY),
      test_min(n, INFINITY),
      test_max(n, -INFINITY) {}

void Statistics::Sums::merge(const Sums& o) {
  clip += o.clip, low += o.low, high += o.high, at_qmin += o.at_qmin, at_qmax += o.at_qmax;
  for (size_t i = 0; i < codes.size(); ++i) codes[i] += o.codes[i];
  for (size_t c = 0; c < error.size(); ++c) {
    error[c] += o.error[c], sum[c] += o.sum[c], signal[c] += o.signal[c], noise[c] += o.noise[c], test[c] += o.test[c];
    dot[c] += o.dot[c];
    max_abs[c] = std::max(max_abs[c], o.max_abs[c]);
    min[c] = std::min(min[c], o.min[c]), max[c] = std::max(max[c], o.max[c]);
    test_min[c] = std::min(test_min[c], o.test_min[c]), test_max[c] = std::max(test_max[c], o.test_max[c]);
  }
  for (int b = 0; b < CodeHistogram::kBins; ++b) {
    histogram.reference[b] += o.histogram.reference[b];
    histogram.test[b] += o.histogram.test[b];
  }
}

/// Four channels over all rows: the sums stay in registers, and none waits for the one before it.
template <size_t kLanes>
void Statistics::add_lanes(Sums& s, const float* x, const float* y, size_t channels, int64_t rows, size_t first) {
  double error[kLanes]{}, sum[kLanes]{}, signal[kLanes]{}, noise[kLanes]{}, test[kLanes]{}, dot[kLanes]{};
  float worst[kLanes]{}, lo[kLanes], hi[kLanes], test_lo[kLanes], test_hi[kLanes];
  for (size_t k = 0; k < kLanes; ++k) lo[k] = test_lo[k] = INFINITY, hi[k] = test_hi[k] = -INFINITY;
  for (int64_t r = 0; r < rows; ++r) {
    const float *a = x + static_cast<size_t>(r) * channels + first, *b = y + static_cast<size_t>(r) * channels + first;
    for (size_t k = 0; k < kLanes; ++k) {
      const double u = static_cast<double>(a[k]), v = static_cast<double>(b[k]), d = v - u;
      error[k] += d, sum[k] += u, noise[k] += d * d, signal[k] += u * u, test[k] += v * v, dot[k] += u * v;
    }
    for (size_t k = 0; k < kLanes; ++k) {
      const float d = std::abs(b[k] - a[k]);
      worst[k] = worst[k] < d ? d : worst[k];
      lo[k] = a[k] < lo[k] ? a[k] : lo[k], hi[k] = hi[k] < a[k] ? a[k] : hi[k];
      test_lo[k] = b[k] < test_lo[k] ? b[k] : test_lo[k], test_hi[k] = test_hi[k] < b[k] ? b[k] : test_hi[k];
    }
  }
  for (size_t k = 0; k < kLanes; ++k) {
    const size_t c = first + k;
    s.error[c] += error[k], s.sum[c] += sum[k], s.signal[c] += signal[k], s.noise[c] += noise[k], s.test[c] += test[k],
        s.dot[c] += dot[k];
    s.max_abs[c] = std::max(s.max_abs[c], worst[k]);
    s.min[c] = std::min(s.min[c], lo[k]), s.max[c] = std::max(s.max[c], hi[k]);
    s.test_min[c] = std::min(s.test_min[c], test_lo[k]), s.test_max[c] = std::max(s.test_max[c], test_hi[k]);
  }
}

void Statistics::count_reference(Sums& s, const float* x, int64_t rows) const {
  const size_t channels = s.error.size();
  const int top = qparams_->qmin < 0 ? 128 : 0;  // i8 codes counted in the unsigned domain
  const float most = coarse_ * 1024.0F, codes = 1 / coarse_;
  for (int64_t r = 0; r < rows; ++r, x += channels)
    for (size_t c = 0; c < channels; ++c) {
      // Far beyond the histogram's ends all values are alike; clamping first, NaN to the lower end, keeps the conversion defined.
      const float code = std::min(std::max(-most, x[c] * inverse_[c]), most);
      ++s.histogram.reference[bin_of(static_cast<int>(code * codes + 2048.5F) - 2048 + zero_point_[c] + top)];
      if (x[c] > high_[c]) {
        const double beyond = static_cast<double>(x[c]) - static_cast<double>(high_[c]);
        s.clip += beyond * beyond;
        s.high += code + static_cast<float>(zero_point_[c] - qparams_->qmax) > 0.5F;
      } else if (x[c] < low_[c]) {
        const double beyond = static_cast<double>(low_[c]) - static_cast<double>(x[c]);
        s.clip += beyond * beyond;
        s.low += code + static_cast<float>(zero_point_[c] - qparams_->qmin) < -0.5F;
      }
    }
}

void Statistics::add_rows(Sums& s, const float* reference, const float* floats, const uint8_t* codes, int64_t begin,
                          int64_t end) const {
  constexpr int64_t kBlock = 2048;  // elements whose dequantized values stay in the cache
  const size_t channels = s.error.size();
  const int64_t block = std::max<int64_t>(1, kBlock / static_cast<int64_t>(channels));
  const int top = qparams_->qmin < 0 ? 128 : 0;
  const float most = coarse_ * 1024.0F, coarse = 1 / coarse_;
  std::vector<float> values(codes ? static_cast<size_t>(block) * channels : 0);
  for (int64_t r = begin; r < end; r += block) {
    const int64_t rows = std::min(block, end - r);
    const size_t at = static_cast<size_t>(r) * channels, count = static_cast<size_t>(rows) * channels;
    const float *x = reference + at, *y = codes ? values.data() : floats + at;
    for (size_t i = 0; codes && i < count; ++i) values[i] = reals_[codes[at + i]], ++s.codes[codes[at + i]];
    size_t c = 0;
    for (; c + 4 <= channels; c += 4) add_lanes<4>(s, x, y, channels, rows, c);
    for (; c < channels; ++c) add_lanes<1>(s, x, y, channels, rows, c);
    if (!histogram_) continue;
    count_reference(s, x, rows);
    for (size_t i = 0; !codes && i < count; ++i) {
      const size_t k = i % channels;
      const float code = std::min(std::max(-most, y[i] * inverse_[k]), most);
      ++s.histogram.test[bin_of(static_cast<int>(code * coarse + 2048.5F) - 2048 + zero_point_[k] + top)];
    }
  }
}

void Statistics::add(const Tensor& reference, const Tensor& test, std::string_view path) {
  const FloatScope environment;
  check(reference.shape() == test.shape(), path, ": shapes ", to_string(reference.shape()), " and ", to_string(test.shape()),
        " differ");
  if (test.numel() == 0) return;
  const int axis = test.qparams() ? test.qparams()->axis : -1;
  const int counted = first_axis_ ? 0 : static_cast<int>(test.rank()) - 1;
  if (axis >= 0 && axis != counted) return add(reference, dequantize(test), path);  // its grids are not those of the channels here
  Tensor a = as_float(reference), b;
  if (!qparams_) {
    pretended_ = !test.qparams();
    qparams_ = pretended_ ? made_up_grid(a) : *test.qparams();
    coarse_ = is_wide(*qparams_) ? kCoarse : 1;
  }
  check(pretended_ == !test.qparams() && (pretended_ || *qparams_ == *test.qparams()), path,
        ": its codes changed their meaning between batches");
  const bool flip = first_axis_ && a.rank() > 1;
  // Per-channel codes are counted after dequantizing, those of a whole tensor on the way.
  const bool by_code = !pretended_ && !flip && qparams_->axis < 0 && !is_wide(*qparams_);
  if (!by_code) b = as_float(test);
  if (flip) a = channels_last(a), b = channels_last(b);
  const auto channels = static_cast<size_t>(first_axis_ && !flip ? a.numel() : (a.rank() == 0 ? 1 : a.shape().back()));
  if (sums_.empty()) {
    sums_.emplace_back(channels);
    for (size_t c = 0; c < channels; ++c) {
      const size_t k = qparams_->axis < 0 ? 0 : c;
      check(k < qparams_->scale.size(), path, ": quantization parameters for ", qparams_->scale.size(), " channels, it has ",
            channels);
      const float scale = qparams_->scale[k];
      const int32_t zero = qparams_->zero_point[k];
      inverse_.push_back(1 / scale), zero_point_.push_back(zero);
      low_.push_back(pretended_ ? -INFINITY : scale * static_cast<float>(qparams_->qmin - zero));
      high_.push_back(pretended_ ? INFINITY : scale * static_cast<float>(qparams_->qmax - zero));
    }
  }
  check(channels == sums_[0].error.size(), path, ": ", channels, " channels, ", sums_[0].error.size(), " in an earlier batch");
  const int64_t rows = a.numel() / static_cast<int64_t>(channels);
  const float *x = a.data<float>().data(), *y = by_code ? nullptr : b.data<float>().data();
  const auto* codes = by_code ? static_cast<const uint8_t*>(test.raw()) : nullptr;
  if (by_code && reals_.empty()) {
    Tensor all(Shape{256}, test.dtype());
    for (int q = 0; q < 256; ++q) static_cast<uint8_t*>(all.mutable_raw())[q] = static_cast<uint8_t>(q);
    const Tensor reals = dequantize(all.with(*qparams_));
    reals_.assign(reals.data<float>().begin(), reals.data<float>().end());
  }
  const int64_t grain = std::max<int64_t>(1, kGrain / static_cast<int64_t>(channels));
  std::vector<Sums> parts(chunks(rows, grain), Sums(channels));
  parallel(rows, grain, [&](int chunk, int64_t begin, int64_t end) { add_rows(parts[chunk], x, y, codes, begin, end); });
  for (const Sums& part : parts) {
    const auto finite = [](double v) { return std::isfinite(v); };
    if (!std::ranges::all_of(part.noise, finite))
      for (int64_t i = 0; i < a.numel(); ++i)
        check(std::isfinite(x[i]) && (!y || std::isfinite(y[i])), path, ": element ", i, " is ", x[i], " in float and ",
              y ? y[i] : reals_[codes[i]], " quantized");
    sums_[0].merge(part);
  }
  if (!pretended_ && is_wide(*qparams_)) {
    for (const int16_t q : test.data<int16_t>()) {
      ++sums_[0].codes[static_cast<uint8_t>(q >> 8)];
      sums_[0].at_qmin += q == qparams_->qmin, sums_[0].at_qmax += q == qparams_->qmax;
    }
  } else if (!codes && !pretended_) {
    const auto* q = static_cast<const uint8_t*>(test.raw());
    for (int64_t i = 0; i < test.numel(); ++i) ++sums_[0].codes[q[i]];
  }
  elements_ += test.numel();
}

Metrics Statistics::metrics() const {
  const FloatScope environment;
  check(elements_ > 0, "Statistics: no data");
  const Sums& s = sums_[0];
  const auto n = static_cast<double>(elements_);
  Metrics m;
  const auto total = [](const std::vector<double>& v) { return std::accumulate(v.begin(), v.end(), 0.0); };
  const double signal = total(s.signal), noise = total(s.noise), test = total(s.test), mean = total(s.sum) / n;
  m.elements = elements_;
  m.signal_power = signal / n, m.noise_power = noise / n, m.clip_power = s.clip / n;
  m.sqnr_db = noise == 0 ? INFINITY : signal == 0 ? -INFINITY : 10 * std::log10(signal / noise);
  m.cosine = signal == 0 || test == 0 ? (signal == test ? 1 : 0) : total(s.dot) / std::sqrt(signal * test);
  m.max_abs_error = static_cast<double>(std::ranges::max(s.max_abs));
  m.effective_bits = std::isinf(m.sqnr_db) ? m.sqnr_db : (m.sqnr_db - 1.76) / 6.02;
  m.deviation = std::sqrt(std::max(0.0, m.signal_power - mean * mean));
  m.reference_min = static_cast<double>(std::ranges::min(s.min)), m.reference_max = static_cast<double>(std::ranges::max(s.max));
  const double per_channel = n / static_cast<double>(s.error.size());
  for (size_t c = 0; c < s.error.size(); ++c) {
    m.mean_error.push_back(s.error[c] / per_channel);
    if (s.min[c] < s.max[c] && s.test_min[c] == s.test_max[c]) m.dead_channels.push_back(static_cast<int>(c));
  }
  m.channel_min = s.min, m.channel_max = s.max;
  m.histogram = s.histogram;
  if (!pretended_) {
    const int top = qparams_->qmin < 0 ? 128 : 0;
    m.qmin = qparams_->qmin, m.qmax = qparams_->qmax, m.zero_point = qparams_->zero_point[0];
    m.step = static_cast<double>(qparams_->scale[0]);
    m.grid_min = m.step * (m.qmin - m.zero_point), m.grid_max = m.step * (m.qmax - m.zero_point);
    m.saturated_low = static_cast<double>(s.low) / n, m.saturated_high = static_cast<double>(s.high) / n;
    int used = 0;
    const int first = is_wide(*qparams_) ? m.qmin >> 8 : m.qmin, last = is_wide(*qparams_) ? m.qmax >> 8 : m.qmax;
    if (is_wide(*qparams_)) m.at_limits = static_cast<double>((m.qmin == m.zero_point ? 0 : s.at_qmin) + s.at_qmax) / n;
    for (int q = first; q <= last; ++q) {
      const int64_t count = s.codes[static_cast<uint8_t>(q)];
      used += count > 0;
      // Where zero is the lowest code (after a relu) the lowest code clips nothing.
      if (is_wide(*qparams_)) continue;
      if (q == m.qmax || (q == m.qmin && q != m.zero_point)) m.at_limits += static_cast<double>(count) / n;
    }
    m.codes_used = static_cast<double>(used) / (last - first + 1);
    m.histogram.test = {};
    for (int q = first; q <= last; ++q)
      m.histogram.test[(q + top - CodeHistogram::kLow) / CodeHistogram::kStep] += s.codes[static_cast<uint8_t>(q)];
  }
  if (noise == 0) m.note = "equal";
  if (m.reference_min == m.reference_max)
    m.note += std::string(m.note.empty() ? "" : ", ") + (signal == 0 ? "the reference is all zero" : "the reference is constant");
  return m;
}

}  // namespace octet
