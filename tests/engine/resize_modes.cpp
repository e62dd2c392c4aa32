// SPDX-License-Identifier: Apache-2.0
// Resizing in every coordinate mode of ONNX, with sizes, scales and regions: places by ONNX's formulas in binary64, ONNX's own
// examples, derivatives, codes of every rounding on every engine, and attributes that contradict each other.
#include <algorithm>
#include <cmath>

#include "compile/program.h"
#include "tests/engine/gradient_check.h"
#include "tests/engine/operators.h"
#include "tests/kernels/fills.h"
#include "tests/same.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;

namespace octet::resize_modes_tests {
namespace {

constexpr int64_t kHeight = 4, kWidth = 5, kChannels = 3;
constexpr double kFill = 7.5;

/// Told alike to both kinds. exact: no place needs more bits than a float32 has.
struct Case {
  Pair size;
  Coordinates coordinates;
  std::optional<Scale> scale{};
  std::optional<Region> roi{};
  bool exact = false;
};

std::vector<Case> cases() {
  using enum Coordinates;
  std::vector<Case> all;
  for (const Coordinates c : {asymmetric, half_pixel, align_corners, pytorch_half_pixel, half_pixel_symmetric}) {
    for (const Pair size : {Pair{1, 1}, Pair{3, 8}, Pair{5, 4}, Pair{9, 2}, Pair{7, 13}}) all.push_back({size, c});
    for (const Scale scale : {Scale{1.3, 2.7}, {0.6, 0.6}, {3, 1.0 / 3}, {0.25, 7}}) all.push_back({{0, 0}, c, scale});
    all.push_back({{3, 8}, c, Scale{0.7, 1.7}});
    all.push_back({{0, 8}, c, Scale{0.7, 1.7}});
  }
  for (const Coordinates c : {asymmetric, half_pixel, pytorch_half_pixel, half_pixel_symmetric})
    for (const Pair size : {Pair{8, 10}, Pair{2, 5}, Pair{16, 20}}) all.push_back({size, c, {}, {}, true});
  for (const Coordinates c : {asymmetric, half_pixel, pytorch_half_pixel})
    for (const Scale scale : {Scale{2, 0.5}, {0.25, 4}, {1, 2}}) all.push_back({{0, 0}, c, scale, {}, true});
  for (const Pair size : {Pair{7, 9}, Pair{13, 3}, Pair{4, 5}}) all.push_back({size, align_corners, {}, {}, true});
  for (const Region& roi : {Region{0.1, 0.2, 0.9, 1.3}, {1.2, -0.3, -0.2, 0.6}, {2, 2, 3, 3}, {-1, 0, 2, 1}})
    for (const Pair size : {Pair{3, 8}, Pair{1, 6}}) all.push_back({size, tf_crop_and_resize, {}, roi});
  all.push_back({{4, 9}, tf_crop_and_resize, {}, Region{0.25, -0.5, 1, 1.5}, true});
  all.push_back({{4, 5}, tf_crop_and_resize, {}, Region{}, true});
  all.push_back({{0, 0}, tf_crop_and_resize, Scale{2.5, 1.5}, Region{0.1, -0.2, 0.8, 0.9}});
  return all;
}

ResizeNearest nearest_of(const Case& c, NearestMode mode) {
  const bool crops = c.coordinates == Coordinates::tf_crop_and_resize;
  return {c.size, c.coordinates, mode, c.scale, c.roi, crops ? std::optional(kFill) : std::nullopt};
}
ResizeLinear linear_of(const Case& c) {
  const ResizeNearest op = nearest_of(c, NearestMode::floor);
  return {op.size, op.coordinates, op.scale, op.roi, op.extrapolation};
}

/// One axis of a case, by ONNX's documentation.
struct Axis {
  Coordinates coordinates;
  double in, out, scale, begin, end;

