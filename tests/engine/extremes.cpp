// SPDX-License-Identifier: Apache-2.0
// Where arithmetic has no room left: more axes than kernels walk, multipliers just below a power of two, saturated codes, scales
// beyond a float.
#include <cmath>

#include "compile/program.h"
#include "quant/quantize.h"
#include "tests/engine/operators.h"
#include "tests/kernels/fills.h"
#include "tests/same.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;

namespace {

Shape twos(size_t rank) { return Shape(rank, 2); }

/// Codes through one operator, from codes of x to codes of y.
Tensor through(const Op& op, const Tensor& x, const QParams& from, const QParams& to, Rounding rounding) {
  Model m = network_of({op, {x.shape()}});
  m.rounding = rounding;
  m.modules[0].out_q = {from}, m.modules[1].out_q = {to};
  REQUIRE(runs_quantized(m, 1));
  return infer(m, {{x.with(from)}})[0];
}

Tensor all_codes() {
  Tensor x(Shape{256}, DType::i8);
  for (int i = 0; i < 256; ++i) x.mutable_data<int8_t>()[i] = static_cast<int8_t>(i - 128);
  return x;
}

}  // namespace

TEST_CASE("more axes than kernels walk are refused where the network is built") {
  CHECK_NOTHROW(network_of({Binary{}, {twos(8), twos(8)}}));  // nothing is broadcast
  CHECK_THROWS_WITH(network_of({Binary{BinaryFn::sub}, {twos(7), {2, 2, 2, 2, 2, 2, 1}}}), Contains("more than six axes"));
  CHECK_THROWS_WITH(network_of({Reduce{ReduceFn::max, {0, 2, 4, 6}}, {twos(7)}}), Contains("op: shape") && Contains("six axes"));
  CHECK_THROWS_WITH(network_of({Reduce{}, {twos(15)}}), Contains("six axes"));
  const Model wide = network_of({Expand{{int64_t{1} << 32, 1}}, {{1, 1}}});
  CHECK_THROWS_WITH(infer(wide, {{Tensor::full({1, 1}, 3)}}), Contains("below 2^31"));
}

TEST_CASE("a hard_swish whose multiplier is just below a power of two stays beside its function") {
  struct Row {
    float x_scale, y_scale;
    int32_t y_zero;
  };
  const Row rows[] = {{0.0625F, 0.0625F * 1.00001F, 0},
                      {0.011718744F, 0.05F, 0},
                      {0.0372476578F, 0.00465595769F, -128},
                      {0.0625F, 0.0625F * 0.99999F, -40},
                      {0.0078125F, 0.03125F * 1.000005F, 7}};
  for (const Rounding rounding : {Rounding::fixed_double, Rounding::fixed_single})
    for (const Row& row : rows) {
      CAPTURE(to_string(rounding), row.x_scale, row.y_scale);
      const QParams from{{row.x_scale}, {3}, -1, 0, -128, 127}, to{{row.y_scale}, {row.y_zero}, -1, 0, -128, 127};
      const Tensor got = through(Unary{UnaryFn::hard_swish}, all_codes(), from, to, rounding);
      const Tensor real = through(Unary{UnaryFn::hard_swish}, all_codes(), from, to, Rounding::real);
      int worst = 0;
      for (int i = 0; i < 256; ++i) worst = std::max(worst, std::abs(got.data<int8_t>()[i] - real.data<int8_t>()[i]));
      // One code; where the output's is an eighth of the input's, 16 bits between them leave a few.
      CHECK(worst <= (row.y_scale * 2 < row.x_scale ? 3 : 1));
    }
}

TEST_CASE("a multiplier just below a power of two has the upper half that TensorFlow Lite gives it, 32767") {
  // Computed from the formulas of TensorFlow Lite's reference kernel: with 32768 these codes would be one more.
  for (const auto& [y_scale, code, want] : {std::tuple{0.0117187351561F, 94, 112}, {0.0234374703122F, 79, 48}}) {
    const QParams from{{0.0117187F}, {-50}, -1, 0, -128, 127}, to{{y_scale}, {0}, -1, 0, -128, 127};
    const Tensor got = through(Unary{UnaryFn::hard_swish}, all_codes(), from, to, Rounding::fixed_double);
    CHECK(int{got.data<int8_t>()[code + 128]} == want);
  }
}

