// SPDX-License-Identifier: Apache-2.0
// Min/max observers and the qparams formula against PyTorch's values.
#include "quant/observers/range.h"

#include <cmath>

#include "quant/observers/histogram.h"
#include "tests/catch.h"
#include "tests/quant/support.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

QParams after(Observer&& observer, std::vector<std::vector<float>> batches) {
  for (auto& b : batches) observer.observe(of(std::move(b)), "x");
  return observer.qparams();
}

constexpr ObserverSpec u8{}, u8_reduced{.reduce_range = true}, u8_symmetric{.scheme = QScheme::per_tensor_symmetric};
constexpr ObserverSpec i8{.dtype = DType::i8}, i8_reduced{.dtype = DType::i8, .reduce_range = true};
constexpr ObserverSpec i8_symmetric{.dtype = DType::i8, .scheme = QScheme::per_tensor_symmetric};
constexpr ObserverSpec i8_symmetric_reduced{.dtype = DType::i8, .scheme = QScheme::per_tensor_symmetric, .reduce_range = true};

void expect(const QParams& q, float scale, int32_t zero_point) {
  CHECK(q.scale[0] == scale);
  CHECK(q.zero_point[0] == zero_point);
}

/// PyTorch's own test tensor for per-channel observers.
Tensor channels() {
  return Tensor::of<float>({2, 2, 2, 2}, std::vector<float>{1, 2, 2, 2.5F, 3, 4, 4.5F, 6, -4, -3, 5, 5, 6, 3, 7, 8});
}

}  // namespace

TEST_CASE("min-max parameters for every dtype, scheme and range equal PyTorch's") {
  const std::vector<std::vector<float>> data{{1, 2, 2, 3, 4, 5, 6}, {4, 5, 5, 6, 7, 8}};
  expect(after(MinMaxObserver(u8), data), 8.0F / 255, 0);
  expect(after(MinMaxObserver(u8), data), 0.0313725508749485F, 0);
  expect(after(MinMaxObserver(u8_reduced), data), 0.06299212574958801F, 0);
  expect(after(MinMaxObserver(i8), data), 8.0F / 255, -128);
  expect(after(MinMaxObserver(i8_reduced), data), 0.06299212574958801F, -64);
  expect(after(MinMaxObserver(i8_symmetric), data), 0.062745101749897F, 0);
  expect(after(MinMaxObserver(i8_symmetric_reduced), data), 0.12598425149917603F, 0);
  expect(after(MinMaxObserver(u8_symmetric), data), 8.0F / 127.5F, 128);
}

TEST_CASE("a symmetric u8 observer with a custom range puts its zero point in the middle of it") {
  const QParams q = after(MinMaxObserver({.scheme = QScheme::per_tensor_symmetric, .quant_range = std::pair{0, 127}}), {{-1, 2}});
  expect(q, 2.0F / 63.5F, 63);
}

TEST_CASE("degenerate data gives PyTorch's parameters") {
  const float eps = 0x1p-23F;
  expect(after(MinMaxObserver(u8), {{0, 0}}), eps, 0);
  expect(after(MinMaxObserver(u8), {{5, 5}}), 5.0F / 255, 0);
  expect(after(MinMaxObserver(u8), {{-5}}), 5.0F / 255, 255);
  expect(after(MinMaxObserver(i8), {{0}}), eps, -128);
  expect(after(MinMaxObserver(u8), {{-1, 1}}), 2.0F / 255, 127);  // float32 order of operations: 127.49999
  expect(after(MinMaxObserver(u8), {{1e-9F}}), eps, 0);
  const QParams huge = after(MinMaxObserver(u8), {{-3e38F, 3e38F}});
  CHECK(std::isfinite(huge.scale[0]));
  CHECK(huge.scale[0] == Approx(6e38 / 255));
}

TEST_CASE("moving averages follow m + c (batch - m)") {
  MovingAverageMinMaxObserver o(u8, 0.01F);
  o.observe(of({-1, 2}), "x");
  o.observe(of({-3, 5}), "x");
  CHECK(o.min()[0] == -1.0199999809265137F);
  CHECK(o.max()[0] == 2.0299999713897705F);
  MovingAverageMinMaxObserver half(u8, 0.5F);
  half.observe(of({0, 2, 2, 3, 4, 5, 6}), "x");
  half.observe(of({2, 5, 5, 6, 7, 10}), "x");
  CHECK(half.min()[0] == 1);
  CHECK(half.max()[0] == 8);
  MovingAverageMinMaxObserver memoryless(u8, 1);
  memoryless.observe(of({-9, 9}), "x");
  memoryless.observe(of({-1, 1}), "x");
  CHECK(memoryless.max()[0] == 1);
}

