// SPDX-License-Identifier: Apache-2.0
// The sums behind Metrics, cut into chunks of rows for the thread pool and added in chunk order.
#include "numeric_suite/statistics.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <numeric>

#include "engine/model.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

constexpr int64_t kGrain = 16384;  // elements a chunk holds at least

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

}  // namespace

std::string decibels(double db) {
  if (std::isnan(db)) return "-";
  if (std::isinf(db)) return db > 0 ? "inf" : "-inf";
  std::ostringstream text;
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
  clip += o.clip, low += o.low, high += o.high;
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

void Statistics::add_rows(Sums& s, const float* x, const float* y, const uint8_t* codes, int64_t begin, int64_t end) const {
  const size_t channels = s.error.size();
  const int top = qparams_->qmin < 0 ? 128 : 0;  // i8 codes counted in the unsigned domain
  const auto bin_of = [](int code) {
    return std::clamp((code - CodeHistogram::kLow) / CodeHistogram::kStep, 0, CodeHistogram::kBins - 1);
  };
  for (int64_t r = begin; r < end; ++r) {
    const float *a = x + r * static_cast<int64_t>(channels), *b = y + r * static_cast<int64_t>(channels);
    // By channel, so that no sum waits for the one before it; products in double do not overflow.
    for (size_t c = 0; c < channels; ++c) {
      const double u = static_cast<double>(a[c]), v = static_cast<double>(b[c]), d = v - u;
      s.error[c] += d, s.sum[c] += u, s.noise[c] += d * d, s.signal[c] += u * u, s.test[c] += v * v, s.dot[c] += u * v;
    }
    for (size_t c = 0; c < channels; ++c) {
      s.max_abs[c] = std::max(s.max_abs[c], std::abs(b[c] - a[c]));
      s.min[c] = std::min(s.min[c], a[c]), s.max[c] = std::max(s.max[c], a[c]);
      s.test_min[c] = std::min(s.test_min[c], b[c]), s.test_max[c] = std::max(s.test_max[c], b[c]);
    }
    for (size_t c = 0; c < channels; ++c) {
      // Far beyond the histogram's ends all values are alike; clamping first keeps the conversion defined.
      const float code = std::clamp(a[c] * inverse_[c], -1024.0F, 1024.0F);
      ++s.histogram.reference[bin_of(static_cast<int>(std::lrintf(code)) + zero_point_[c] + top)];
      if (a[c] > high_[c]) {
        const double beyond = static_cast<double>(a[c]) - static_cast<double>(high_[c]);
        s.clip += beyond * beyond;
        s.high += code + static_cast<float>(zero_point_[c] - qparams_->qmax) > 0.5F;
      } else if (a[c] < low_[c]) {
        const double beyond = static_cast<double>(low_[c]) - static_cast<double>(a[c]);
        s.clip += beyond * beyond;
        s.low += code + static_cast<float>(zero_point_[c] - qparams_->qmin) < -0.5F;
      }
    }
    if (codes) {
      const uint8_t* q = codes + r * static_cast<int64_t>(channels);
      for (size_t c = 0; c < channels; ++c) ++s.codes[q[c]];
    } else {
      for (size_t c = 0; c < channels; ++c)
        ++s.histogram.test[bin_of(static_cast<int>(std::lrintf(std::clamp(b[c] * inverse_[c], -1024.0F, 1024.0F))) +
                                  zero_point_[c] + top)];
    }
  }
}

void Statistics::add(const Tensor& reference, const Tensor& test, std::string_view path) {
  check(reference.shape() == test.shape(), path, ": shapes ", to_string(reference.shape()), " and ", to_string(test.shape()),
        " differ");
  if (test.numel() == 0) return;
  Tensor a = as_float(reference), b = as_float(test);
  if (!qparams_) {
    pretended_ = !test.qparams();
    qparams_ = pretended_ ? made_up_grid(a) : *test.qparams();
  }
  check(pretended_ == !test.qparams() && (pretended_ || *qparams_ == *test.qparams()), path,
        ": its codes changed their meaning between batches");
  const bool flip = first_axis_ && a.rank() > 1;
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
  const float *x = a.data<float>().data(), *y = b.data<float>().data();
  // Per-channel codes are counted through their dequantized values.
  const auto* codes = pretended_ || flip || qparams_->axis >= 0 ? nullptr : static_cast<const uint8_t*>(test.raw());
  const int64_t grain = std::max<int64_t>(1, kGrain / static_cast<int64_t>(channels));
  std::vector<Sums> parts(chunks(rows, grain), Sums(channels));
  parallel(rows, grain, [&](int chunk, int64_t begin, int64_t end) { add_rows(parts[chunk], x, y, codes, begin, end); });
  for (const Sums& part : parts) {
    const auto finite = [](double v) { return std::isfinite(v); };
    if (!std::ranges::all_of(part.noise, finite))
      for (int64_t i = 0; i < a.numel(); ++i)
        check(std::isfinite(x[i]) && std::isfinite(y[i]), path, ": element ", i, " is ", x[i], " in float and ", y[i],
              " quantized");
    sums_[0].merge(part);
  }
  if (!codes && !pretended_) {
    const auto* q = static_cast<const uint8_t*>(test.raw());
    for (int64_t i = 0; i < test.numel(); ++i) ++sums_[0].codes[q[i]];
  }
  elements_ += test.numel();
}

Metrics Statistics::metrics() const {
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
    for (int q = m.qmin; q <= m.qmax; ++q) {
      const int64_t count = s.codes[static_cast<uint8_t>(q)];
      used += count > 0;
      // Where zero is the lowest code (after a relu) the lowest code clips nothing.
      if (q == m.qmax || (q == m.qmin && q != m.zero_point)) m.at_limits += static_cast<double>(count) / n;
    }
    m.codes_used = static_cast<double>(used) / (m.qmax - m.qmin + 1);
    m.histogram.test = {};
    for (int q = m.qmin; q <= m.qmax; ++q)
      m.histogram.test[(q + top - CodeHistogram::kLow) / CodeHistogram::kStep] += s.codes[static_cast<uint8_t>(q)];
  }
  if (noise == 0) m.note = "equal";
  if (m.reference_min == m.reference_max)
    m.note += std::string(m.note.empty() ? "" : ", ") + (signal == 0 ? "the reference is all zero" : "the reference is constant");
  return m;
}

}  // namespace octet