TEST_CASE("codes beyond 32 bits saturate to the side they are on") {
  for (const Rounding rounding : {Rounding::fixed_double, Rounding::fixed_single})
    for (const bool u8 : {false, true}) {
      const QParams from{{1}, {0}, -1, 0, -128, 127},
          to = u8 ? QParams{{1e-9F}, {128}, -1, 0, 0, 255} : QParams{{1e-9F}, {0}, -1, 0, -128, 127};
      const Tensor got = through(Unary{UnaryFn::leaky_relu, 0.5}, all_codes(), from, to, rounding);
      for (int i = 0; i < 256; ++i) {
        const int code = u8 ? got.data<uint8_t>()[i] - 128 : got.data<int8_t>()[i], sign = i - 128;
        if (code != (sign == 0 ? 0 : sign > 0 ? 127 : -128)) {
          CAPTURE(to_string(rounding), u8, i);
          REQUIRE(code == (sign == 0 ? 0 : sign > 0 ? 127 : -128));
        }
      }
    }
}

TEST_CASE("scales whose ratio is no float are refused by name") {
  Model m = network_of({Binary{}, {{4}, {4}}});
  m.rounding = Rounding::int_bias;
  const QParams huge{{1e25F}, {0}, -1, 0, -128, 127}, tiny{{1e-20F}, {0}, -1, 0, -128, 127};
  m.modules[0].out_q = m.modules[1].out_q = {huge}, m.modules[2].out_q = {tiny};
  const Tensor x = Tensor::of<int8_t>({4}, std::vector<int8_t>{1, -2, 3, 0}).with(huge);
  CHECK_THROWS_WITH(infer(m, {{x, x}}), Contains("op: scales") && Contains("beyond a float"));
  CHECK_THROWS_WITH(network_of({Unary{UnaryFn::leaky_relu, 1e300}, {{4}}}), Contains("leaky_relu with alpha 1e+300"));
}

TEST_CASE("positions that lie halfway are halfway in binary64, too") {
  // TensorFlow Lite and ONNX Runtime: round((i * 1/82)) of float32 for two pixels at 83 places.
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{2, 83}, {2, 95}, {2, 111}, {3, 165}, {7, 400}}) {
    const Model m =
        network_of({ResizeNearest{{out, 1}, Coordinates::align_corners, NearestMode::round_prefer_ceil}, {{1, in, 1, 1}}});
    Tensor x({1, in, 1, 1}, DType::f32);
    for (int64_t i = 0; i < in; ++i) x.mutable_data<float>()[i] = static_cast<float>(i);
    const Tensor y = infer(m, {{x}})[0];
    const float scale = static_cast<float>(in - 1) / static_cast<float>(out - 1);
    for (int64_t i = 0; i < out; ++i)
      if (y.data<float>()[i] != std::round(static_cast<float>(i) * scale)) {
        CAPTURE(in, out, i);
        REQUIRE(y.data<float>()[i] == std::round(static_cast<float>(i) * scale));
      }
  }
}

TEST_CASE("a session pads an empty tensor, too") {
  Model m;
  m.add("x", Input{{2, 2}});
  m.add("nothing", Slice{{0}, {2}, {2}});
  m.add("pad", Pad{{1, 1}, {1, 0}, PadMode::constant, 0.75});
  const Tensor x = Tensor::full({2, 2}, 3);
  const Tensor want = infer(m, {{x}})[0];
  REQUIRE(want.shape() == Shape{2, 3});
  for (const float v : want.data<float>()) CHECK(v == 0.75F);
  Session session(Program::bind(m), {x.shape()});
  for (int run = 0; run < 2; ++run) CHECK(same(session.run({&x, 1})[0], want));
}

TEST_CASE("a softmax of codes runs along any axis, as behind a transpose") {
  Generator g(5);
  for (const Rounding rounding : kRoundings)
    for (const int64_t axis : {0, 1, 2, -2}) {
      CAPTURE(to_string(rounding), axis);
      Model m;
      m.rounding = rounding;
      m.add("x", Input{{3, 4, 5}});
      m.add("softmax", Softmax{.axis = axis});
      Shape order{0, 1, 2};
      std::swap(order[static_cast<size_t>(axis < 0 ? axis + 3 : axis)], order[2]);
      m.add("turned", Transpose{order}, {0});
      m.add("last", Softmax{});
      m.add("back", Transpose{order});
      m.outputs = {{1, 0}, {4, 0}};
      const Tensor x = randn(g, {3, 4, 5});
      Model prepared = prepare(m, {{"", octet_device_qconfig()}});
      calibrate(prepared, {&x, 1});
      const Model int8 = convert(prepared);
      REQUIRE(runs_quantized(int8, int8.index("softmax")));
      const std::vector<Tensor> want = infer(int8, {{x}});
      CHECK(same(want[0], want[1]));
      for (const QEngineInfo& info : qengines())
        if (info.available) CHECK(same(Session(Program::bind(int8, info.engine), {x.shape()}).run({&x, 1})[0], want[0]));
    }
}