TEST_CASE("per-channel parameters on every axis equal PyTorch's") {
  const std::vector<std::vector<float>> symmetric{
      {.0470588244F, .0627451017F}, {.0392156877F, .0627451017F}, {.0470588244F, .0627451017F}, {.0549019612F, .0627451017F}};
  const std::vector<std::vector<float>> affine{
      {.0235294122F, .0470588244F}, {.0352941193F, .0313725509F}, {.0392156877F, .0313725509F}, {.0431372561F, .0431372561F}};
  const std::vector<std::vector<int32_t>> i8_zeros{{-128, -43}, {-15, -128}, {-26, -128}, {-35, -58}};
  const std::vector<std::vector<int32_t>> u8_zeros{{0, 85}, {113, 0}, {102, 0}, {93, 70}};
  for (int axis = 0; axis < 4; ++axis) {
    const auto qparams = [&](DType dtype, QScheme scheme, bool reduce = false) {
      PerChannelMinMaxObserver o({.dtype = dtype, .scheme = scheme, .reduce_range = reduce, .axis = axis});
      o.observe(channels(), "x");
      return o.qparams();
    };
    INFO("axis " << axis);
    CHECK(qparams(DType::i8, QScheme::per_channel_symmetric).scale == symmetric[axis]);
    CHECK(qparams(DType::i8, QScheme::per_channel_symmetric).zero_point == std::vector<int32_t>{0, 0});
    CHECK(qparams(DType::i8, QScheme::per_channel_affine).scale == affine[axis]);
    CHECK(qparams(DType::i8, QScheme::per_channel_affine).zero_point == i8_zeros[axis]);
    const QParams full = qparams(DType::u8, QScheme::per_channel_affine),
                  reduced = qparams(DType::u8, QScheme::per_channel_affine, true);
    CHECK(full.zero_point == u8_zeros[axis]);
    CHECK(full.axis == axis);
    for (int c = 0; c < 2; ++c) {
      CHECK(reduced.scale[c] == Approx(full.scale[c] * 255 / 127));
      CHECK(reduced.zero_point[c] == full.zero_point[c] / 2);
    }
  }
  PerChannelMinMaxObserver rows({.dtype = DType::i8, .scheme = QScheme::per_channel_symmetric});
  rows.observe(Tensor::of<float>({3, 2}, std::vector<float>{1, -2, 0, 0, 3, 4}), "x");
  CHECK(rows.qparams().scale == std::vector<float>{2 / 127.5F, 0x1p-23F, 4 / 127.5F});
}

TEST_CASE("narrow symmetric weights use max/127 and a smallest scale") {
  const ObserverSpec narrow{
      .dtype = DType::i8, .scheme = QScheme::per_tensor_symmetric, .quant_range = std::pair{-127, 127}, .eps = 0x1p-12F};
  expect(after(MinMaxObserver(narrow), {{-2, 1}}), 2.0F / 127, 0);
  expect(after(MinMaxObserver(narrow), {{1e-6F}}), 0x1p-12F, 0);
}

TEST_CASE("observers refuse impossible configurations") {
  CHECK_THROWS_WITH(MinMaxObserver({.scheme = QScheme::per_tensor_symmetric, .reduce_range = true}), Contains("reduced range"));
  CHECK_THROWS_WITH(MinMaxObserver({.quant_range = std::pair{3, 127}}), Contains("must hold zero"));
  CHECK_THROWS_WITH(MinMaxObserver({.quant_range = std::pair{0, 256}}), Contains("does not fit u8"));
  CHECK_THROWS_WITH(MinMaxObserver({.dtype = DType::i32}), Contains("dtype must be u8, i8 or i16"));
  CHECK_THROWS_WITH(MinMaxObserver({.scheme = QScheme::per_channel_affine}),
                    Contains("per-tensor observer with a per-channel scheme"));
  CHECK_THROWS_WITH(PerChannelMinMaxObserver({.scheme = QScheme::per_tensor_affine}), Contains("per-channel observer"));
  CHECK_THROWS_WITH(HistogramObserver({.scheme = QScheme::per_tensor_symmetric, .reduce_range = true}), Contains("reduced range"));
  CHECK_THROWS_WITH(MovingAverageMinMaxObserver({}, 1.5F), Contains("averaging constant"));
}

TEST_CASE("a value that is not finite is refused with its place, and an empty batch changes nothing") {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    MinMaxObserver o;
    CHECK_THROWS_WITH(o.observe(of({1, bad, 2}), "layer1.conv"), Contains("layer1.conv: observed value") && Contains("element 1"));
    CHECK_FALSE(o.calibrated());
    PerChannelMinMaxObserver p;
    CHECK_THROWS_WITH(p.observe(of({1, 2, bad}), "layer1.conv"), Contains("element 2"));
  }
  MinMaxObserver o;
  o.observe(Tensor(Shape{0}, DType::f32), "x");
  CHECK_FALSE(o.calibrated());
  CHECK_THROWS_WITH(o.qparams(), Contains("has seen no data"));
  PerChannelMinMaxObserver p({.scheme = QScheme::per_channel_affine});
  p.observe(of({1, 2}), "x");
  CHECK_THROWS_WITH(p.observe(of({1, 2, 3}), "x"), Contains("seen 2 channels, now 3"));
}

TEST_CASE("parameters do not depend on how the data is cut into batches") {
  MinMaxObserver whole, parts;
  whole.observe(of({3, -1, 4, 1, -5, 9, 2, 6}), "x");
  parts.observe(of({3, -1, 4}), "x");
  parts.observe(of({1, -5}), "x");
  parts.observe(of({9, 2, 6}), "x");
  CHECK(whole.qparams() == parts.qparams());
}

TEST_CASE("an observer's state makes an equal observer, and copies are independent") {
  MovingAveragePerChannelMinMaxObserver a({.dtype = DType::i8, .scheme = QScheme::per_channel_symmetric, .axis = 1}, 0.25F);
  a.observe(channels(), "x");
  const auto b = make_observer(a.kind());
  REQUIRE(b);
  b->load(a.state());
  CHECK(b->qparams() == a.qparams());
  const auto copy = a.clone();
  const Tensor more = Tensor::of<float>({1, 2}, std::vector<float>{100, -100});
  a.observe(more, "x");
  CHECK(copy->qparams() == b->qparams());
  CHECK_FALSE(copy->qparams() == a.qparams());
  b->observe(more, "x");
  CHECK(b->qparams() == a.qparams());
  CHECK(make_observer("no_such_kind") == nullptr);
  StateDict broken = a.state();
  broken.erase("min_val");
  CHECK_THROWS_WITH(b->load(broken), Contains("\"min_val\" is missing"));
}
