// SPDX-License-Identifier: Apache-2.0
// The histogram observer against the known vectors of PyTorch's newest algorithm.
#include "quant/observers/histogram.h"

#include <cmath>
#include <numeric>

#include "engine/random.h"
#include "tests/catch.h"
#include "tests/quant/support.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

void expect(const HistogramObserver& o, const std::vector<double>& counts, float min, float max) {
  CHECK(std::vector<double>(o.histogram().begin(), o.histogram().end()) == counts);
  CHECK(o.min() == min);
  CHECK(o.max() == max);
}

double mass(const HistogramObserver& o) { return std::accumulate(o.histogram().begin(), o.histogram().end(), 0.0); }

}  // namespace

TEST_CASE("the histogram follows its range step by step as PyTorch's does") {
  HistogramObserver o({}, 3);
  o.observe(of({1, 1, 1, 1}), "x");
  expect(o, {0, 4, 0}, 1, 1);
  o.observe(of({0, 0, 0, 0}), "x");
  expect(o, {4, 0, 4}, 0, 1);
  o.observe(of({0, 0, 0, 0}), "x");
  expect(o, {8, 0, 4}, 0, 1);
  o.observe(of({2, 3, 4, 5}), "x");
  expect(o, {12, 2, 2}, 0, 5);
  o.observe(of({5, 6, 7, 8}), "x");
  expect(o, {13.25, 3.75, 3}, 0, 8);
}

TEST_CASE("histogram parameters for every dtype, scheme and range equal PyTorch's") {
  const auto qparams = [](ObserverSpec spec) {
    HistogramObserver o(spec, 3);
    o.observe(of({2, 3, 4, 5}), "x");
    o.observe(of({5, 6, 7, 8}), "x");
    expect(o, {2, 3, 3}, 2, 8);
    return o.qparams();
  };
  const auto check_one = [&](ObserverSpec spec, double scale, int32_t zero_point) {
    const QParams q = qparams(spec);
    CHECK(q.scale[0] == Approx(scale).epsilon(1e-7));
    CHECK(q.zero_point[0] == zero_point);
  };
  check_one({.dtype = DType::i8}, 0.0235294122, -128);
  check_one({.dtype = DType::i8, .reduce_range = true}, 0.0472440943, -64);
  check_one({.dtype = DType::i8, .scheme = QScheme::per_tensor_symmetric}, 0.0470588244, 0);
  check_one({.dtype = DType::i8, .scheme = QScheme::per_tensor_symmetric, .reduce_range = true}, 0.0944881886, 0);
  check_one({}, 0.0235294122, 0);
  check_one({.reduce_range = true}, 0.0472440943, 0);
  check_one({.scheme = QScheme::per_tensor_symmetric}, 0.0470588244, 128);
}

TEST_CASE("ten bins over growing ranges") {
  HistogramObserver o({}, 10);
  o.observe(of({0, 3, 4, 9}), "x");
  o.observe(of({2, 3, 7, 8}), "x");
  expect(o, {1, 0, 1, 2, 1, 0, 0, 1, 1, 1}, 0, 9);
}

TEST_CASE("one-sided data keeps zero as its lowest code") {
  HistogramObserver o({.reduce_range = true}, 8);
  o.observe(of({0, .3F, 1.2F, 1.7F}), "x");
  o.observe(of({.1F, 1.3F, 2, 2.7F}), "x");
  CHECK(o.min() == 0);
  CHECK(o.qparams().zero_point[0] == 0);
  CHECK(o.qparams().scale[0] == Approx(2.7F * 7 / 8 / 127).epsilon(1e-6));  // the last bin of eight is trimmed
}

TEST_CASE("merging batches conserves every count") {
  Generator g(4);
  HistogramObserver o;
  double seen = 0;
  for (int i = 0; i < 20; ++i) {
    Tensor x = randn(g, {1000});
    for (float& v : x.mutable_data<float>()) v *= static_cast<float>(1 + i % 7);
    o.observe(x, "x");
    seen += 1000;
    REQUIRE(mass(o) == Approx(seen).epsilon(1e-12));
  }
}

TEST_CASE("an outlier is clipped when that lowers the error, and kept when it does not") {
  Generator g(8);
  HistogramObserver o;
  Tensor x = randn(g, {1000000});
  x.mutable_data<float>()[0] = 20;
  o.observe(x, "x");
  const QParams q = o.qparams();
  const float top = q.scale[0] * static_cast<float>(255 - q.zero_point[0]),
              bottom = q.scale[0] * static_cast<float>(-q.zero_point[0]);
  CHECK(top < 10);
  CHECK(top > 3);
  CHECK(bottom < -3);
  HistogramObserver flat;
  flat.observe(rand(g, {100000}), "x");
  const QParams p = flat.qparams();
  CHECK(p.scale[0] * 255 > 0.99F);
}

TEST_CASE("histogram edge cases: NaN, constant data, one element, a denormal width, an empty batch") {
  HistogramObserver o;
  CHECK_THROWS_WITH(o.observe(of({1, NAN}), "conv1"), Contains("conv1: observed value nan at element 1"));
  o.observe(Tensor(Shape{0}, DType::f32), "x");
  CHECK_THROWS_WITH(o.qparams(), Contains("seen no data"));
  HistogramObserver constant;
  constant.observe(of({3}), "x");
  constant.observe(of({3}), "x");
  const QParams q = constant.qparams();
  CHECK(std::isfinite(q.scale[0]));
  CHECK(std::abs(q.scale[0] * static_cast<float>(255 - q.zero_point[0]) - 3) < 0.02F);
  HistogramObserver narrow;
  narrow.observe(of({1, std::nextafter(1.0F, 2.0F)}), "x");
  CHECK(mass(narrow) == 2);
  CHECK(std::isnormal(narrow.qparams().scale[0]));
  HistogramObserver tiny;
  tiny.observe(of({0, 1e-44F}), "x");
  CHECK(std::isnormal(tiny.qparams().scale[0]));
  CHECK_THROWS_WITH(HistogramObserver({.scheme = QScheme::per_channel_affine}), Contains("per tensor"));
}

TEST_CASE("a histogram's state makes an equal observer") {
  Generator g(8);
  HistogramObserver a({.dtype = DType::i8, .reduce_range = true}, 64);
  a.observe(randn(g, {500}), "x");
  const auto b = make_observer("histogram");
  b->load(a.state());
  CHECK(b->qparams() == a.qparams());
  StateDict broken = a.state();
  broken["histogram"] = Tensor::full({64}, -1, DType::f64);
  CHECK_THROWS_WITH(b->load(broken), Contains("histogram count -1"));
  const auto refuses = [&](const char* entry, const Tensor& value, const char* says) {
    StateDict other = a.state();
    other[entry] = value;
    INFO(entry);
    CHECK_THROWS_WITH(b->load(other), Contains("observer state") && Contains(says));
    other.erase(entry);
    CHECK_THROWS_WITH(b->load(other), Contains(entry));
  };
  refuses("histogram", Tensor::full({63}, 1, DType::f64), "63 counts for 64 bins");
  refuses("histogram", Tensor::full({64}, INFINITY, DType::f64), "histogram count inf");
  refuses("min_val", Tensor::full({1}, NAN), "range nan..");
  refuses("max_val", Tensor::full({1}, -1e9), "..-1e+09");
  refuses("max_val", Tensor::full({2}, 1), "must be single values");
  refuses("min_val", Tensor::full({0}, 1), "must be single values");
  CHECK(b->qparams() == a.qparams());  // a refused state changes nothing
}
