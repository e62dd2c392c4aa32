// SPDX-License-Identifier: Apache-2.0
// Interpolated pictures: PyTorch's values, derivatives, and codes against the formulas of both arithmetics written out once more.
#include <algorithm>
#include <cmath>

#include "compile/program.h"
#include "engine/ops/functional.h"
#include "tests/catch.h"
#include "tests/engine/gradient_check.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;

namespace octet::resize_tests {
namespace {

Model network(const Shape& x, Pair size, Coordinates coordinates) {
  Model m;
  m.add("x", Input{x});
  m.add("resized", ResizeLinear{size, coordinates});
  return m;
}

constexpr Coordinates kAll[] = {Coordinates::asymmetric, Coordinates::half_pixel, Coordinates::align_corners};

/// Where output element i lies in an axis, in exact numbers, moved into it.
double place(int64_t i, int64_t in, int64_t out, Coordinates c) {
  const double scale = static_cast<double>(in) / static_cast<double>(out), at = static_cast<double>(i);
  const double p = c == Coordinates::half_pixel   ? (at + 0.5) * scale - 0.5
                   : c == Coordinates::asymmetric ? at * scale
                   : out > 1                      ? at * static_cast<double>(in - 1) / static_cast<double>(out - 1)
                                                  : 0;
  return std::clamp(p, 0.0, static_cast<double>(in - 1));
}

/// The element of a picture between elements.
double between(const std::function<double(int64_t, int64_t)>& at, double y, double x, int64_t h, int64_t w) {
  const auto y0 = static_cast<int64_t>(std::floor(y)), x0 = static_cast<int64_t>(std::floor(x));
  const int64_t y1 = std::min(y0 + 1, h - 1), x1 = std::min(x0 + 1, w - 1);
  const double fy = y - static_cast<double>(y0), fx = x - static_cast<double>(x0);
  return (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x1)) + fy * ((1 - fx) * at(y1, x0) + fx * at(y1, x1));
}

/// TensorFlow Lite's ResizeBilinearInteger for one element of one channel.
int tflite(const std::function<int(int64_t, int64_t)>& at, int64_t oy, int64_t ox, Pair in, Pair out, Coordinates c) {
  const auto scale = [&](int64_t i, int64_t o) {
    if (c == Coordinates::align_corners && o > 1) return static_cast<int>(((1 << 10) * (i - 1) + (o - 1) / 2) / (o - 1));
    return static_cast<int>(((1 << 10) * i + o / 2) / o);
  };
  const auto values = [&](int64_t v, int s, int64_t size, int& scaled, int& lower, int& upper) {
    scaled = c == Coordinates::half_pixel ? static_cast<int>(v) * s + s / 2 - (1 << 9) : static_cast<int>(v) * s;
    lower = std::max(scaled / (1 << 10), 0);
    upper = std::min((scaled + (1 << 10) - 1) / (1 << 10), static_cast<int>(size) - 1);
  };
  int y = 0, y0 = 0, y1 = 0, x = 0, x0 = 0, x1 = 0;
  values(oy, scale(in.h, out.h), in.h, y, y0, y1), values(ox, scale(in.w, out.w), in.w, x, x0, x1);
  const int64_t dy = y - (1 << 10) * y0, dx = x - (1 << 10) * x0;
  const int64_t sum = at(y0, x0) * ((1 << 10) - dy) * ((1 << 10) - dx) + at(y1, x0) * dy * ((1 << 10) - dx) +
                      at(y0, x1) * ((1 << 10) - dy) * dx + at(y1, x1) * dy * dx;
  return static_cast<int>((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
}

}  // namespace

TEST_CASE("interpolated values are PyTorch's") {
  const Tensor x = Tensor::of<float>({1, 2, 2, 1}, std::vector<float>{1, 2, 3, 4});
  const auto values = [&](Pair size, Coordinates c) {
    const Tensor y = infer(network({1, 2, 2, 1}, size, c), {&x, 1})[0];
    return std::vector<float>(y.data<float>().begin(), y.data<float>().end());
  };
  CHECK(values({4, 4}, Coordinates::half_pixel) ==
        std::vector<float>{1, 1.25F, 1.75F, 2, 1.5F, 1.75F, 2.25F, 2.5F, 2.5F, 2.75F, 3.25F, 3.5F, 3, 3.25F, 3.75F, 4});
  CHECK(values({2, 3}, Coordinates::align_corners) == std::vector<float>{1, 1.5F, 2, 3, 3.5F, 4});
  CHECK(values({2, 4}, Coordinates::asymmetric) == std::vector<float>{1, 1.5F, 2, 2, 3, 3.5F, 4, 4});
  CHECK(values({1, 1}, Coordinates::half_pixel) == std::vector<float>{2.5F});
  CHECK(values({1, 1}, Coordinates::align_corners) == std::vector<float>{1});
}

TEST_CASE("any size and place: values between elements, derivatives, bad sizes by name") {
  Generator g(3);
  for (const Coordinates c : kAll)
    for (const Pair size : {Pair{1, 1}, Pair{3, 8}, Pair{5, 4}, Pair{9, 2}, Pair{7, 13}}) {
      const Shape shape{2, 4, 5, 3};
      INFO(kEnumNames<Coordinates>[static_cast<size_t>(c)] << ", " << size.h << "x" << size.w);
      const Tensor x = randn(g, shape);
      const Model m = network(shape, size, c);
      const Tensor y = infer(m, {&x, 1})[0];
      REQUIRE(y.shape() == Shape{2, size.h, size.w, 3});
      double worst = 0;
      for (int64_t i = 0; i < y.numel(); ++i) {
        const int64_t ch = i % 3, ox = i / 3 % size.w, oy = i / 3 / size.w % size.h, n = i / 3 / size.w / size.h;
        const auto at = [&](int64_t row, int64_t column) {
          return static_cast<double>(x.data<float>()[static_cast<size_t>(((n * 4 + row) * 5 + column) * 3 + ch)]);
        };
        const double want = between(at, place(oy, 4, size.h, c), place(ox, 5, size.w, c), 4, 5);
        worst = std::max(worst, std::abs(want - static_cast<double>(y.data<float>()[static_cast<size_t>(i)])));
      }
      CHECK(worst < 1e-5);
      Session session(Program::bind(m), {shape});
      CHECK(same(session.run({&x, 1})[0], y));
      gradient_check::check_op(ResizeLinear{size, c}, {{1, 4, 5, 2}});
    }
  CHECK_THROWS_WITH(network({1, 4, 5}, {2, 2}, Coordinates::half_pixel), Contains("resized: expected N,H,W,C"));
  CHECK_THROWS_WITH(network({1, 4, 5, 1}, {0, 2}, Coordinates::half_pixel), Contains("resized: 4x5 resized to 0x2"));
}

TEST_CASE("interpolated codes: the nearest code in real, TensorFlow Lite's integers in the fixed roundings") {
  Generator g(5);
  int64_t compared = 0;
  for (const Rounding rounding : {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single})
    for (const Coordinates c : kAll)
      for (const Pair out : {Pair{1, 1}, Pair{3, 8}, Pair{8, 10}, Pair{9, 2}, Pair{7, 13}, Pair{40, 3}})
        for (const bool is_signed : {false, true}) {
          const Shape shape{2, 4, 5, 3};
          Model m = network(shape, out, c);
          m.rounding = rounding;
          const QParams q{{0.1F}, {is_signed ? -7 : 130}, -1, 0, is_signed ? -128 : 0, is_signed ? 127 : 255};
          m.modules[0].out_q = m.modules[1].out_q = {q};
          REQUIRE(runs_quantized(m, 1));
          Tensor x = Tensor(shape, is_signed ? DType::i8 : DType::u8).with(q);
          auto* codes = static_cast<uint8_t*>(x.mutable_raw());
          for (int64_t i = 0; i < x.numel(); ++i) codes[i] = static_cast<uint8_t>(g.next32());
          const Tensor y = infer(m, {&x, 1})[0];
          const auto code = [&](const Tensor& t, int64_t i) {
            return is_signed ? int{t.data<int8_t>()[static_cast<size_t>(i)]} : int{t.data<uint8_t>()[static_cast<size_t>(i)]};
          };
          for (int64_t i = 0; i < y.numel(); ++i, ++compared) {
            const int64_t ch = i % 3, ox = i / 3 % out.w, oy = i / 3 / out.w % out.h, n = i / 3 / out.w / out.h;
            const auto at = [&](int64_t row, int64_t column) { return code(x, ((n * 4 + row) * 5 + column) * 3 + ch); };
            const int got = code(y, i);
            if (rounding == Rounding::fixed_double || rounding == Rounding::fixed_single) {
              if (const int want = tflite(at, oy, ox, {4, 5}, out, c); got != want) {
                CAPTURE(to_string(rounding), i, got, want);
                REQUIRE(got == want);
              }
            } else {
              const double want = between([&](int64_t r, int64_t k) { return static_cast<double>(at(r, k)); },
                                          place(oy, 4, out.h, c), place(ox, 5, out.w, c), 4, 5);
              if (std::abs(got - want) > 0.5 + 1e-3) {
                CAPTURE(to_string(rounding), i, got, want);
                REQUIRE(std::abs(got - want) <= 0.5 + 1e-3);
              }
            }
          }
          for (const QEngine engine : {QEngine::reference, QEngine::automatic}) {
            Session session(Program::bind(m, engine), {shape});
            CHECK(same(session.run({&x, 1})[0], y));
          }
        }
  CHECK(compared > 10'000);
}

TEST_CASE("the nearest of aligned corners is that of exact fractions, and TensorFlow Lite's where halves go up") {
  int64_t differs = 0, compared = 0;
  for (int64_t in = 1; in <= 48; ++in)
    for (int64_t out = 1; out <= 64; ++out)
      for (const NearestMode mode :
           {NearestMode::floor, NearestMode::ceil, NearestMode::round_prefer_floor, NearestMode::round_prefer_ceil}) {
        const ResizeNearest op{.size = {out, 1}, .coordinates = Coordinates::align_corners, .nearest = mode};
        const std::vector<int64_t> places = op.pick({1, in, 1, 1}, "x").axes[1];
        REQUIRE(std::ssize(places) == out);
        for (int64_t i = 0; i < out; ++i, ++compared) {
          // place = top / bottom; halves of it in whole numbers.
          const int64_t top = out > 1 ? i * (in - 1) : 0, bottom = std::max<int64_t>(out - 1, 1), low = top / bottom;
          const int64_t twice = 2 * (top - low * bottom);
          const float scale = out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : 0;
          const int64_t up = low + (twice >= bottom ? 1 : 0);
          const int64_t want = mode == NearestMode::floor                ? low
                               : mode == NearestMode::ceil               ? low + (twice > 0 ? 1 : 0)
                               : mode == NearestMode::round_prefer_floor ? low + (twice > bottom ? 1 : 0)
                                                                         : std::lround(static_cast<float>(i) * scale);
          differs += mode == NearestMode::round_prefer_ceil && want != up ? 1 : 0;
          if (places[static_cast<size_t>(i)] != want) {
            CAPTURE(in, out, i, static_cast<int>(mode));
            REQUIRE(places[static_cast<size_t>(i)] == want);
          }
        }
      }
  CHECK(differs > 0);
  CHECK(compared > 100'000);
  // The last element is the last: 41 times f32(1 / 41) is less than 1.
  const ResizeNearest two{.size = {42, 1}, .coordinates = Coordinates::align_corners};
  CHECK(two.pick({1, 2, 1, 1}, "x").axes[1].back() == 1);
}

}  // namespace octet::resize_tests
