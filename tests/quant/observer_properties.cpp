// SPDX-License-Identifier: Apache-2.0
// Observers for any specification: parameters by the formula written out once more, and states that carry everything over.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/random.h"
#include "quant/observers/histogram.h"
#include "quant/observers/range.h"
#include "quant/outlier_guard.h"
#include "tests/catch.h"
#include "tests/quant/support.h"

using namespace octet;

namespace {

/// Any specification that an observer takes.
ObserverSpec any_spec(Generator& g, bool per_channel) {
  while (true) {
    ObserverSpec s;
    s.dtype = g.integer(0, 2) == 0 ? DType::u8 : DType::i8;
    const bool symmetric = g.integer(0, 2) == 0;
    s.scheme = per_channel ? (symmetric ? QScheme::per_channel_symmetric : QScheme::per_channel_affine)
                           : (symmetric ? QScheme::per_tensor_symmetric : QScheme::per_tensor_affine);
    s.reduce_range = g.integer(0, 2) == 0;
    const int32_t least = s.dtype == DType::u8 ? 0 : -128;
    if (g.integer(0, 2) == 0)
      s.quant_range = {static_cast<int32_t>(g.integer(least, 1)), static_cast<int32_t>(g.integer(3, least + 256))};
    s.eps = g.integer(0, 3) == 0 ? 0.0F : 0.001F * g.uniform() + 1e-6F;
    s.axis = per_channel ? static_cast<int>(g.integer(0, 3)) : 0;
    try {
      s.range();
      return s;
    } catch (const Error&) {  // u8, symmetric and reduced
    }
  }
}

struct Grid {
  float scale;
  int32_t zero_point, qmin, qmax;
};

/// The formula of PyTorch's _calculate_qparams, for one channel.
Grid expected(float min, float max, const ObserverSpec& s) {
  Grid e{};
  e.qmin = s.dtype == DType::u8 ? 0 : -128, e.qmax = s.dtype == DType::u8 ? 255 : 127;
  if (s.quant_range) e.qmin = s.quant_range->first, e.qmax = s.quant_range->second;
  const auto halved = [](int32_t v) { return v >= 0 ? v / 2 : -((1 - v) / 2); };  // downward
  if (s.reduce_range) e.qmin = halved(e.qmin), e.qmax = halved(e.qmax);
  const float lo = std::min(min, 0.0F), hi = std::max(max, 0.0F);
  const bool symmetric = s.scheme == QScheme::per_tensor_symmetric || s.scheme == QScheme::per_channel_symmetric;
  const auto levels = static_cast<float>(e.qmax - e.qmin);
  e.scale = std::max(s.eps, symmetric ? std::max(-lo, hi) / (levels / 2) : (hi - lo) / levels);
  if (symmetric) {
    e.zero_point = s.dtype == DType::i8 ? 0 : s.quant_range ? (e.qmin + e.qmax) / 2 : 128;
  } else {
    const double steps = static_cast<double>(lo / e.scale), below = std::floor(steps), rest = steps - below;
    const double even = rest > 0.5 || (rest == 0.5 && std::fmod(below, 2) != 0) ? below + 1 : below;
    e.zero_point = std::clamp(e.qmin - static_cast<int32_t>(even), e.qmin, e.qmax);
  }
  return e;
}

bool same(const StateDict& a, const StateDict& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.dtype() == y.second.dtype() && x.second.shape() == y.second.shape() &&
           (x.second.bytes() == 0 || std::memcmp(x.second.raw(), y.second.raw(), x.second.bytes()) == 0);
  });
}

}  // namespace

TEST_CASE("parameters follow PyTorch's formula for every specification, ties of the zero point included") {
  Generator g(1);
  int ties = 0, odd = 0;
  for (int i = 0; i < 20000; ++i) {
    const ObserverSpec s = any_spec(g, false);
    const auto [qmin, qmax] = s.range();
    float min = 4 * g.uniform() - 2, max = min + 4 * g.uniform() + 0.01F;
    if (i % 3 == 0) {  // the scale is 2^-k, the lower end lies between two codes
      const float step = std::ldexp(1.0F, static_cast<int>(g.integer(-5, 3)));
      min = -step * (static_cast<float>(g.integer(0, 5)) + 0.5F), max = min + step * static_cast<float>(qmax - qmin);
      ties += s.scheme == QScheme::per_tensor_affine && max > 0;
    }
    odd += s.reduce_range && s.quant_range && s.quant_range->first % 2 != 0;
    const QParams q = calculate_qparams({&min, 1}, {&max, 1}, s);
    const Grid e = expected(min, max, s);
    CAPTURE(i, min, max, e.qmin, e.qmax, s.reduce_range, s.eps);
    REQUIRE(q.qmin == e.qmin);
    REQUIRE(q.qmax == e.qmax);
    REQUIRE(q.scale[0] == e.scale);
    REQUIRE(q.zero_point[0] == e.zero_point);
  }
  CHECK(ties > 1000);
  CHECK(odd > 500);
}

