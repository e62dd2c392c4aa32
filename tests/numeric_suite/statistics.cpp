// SPDX-License-Identifier: Apache-2.0
// Every figure of Metrics against plain loops over the definition, on tensors large enough to be cut into chunks.
#include "numeric_suite/statistics.h"

#include <cmath>
#include <set>

#include "engine/model.h"
#include "tests/catch.h"

using namespace octet;

namespace {

struct Defined {
  double low = 0, high = 0, limits = 0, clip = 0, noise = 0, used = 0;
  double signal = 0, test = 0, dot = 0, sum = 0, largest = 0, least = INFINITY, most = -INFINITY;
  std::vector<double> error;
  std::vector<int> dead;
};

/// By the words of Metrics, one element at a time, in double.
Defined by_definition(const Tensor& x, const Tensor& codes, const QParams& q) {
  const Tensor y = dequantize(codes);
  const auto n = static_cast<double>(x.numel()), scale = static_cast<double>(q.scale[0]);
  const double lowest = scale * (q.qmin - q.zero_point[0]), highest = scale * (q.qmax - q.zero_point[0]);
  const auto channels = static_cast<size_t>(x.shape().back());
  Defined e;
  e.error.resize(channels);
  std::set<int> seen;
  std::vector<std::set<float>> reals(channels), tests(channels);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int code = q.qmin < 0 ? codes.data<int8_t>()[i] : codes.data<uint8_t>()[i];
    const double real = static_cast<double>(x.data<float>()[i]), test = static_cast<double>(y.data<float>()[i]);
    e.low += real<lowest - scale / 2, e.high += real> highest + scale / 2;
    e.limits += code == q.qmax || (code == q.qmin && code != q.zero_point[0]);
    e.signal += real * real, e.test += test * test, e.dot += real * test, e.sum += real;
    e.largest = std::max(e.largest, std::abs(test - real)), e.least = std::min(e.least, real), e.most = std::max(e.most, real);
    e.error[static_cast<size_t>(i) % channels] += (test - real) * static_cast<double>(channels) / n;
    e.clip += std::pow(std::max({lowest - real, real - highest, 0.0}), 2), e.noise += std::pow(real - test, 2);
    seen.insert(code);
    reals[i % channels].insert(x.data<float>()[i]), tests[i % channels].insert(y.data<float>()[i]);
  }
  e.low /= n, e.high /= n, e.limits /= n, e.clip /= n, e.noise /= n;
  e.used = static_cast<double>(seen.size()) / (q.qmax - q.qmin + 1);
  for (size_t c = 0; c < channels; ++c)
    if (reals[c].size() > 1 && tests[c].size() == 1) e.dead.push_back(static_cast<int>(c));
  return e;
}

}  // namespace

TEST_CASE("Clipping, limits, codes and dead channels are what their definitions count") {
  const auto q = GENERATE(QParams{{0.013F}, {0}, -1, 0, 0, 255},  // after a relu: the lowest code clips nothing
                          QParams{{0.017F}, {120}, -1, 0, 0, 255}, QParams{{0.03F}, {-3}, -1, 0, -128, 127},
                          QParams{{0.4F}, {0}, -1, 0, -7, 7});
  Generator g(11);
  constexpr int64_t kRows = 40'000;
  Tensor x = randn(g, {kRows, 5});
  const auto v = x.mutable_data<float>();
  for (size_t i = 0; i < v.size(); ++i) {
    if (q.zero_point[0] == 0 && q.qmin == 0) v[i] = std::max(v[i], 0.0F);
    if (i % 5 == 2) v[i] = 0.25F;        // nothing to show
    if (i == 5 * 12'345 + 1) v[i] = 77;  // the worst error stands in one chunk
    // Channels that codes cannot show: one never, one but for its first value.
    if (i % 5 == 3) v[i] *= 1e-4F;
    if (i % 5 == 4) v[i] = i > 5 ? v[i] * 1e-4F : 1.0F;
  }
  const Tensor codes = quantize(x, q);
  const Defined e = by_definition(x, codes, q);
  REQUIRE(e.dead == std::vector<int>{3});
  // In one piece and in uneven ones.
  for (const int64_t step : {kRows, int64_t{17'001}}) {
    Statistics s;
    for (int64_t at = 0; at < kRows; at += step) {
      const int64_t end = std::min(at + step, kRows);
      s.add(slice_rows(x, at, end), slice_rows(codes, at, end), "x");
    }
    const Metrics m = s.metrics();
    CHECK(m.elements == 5 * kRows);
    // Values within float rounding of half a code beyond an end may be counted either way.
    CHECK(m.saturated_low == Approx(e.low).margin(2.0 / (5 * kRows)));
    CHECK(m.saturated_high == Approx(e.high).margin(2.0 / (5 * kRows)));
    CHECK(m.at_limits == Approx(e.limits).epsilon(1e-12));
    CHECK(m.clip_power == Approx(e.clip).epsilon(1e-4).margin(1e-12));
    CHECK(m.noise_power == Approx(e.noise).epsilon(1e-6));
    CHECK(m.codes_used == Approx(e.used).epsilon(1e-12));
    CHECK(m.dead_channels == e.dead);
    const double n = 5.0 * kRows, mean = e.sum / n;
    CHECK(m.signal_power == Approx(e.signal / n).epsilon(1e-9));
    CHECK(m.sqnr_db == Approx(10 * std::log10(e.signal / n / e.noise)).epsilon(1e-6));
    CHECK(m.effective_bits == Approx((m.sqnr_db - 1.76) / 6.02).epsilon(1e-12));
    CHECK(m.cosine == Approx(e.dot / std::sqrt(e.signal * e.test)).epsilon(1e-9));
    CHECK(m.deviation == Approx(std::sqrt(e.signal / n - mean * mean)).epsilon(1e-9));
    CHECK(std::abs(mean) > 0.02);  // or the mean would not show
    CHECK(m.max_abs_error == Approx(e.largest).epsilon(1e-6));
    CHECK(m.reference_min == e.least);
    CHECK(m.reference_max == e.most);
    for (size_t c = 0; c < 5; ++c) CHECK(m.mean_error[c] == Approx(e.error[c]).margin(1e-9));
  }
}

TEST_CASE("the lowest code clips nothing where it means zero, of 8 bits and of 16") {
  Tensor x({1000, 1}, DType::f32);
  Generator g(3);
  for (float& v : x.mutable_data<float>()) v = std::max(g.uniform() * 4 - 2, 0.0F);
  for (const QParams& q : {QParams{{4.0F / 255}, {0}, -1, 0, 0, 255}, {{4.0F / 32767}, {0}, -1, 0, 0, 32767}}) {
    Statistics s;
    s.add(x, quantize(x, q, Rounding::fixed_double), "y");
    CHECK(s.metrics().at_limits == 0);
  }
  Statistics clipped;
  const QParams half{{1.0F / 32767}, {0}, -1, 0, 0, 32767};
  clipped.add(x, quantize(x, half, Rounding::fixed_double), "y");
  CHECK(clipped.metrics().at_limits > 0.1);
}