  double place(double i) const {
    switch (coordinates) {
      case Coordinates::asymmetric: return i / scale;
      case Coordinates::pytorch_half_pixel: return out > 1 ? (i + 0.5) / scale - 0.5 : 0;
      case Coordinates::half_pixel: return (i + 0.5) / scale - 0.5;
      case Coordinates::align_corners: return out > 1 ? i * (in - 1) / (out - 1) : 0;
      case Coordinates::half_pixel_symmetric: {
        const double adjustment = out / (in * scale), center = in / 2, offset = center * (1 - adjustment);
        return offset + (i + 0.5) / scale - 0.5;
      }
      case Coordinates::tf_crop_and_resize:
        return out > 1 ? begin * (in - 1) + i * (end - begin) * (in - 1) / (out - 1) : 0.5 * (begin + end) * (in - 1);
    }
    return NAN;
  }
  bool outside(double place) const { return coordinates == Coordinates::tf_crop_and_resize && (place < 0 || place > in - 1); }
};

struct Axes {
  Axis rows, columns;
};
Axes axes_of(const Case& c) {
  const Region roi = c.roi.value_or(Region{});
  const auto axis = [&](int64_t in, int64_t size, double scale, double begin, double end) {
    const double n = static_cast<double>(in);
    const double out = size > 0 ? static_cast<double>(size) : std::floor(n * (end - begin) * scale);
    return Axis{c.coordinates, n, out, scale > 0 ? scale : out / n, begin, end};
  };
  const Scale none{0, 0}, scale = c.scale.value_or(none);
  return {axis(kHeight, c.size.h, scale.h, roi.top, roi.bottom), axis(kWidth, c.size.w, scale.w, roi.left, roi.right)};
}

double rounded(double v, NearestMode mode) {
  switch (mode) {
    case NearestMode::floor: return std::floor(v);
    case NearestMode::ceil: return std::ceil(v);
    case NearestMode::round_prefer_floor: return v - std::floor(v) <= 0.5 ? std::floor(v) : std::ceil(v);
    case NearestMode::round_prefer_ceil: return v - std::floor(v) < 0.5 ? std::floor(v) : std::ceil(v);
  }
  return NAN;
}

constexpr double kNear = 1e-5;  // what steps in float32 may be off

/// Elements of the axis, -1 for the constant, that output element i may be: several where float32 may decide otherwise.
std::set<int64_t> chosen(const Axis& axis, int64_t i, NearestMode mode, bool exact) {
  const double at = axis.place(static_cast<double>(i));
  std::set<int64_t> all;
  for (const double off : exact ? std::vector<double>{0} : std::vector<double>{-kNear, 0, kNear}) {
    const double v = at + off;
    all.insert(axis.outside(v) ? -1 : static_cast<int64_t>(std::clamp(rounded(v, mode), 0.0, axis.in - 1)));
  }
  return all;
}

/// Output element e of this case lies there.
struct Element {
  int64_t n, row, column, channel;
  Element(int64_t e, const Axes& axes) {
    const auto h = static_cast<int64_t>(axes.rows.out), w = static_cast<int64_t>(axes.columns.out);
    channel = e % kChannels, column = e / kChannels % w, row = e / kChannels / w % h, n = e / kChannels / w / h;
  }
  size_t source(int64_t y, int64_t x) const { return static_cast<size_t>(((n * kHeight + y) * kWidth + x) * kChannels + channel); }
};

/// The interpolated value; NaN: the constant.
double between(const Element& e, const Axes& axes, const std::function<double(size_t)>& at) {
  const double place_y = axes.rows.place(static_cast<double>(e.row)), place_x = axes.columns.place(static_cast<double>(e.column));
  if (axes.rows.outside(place_y) || axes.columns.outside(place_x)) return NAN;
  const double y = std::clamp(place_y, 0.0, axes.rows.in - 1), x = std::clamp(place_x, 0.0, axes.columns.in - 1);
  const auto y0 = static_cast<int64_t>(y), x0 = static_cast<int64_t>(x);
  const int64_t y1 = std::min(y0 + 1, kHeight - 1), x1 = std::min(x0 + 1, kWidth - 1);
  const double fy = y - static_cast<double>(y0), fx = x - static_cast<double>(x0);
  return (1 - fy) * ((1 - fx) * at(e.source(y0, x0)) + fx * at(e.source(y0, x1))) +
         fy * ((1 - fx) * at(e.source(y1, x0)) + fx * at(e.source(y1, x1)));
}

/// Is the element so close to the picture's edge that float32 may put it on the other side?
bool on_the_edge(const Element& e, const Axes& axes) {
  const auto near = [](const Axis& axis, int64_t i) {
    const double at = axis.place(static_cast<double>(i));
    return axis.coordinates == Coordinates::tf_crop_and_resize && (std::abs(at) < kNear || std::abs(at - axis.in + 1) < kNear);
  };
  return near(axes.rows, e.row) || near(axes.columns, e.column);
}

std::string text_of(const Case& c) {
  std::string text(kEnumNames<Coordinates>[static_cast<size_t>(c.coordinates)]);
  if (c.scale) text += " by " + std::to_string(c.scale->h) + ", " + std::to_string(c.scale->w);
  return text + " to " + std::to_string(c.size.h) + "x" + std::to_string(c.size.w);
}

const Shape kPicture{2, kHeight, kWidth, kChannels};

Tensor run(const Op& op, const Tensor& x) {
  const Model m = network_of({op, {x.shape()}});
  Tensor y = infer(m, {&x, 1})[0];
  CHECK(same(Session(Program::bind(m), {x.shape()}).run({&x, 1})[0], y));
  return y;
}

}  // namespace

TEST_CASE("the nearest values are those of ONNX's places in every mode") {
  Generator g(3);
  const Tensor x = randn(g, kPicture);
  const auto from = x.data<float>();
  int64_t compared = 0, either = 0, filled = 0;
  for (const Case& c : cases())
    for (const NearestMode mode :
         {NearestMode::floor, NearestMode::ceil, NearestMode::round_prefer_floor, NearestMode::round_prefer_ceil}) {
      INFO(text_of(c) << ", " << kEnumNames<NearestMode>[static_cast<size_t>(mode)]);
      const Axes axes = axes_of(c);
      const Tensor y = run(nearest_of(c, mode), x);
      REQUIRE(y.shape() == Shape{2, static_cast<int64_t>(axes.rows.out), static_cast<int64_t>(axes.columns.out), kChannels});
      for (int64_t i = 0; i < y.numel(); ++i, ++compared) {
        const Element e(i, axes);
        const auto rows = chosen(axes.rows, e.row, mode, c.exact), columns = chosen(axes.columns, e.column, mode, c.exact);
        const float got = y.data<float>()[static_cast<size_t>(i)];
        bool found = false;
        for (const int64_t row : rows)
          for (const int64_t column : columns)
            found |= got == (row < 0 || column < 0 ? static_cast<float>(kFill) : from[e.source(row, column)]);
        if (!found) {
          CAPTURE(i, got);
          REQUIRE(found);
        }
        either += rows.size() * columns.size() > 1, filled += got == static_cast<float>(kFill);
      }
    }
  CHECK(compared > 50'000);
  CHECK(either < compared / 4);
  CHECK(filled > 1000);
}

TEST_CASE("interpolated values are those of ONNX's places in every mode, and so are derivatives") {
  Generator g(4);
  const Tensor x = randn(g, kPicture);
  int64_t compared = 0, filled = 0;
  for (const Case& c : cases()) {
    INFO(text_of(c));
    const Axes axes = axes_of(c);
    const Tensor y = run(linear_of(c), x);
    REQUIRE(y.shape() == Shape{2, static_cast<int64_t>(axes.rows.out), static_cast<int64_t>(axes.columns.out), kChannels});
    double worst = 0;
    for (int64_t i = 0; i < y.numel(); ++i) {
      const Element e(i, axes);
      if (!c.exact && on_the_edge(e, axes)) continue;
      const double want = between(e, axes, [&](size_t at) { return static_cast<double>(x.data<float>()[at]); });
      const auto got = static_cast<double>(y.data<float>()[static_cast<size_t>(i)]);
      worst = std::max(worst, std::abs((std::isnan(want) ? kFill : want) - got));
      ++compared, filled += std::isnan(want);
    }
    CHECK(worst < 2e-5);
    gradient_check::check_op(linear_of(c), {{1, kHeight, kWidth, 2}});
    gradient_check::check_op(nearest_of(c, NearestMode::round_prefer_floor), {{1, kHeight, kWidth, 2}});
  }
  CHECK(compared > 10'000);
  CHECK(filled > 300);
}

TEST_CASE("resizing gives what ONNX's own examples say") {
  using enum Coordinates;
  using enum NearestMode;
  const auto counted = [](int64_t h, int64_t w) {
    std::vector<float> values;
    for (int64_t i = 0; i < h * w; ++i) values.push_back(static_cast<float>(i + 1));
    return Tensor::of<float>({1, h, w, 1}, values);
  };
  struct Example {
    const char* name;  // of Debian's libonnx-testdata, without test_resize_
    Op op;
    Pair picture;
    std::vector<float> want;
  };
  const Region roi{0.4000000059604645, 0.6000000238418579, 1.2000000476837158, 1.7000000476837158};
  const Scale smaller{0.6000000238418579, 0.6000000238418579};
  // downsample_scales_linear_align_corners has out = 1.2 and 2.4 in its formula, of which ONNX's documentation knows nothing.
  const Example examples[] = {
      {"downsample_scales_linear", ResizeLinear{{0, 0}, half_pixel, smaller}, {2, 4}, {2.6666665F, 4.333333F}},
      {"downsample_scales_nearest", ResizeNearest{{0, 0}, half_pixel, round_prefer_floor, smaller}, {2, 4}, {1, 3}},
      {"downsample_sizes_linear_pytorch_half_pixel", ResizeLinear{{3, 1}, pytorch_half_pixel}, {4, 4}, {1.6666666F, 7, 12.333333F}},
      {"downsample_sizes_nearest", ResizeNearest{{1, 3}, half_pixel, round_prefer_floor}, {2, 4}, {1, 2, 4}},
      {"downsample_sizes_nearest_tf_half_pixel_for_nn",  // (i + 1/2) / s, rounded to nearest: half_pixel plus 1/2
       ResizeNearest{{3, 2}, half_pixel, NearestMode::ceil},
       {4, 4},
       {6, 8, 10, 12, 14, 16}},
      {"tf_crop_and_resize",
       ResizeLinear{{3, 3}, tf_crop_and_resize, {}, roi, 10},
       {4, 4},
       {7.6000004F, 10, 10, 12.400001F, 10, 10, 10, 10, 10}},
      {"upsample_scales_linear",
       ResizeLinear{{0, 0}, half_pixel, Scale{2, 2}},
       {2, 2},
       {1, 1.25F, 1.75F, 2, 1.5F, 1.75F, 2.25F, 2.5F, 2.5F, 2.75F, 3.25F, 3.5F, 3, 3.25F, 3.75F, 4}},
      {"upsample_scales_linear_align_corners",
       ResizeLinear{{0, 0}, align_corners, Scale{2, 2}},
       {2, 2},
       {1, 1.3333334F, 1.6666666F, 2, 1.6666666F, 2, 2.3333333F, 2.6666667F, 2.3333333F, 2.6666667F, 3, 3.3333333F, 3, 3.3333333F,
        3.6666667F, 4}},
      {"upsample_scales_nearest",
       ResizeNearest{{0, 0}, half_pixel, round_prefer_floor, Scale{2, 3}},
       {2, 2},
       {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4}},
      {"upsample_sizes_nearest",
       ResizeNearest{{7, 8}, half_pixel, round_prefer_floor},
       {2, 2},
       {1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 1,
        2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 3, 3, 3, 3, 4, 4, 4, 4, 3, 3, 3, 3, 4, 4, 4, 4}}};
  for (const Example& e : examples) {
    INFO(e.name);
    const Tensor y = run(e.op, counted(e.picture.h, e.picture.w));
    REQUIRE(y.numel() == static_cast<int64_t>(e.want.size()));
    for (size_t i = 0; i < e.want.size(); ++i) CHECK(std::abs(y.data<float>()[i] - e.want[i]) < 2e-6F);
  }
  // Rows and columns of three more, whose examples are 8x8.
  const std::tuple<const char*, ResizeNearest, std::vector<int>> doubled[] = {
      {"upsample_sizes_nearest_ceil_half_pixel", {{8, 8}, half_pixel, ceil}, {0, 1, 1, 2, 2, 3, 3, 3}},
      {"upsample_sizes_nearest_floor_align_corners", {{8, 8}, align_corners, NearestMode::floor}, {0, 0, 0, 1, 1, 2, 2, 3}},
      {"upsample_sizes_nearest_round_prefer_ceil_asymmetric", {{8, 8}, asymmetric, round_prefer_ceil}, {0, 1, 1, 2, 2, 3, 3, 3}}};
  for (const auto& [name, op, places] : doubled) {
    INFO(name);
    const Tensor y = run(op, counted(4, 4));
    for (size_t i = 0; i < 64; ++i) CHECK(y.data<float>()[i] == static_cast<float>(1 + 4 * places[i / 8] + places[i % 8]));
  }
}

TEST_CASE("codes of resized pictures in every mode, rounding and type, on every engine") {
  Generator g(6);
  int64_t compared = 0, close = 0;
  for (const Case& c : cases())
    for (const Rounding rounding : kRoundings)
      for (const bool i8 : {false, true})
        for (const bool linear : {false, true}) {
          INFO(text_of(c) << ", " << to_string(rounding) << (i8 ? ", i8" : ", u8") << (linear ? ", linear" : ", nearest"));
          const Op op = linear ? Op(linear_of(c)) : Op(nearest_of(c, NearestMode::round_prefer_ceil));
          const bool crops = c.coordinates == Coordinates::tf_crop_and_resize;
          REQUIRE(keeps_qparams(op) == !crops);
          Model m = network_of({op, {kPicture}});
          m.rounding = rounding;
          const int32_t low = i8 ? -128 : 0;
          const QParams q{{0.125F}, {low + 121}, -1, 0, low, low + 255}, wider{{0.25F}, {low + 90}, -1, 0, low, low + 255};
          const QParams own = crops && c.size.h != 1 ? wider : q;
          m["x0"].out_q = {q}, m["op"].out_q = {own};
          REQUIRE(runs_quantized(m, 1));
          Tensor x = Tensor(kPicture, i8 ? DType::i8 : DType::u8).with(q);
          auto* codes = static_cast<uint8_t*>(x.mutable_raw());
          for (int64_t i = 0; i < x.numel(); ++i) codes[i] = static_cast<uint8_t>(g.next32());
          const Tensor y = infer(m, {&x, 1})[0], floats = infer(network_of({op, {kPicture}}), {{dequantize(x)}})[0];
          REQUIRE(y.shape() == floats.shape());
          // In the fixed roundings a place is a multiple of 1/1024 near its own, and up to three roundings follow each other.
          const bool fixed = rounding == Rounding::fixed_double || rounding == Rounding::fixed_single;
          const double most = !linear ? (own == q ? 0 : 0.503) : (own == q ? 0.502 : 0.753) + (fixed ? (c.exact ? 0.25 : 6) : 0);
          for (int64_t i = 0; i < y.numel(); ++i, ++compared) {
            const double value = static_cast<double>(floats.data<float>()[static_cast<size_t>(i)]);
            const double want = std::clamp<double>(value / static_cast<double>(own.scale[0]) + own.zero_point[0], low, low + 255);
            const int code = i8 ? y.data<int8_t>()[i] : y.data<uint8_t>()[i];
            close += std::abs(code - want) <= 0.76;
            if (std::abs(code - want) > most) {
              CAPTURE(i, code, want);
              REQUIRE(code == want);
            }
          }
          for (const QEngineInfo& info : qengines())
            if (info.available) CHECK(same(Session(Program::bind(m, info.engine), {kPicture}, 2).run({&x, 1})[0], y));
        }
  CHECK(compared > 100'000);
  CHECK(close > compared * 9 / 10);
}

TEST_CASE("fixed places of a scale are the nearest of 1024 between two elements") {
  // One row; columns 0 and 255 lie apart far enough that a code tells the place: 255 * k / 1024, halves away from zero.
  for (const double scale : {1.3, 2.7, 5.0, 11.0})
    for (const Rounding rounding : {Rounding::fixed_double, Rounding::fixed_single}) {
      Model m = network_of({ResizeLinear{{1, 0}, Coordinates::half_pixel, Scale{1, scale}}, {{1, 1, 2, 1}}});
      m.rounding = rounding;
      m["x0"].out_q = m["op"].out_q = {QParams{{0.5F}, {0}, -1, 0, 0, 255}};
      const Tensor x = Tensor::of<uint8_t>({1, 1, 2, 1}, std::vector<uint8_t>{0, 255}).with(*m["x0"].out_q[0]);
      const Tensor y = infer(m, {&x, 1})[0];
      REQUIRE(y.numel() == static_cast<int64_t>(std::floor(2 * scale)));
      for (int64_t i = 0; i < y.numel(); ++i) {
        const double place = std::clamp((static_cast<double>(i) + 0.5) / scale - 0.5, 0.0, 1.0);
        CHECK(int{y.data<uint8_t>()[i]} == std::lround(255 * std::round(place * 1024) / 1024));
      }
    }
}

TEST_CASE("coordinates that give the same places give the same codes") {
  using enum Coordinates;
  Generator g(8);
  const std::pair<ResizeLinear, ResizeLinear> pairs[] = {{{{7, 13}, pytorch_half_pixel}, {{7, 13}, half_pixel}},
                                                         {{{7, 13}, half_pixel_symmetric}, {{7, 13}, half_pixel}},
                                                         {{{1, 1}, pytorch_half_pixel}, {{1, 1}, asymmetric}},
                                                         {{{0, 0}, align_corners, Scale{9, 9}}, {{36, 45}, align_corners}}};
  for (const auto& [one, other] : pairs)
    for (const Rounding rounding : kRoundings) {
      const QParams q{{0.125F}, {121}, -1, 0, 0, 255};
      Tensor x = Tensor(kPicture, DType::u8).with(q);
      for (uint8_t& code : x.mutable_data<uint8_t>()) code = static_cast<uint8_t>(g.next32());
      const auto codes = [&, r = rounding](const ResizeLinear& op) {
        Model m = network_of({op, {kPicture}});
        m.rounding = r;
        m["x0"].out_q = m["op"].out_q = {q};
        return infer(m, {&x, 1})[0];
      };
      INFO(to_string(rounding));
      CHECK(same(codes(one), codes(other)));
    }
}

TEST_CASE("attributes of resizing that contradict each other are refused by name") {
  using enum Coordinates;
  const auto refusal = [](const Op& op) -> std::string {
    try {
      network_of({op, {{1, 4, 5, 2}}});
      return "";
    } catch (const Error& e) {
      return e.what();
    }
  };
  CHECK(refusal(ResizeLinear{{2, 2}, tf_crop_and_resize}) == "op: tf_crop_and_resize without a roi");
  CHECK(refusal(ResizeLinear{{2, 2}, half_pixel, {}, Region{}}) == "op: half_pixel takes neither roi nor extrapolation");
  CHECK(refusal(ResizeNearest{{2, 2}, asymmetric, {}, {}, {}, 1}) == "op: asymmetric takes neither roi nor extrapolation");
  CHECK(refusal(ResizeLinear{{0, 0}, half_pixel, Scale{0.1, 1}}) == "op: 4x5 resized to 0x5");
  CHECK(refusal(ResizeLinear{{0, 0}, half_pixel, Scale{1, -2}}) == "op: resized by -2, expected a scale up to 2^24");
  CHECK(refusal(ResizeLinear{{2, 2}, half_pixel, Scale{1, NAN}}).find("op: resized by") == 0);
  CHECK(refusal(ResizeLinear{{0, 0}, half_pixel, Scale{1, 1e7}}) == "op: 4x5 resized to 4x1048576");
  CHECK(refusal(ResizeLinear{{2, 2}, tf_crop_and_resize, {}, Region{0, 0, 1e9, 1}}) == "op: a roi to 1e+09, expected 2^20 at most");
  CHECK(refusal(ResizeLinear{{2, 2}, tf_crop_and_resize, {}, Region{}, NAN}).find("op: extrapolation with") == 0);
  CHECK(refusal(ResizeLinear{{2, 2}, static_cast<Coordinates>(6)}) == "op: unknown kind of resizing");
}

}  // namespace octet::resize_modes_tests