TEST_CASE("an observer of any kind and specification goes on from its state as if nothing had happened") {
  Generator g(2);
  for (int i = 0; i < 400; ++i) {
    const bool per_channel = i % 5 == 1 || i % 5 == 3;
    const ObserverSpec s = any_spec(g, per_channel);
    std::unique_ptr<Observer> a;
    switch (i % 5) {
      case 0: a = std::make_unique<MinMaxObserver>(s); break;
      case 1: a = std::make_unique<PerChannelMinMaxObserver>(s); break;
      case 2: a = std::make_unique<MovingAverageMinMaxObserver>(s, 0.01F + 0.9F * g.uniform()); break;
      case 3: a = std::make_unique<MovingAveragePerChannelMinMaxObserver>(s, 0.01F + 0.9F * g.uniform()); break;
      default: a = std::make_unique<HistogramObserver>(s, static_cast<int>(g.integer(20, 300)));
    }
    const auto batch = [&](double spread) { return uniform(g, {3, 4, 5}, -spread, spread); };
    if (i % 7 != 0) a->observe(batch(0.001), "x");  // small: eps decides in many
    const std::unique_ptr<Observer> b = make_observer(a->kind());
    REQUIRE(b);
    b->load(a->state());
    CAPTURE(i, a->kind());
    REQUIRE(same(b->state(), a->state()));
    REQUIRE(b->calibrated() == a->calibrated());
    if (a->calibrated()) CHECK(b->qparams() == a->qparams());
    const Tensor more = batch(0.5);
    a->observe(more, "x"), b->observe(more, "x");
    CHECK(same(b->state(), a->state()));
    CHECK(b->qparams() == a->qparams());
  }
}

TEST_CASE("a histogram that moves to a wider range gives each sixteenth of a bin to where its middle falls") {
  Generator g(3);
  for (int i = 0; i < 200; ++i) {
    const int bins = static_cast<int>(g.integer(3, 20));
    HistogramObserver observer({}, bins);
    const Tensor first = uniform(g, {500}, 0, 1);
    observer.observe(first, "x");
    const StateDict before = observer.state();
    const float lo = before.at("min_val").data<float>()[0], hi = before.at("max_val").data<float>()[0];
    const float new_lo = lo - 2 * g.uniform(), new_hi = hi + 2 * g.uniform() + 0.01F;
    observer.observe(of({new_lo, new_hi}), "x");
    std::vector<double> expected(static_cast<size_t>(bins));
    const double width = (static_cast<double>(hi) - static_cast<double>(lo)) / (16 * bins);
    const double new_width = (static_cast<double>(new_hi) - static_cast<double>(new_lo)) / bins;
    double doubtful = 0;  // a middle that falls on an edge may be counted on either side
    for (int k = 0; k < 16 * bins; ++k) {
      const double at = (static_cast<double>(lo) + (k + 0.5) * width - static_cast<double>(new_lo)) / new_width;
      const double count = before.at("histogram").data<double>()[static_cast<size_t>(k / 16)] / 16;
      if (std::abs(at - std::round(at)) < 1e-4) doubtful += count;
      expected[std::min(static_cast<size_t>(at), expected.size() - 1)] += count;
    }
    expected.front() += 1, expected.back() += 1;  // the batch that widened it
    const StateDict after = observer.state();
    double apart = 0;
    for (size_t b = 0; b < expected.size(); ++b) apart += std::abs(after.at("histogram").data<double>()[b] - expected[b]);
    CAPTURE(i, bins, apart, doubtful);
    CHECK(apart <= 2 * doubtful + 1e-6);
  }
}

TEST_CASE("an average whose ends are rounded apart keeps its order") {
  // 2^24 - 1/2 is a tie and rounds up, 2^24 minus its neighbour rounds down: what is added differs by a whole c.
  const float lo = 0.5F, hi = std::nextafterf(lo, 1), far = 0x1p24F;
  int crossed = 0;
  for (int i = 1; i < 100; ++i) {
    const float c = static_cast<float>(i) / 100;
    MovingAverageMinMaxObserver observer({}, c);
    observer.observe(of({lo, hi}), "x");
    observer.observe(of({far}), "x");
    crossed += lo + c * (far - lo) > hi + c * (far - hi);
    const StateDict s = observer.state();
    REQUIRE(s.at("min_val").data<float>()[0] <= s.at("max_val").data<float>()[0]);
    REQUIRE(std::isfinite(observer.qparams().scale[0]));
  }
  CHECK(crossed > 10);
}

TEST_CASE("a guard gives up when absurd values come in a hundredth of all, however thinly they are spread") {
  OutlierGuard guard;
  static_cast<void>(guard.limit(Tensor::full({1000}, 0.5), "x"));
  Tensor drop = Tensor::full({10}, 0.5);
  drop.mutable_data<float>()[4] = 1e20F;
  int clipped = 0;
  while (clipped < 100 && std::isfinite(guard.limit(drop, "x"))) ++clipped;
  CHECK(clipped == 11);  // the eleventh is one in a hundred of 1,110, the twelfth is more
  CHECK(guard.clipped() == 11);
}
