// SPDX-License-Identifier: Apache-2.0
// Every binary function: values, broadcasting as in NumPy, derivatives by finite differences; codes against the float function, and
// against what TensorFlow Lite and ONNX Runtime compute.
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "engine/model.h"
#include "io/npy.h"
#include "tests/catch.h"
#include "tests/engine/gradient_check.h"
#include "tests/kernels/fills.h"
#include "tests/skip.h"

using namespace octet;

namespace {

constexpr size_t kFunctions = kEnumNames<BinaryFn>.size();

Model one_function(const Binary& op, const Shape& a, const Shape& b) {
  Model m;
  const int x = m.add("a", Input{a}), y = m.add("b", Input{b});
  m.add("f", op, {{x, 0}, {y, 0}});
  return m;
}

Tensor of(const Shape& shape, std::vector<float> values) { return Tensor::of<float>(shape, std::move(values)); }

std::vector<float> values_of(const Binary& op, const Tensor& a, const Tensor& b) {
  const Tensor y = infer(one_function(op, a.shape(), b.shape()), {{a, b}})[0];
  return {y.data<float>().begin(), y.data<float>().end()};
}

QParams i8(float scale, int32_t zero) { return {{scale}, {zero}, -1, 0, -128, 127}; }

Model with_codes(const Binary& op, const Tensor& a, const Tensor& b, const QParams& y, Rounding rounding) {
  Model m = one_function(op, a.shape(), b.shape());
  m.rounding = rounding;
  m.modules[0].out_q = {*a.qparams()}, m.modules[1].out_q = {*b.qparams()}, m.modules[2].out_q = {y};
  return m;
}

}  // namespace

TEST_CASE("binary functions have their values, comparisons give 1 and 0") {
  const Tensor a = of({5}, {1, -2, 3, 0.5F, 4}), b = of({5}, {2, -2, -1, 2, 0.5F});
  const std::map<BinaryFn, std::vector<float>> expected = {{BinaryFn::add, {3, -4, 2, 2.5F, 4.5F}},
                                                           {BinaryFn::sub, {-1, 0, 4, -1.5F, 3.5F}},
                                                           {BinaryFn::mul, {2, 4, -3, 1, 2}},
                                                           {BinaryFn::div, {0.5F, 1, -3, 0.25F, 8}},
                                                           {BinaryFn::pow, {1, 0.25F, 1.0F / 3, 0.25F, 2}},
                                                           {BinaryFn::minimum, {1, -2, -1, 0.5F, 0.5F}},
                                                           {BinaryFn::maximum, {2, -2, 3, 2, 4}},
                                                           {BinaryFn::equal, {0, 1, 0, 0, 0}},
                                                           {BinaryFn::not_equal, {1, 0, 1, 1, 1}},
                                                           {BinaryFn::less, {1, 0, 0, 1, 0}},
                                                           {BinaryFn::less_equal, {1, 1, 0, 1, 0}},
                                                           {BinaryFn::greater, {0, 0, 1, 0, 1}},
                                                           {BinaryFn::greater_equal, {0, 1, 1, 0, 1}}};
  REQUIRE(expected.size() == kFunctions);
  for (const auto& [fn, values] : expected) {
    INFO(kEnumNames<BinaryFn>[static_cast<size_t>(fn)]);
    CHECK(values_of({fn}, a, b) == values);
  }
  CHECK(values_of({BinaryFn::mul, {-1, 2.5F}}, a, b) == std::vector<float>{2, 2.5F, -1, 1, 2});
  const Tensor nan = of({2}, {NAN, 1}), other = of({2}, {1, NAN});
  for (const BinaryFn fn : {BinaryFn::minimum, BinaryFn::maximum})
    for (const float v : values_of({fn}, nan, other)) CHECK(std::isnan(v));
}

TEST_CASE("shapes are broadcast as in NumPy, and what cannot be is refused by name") {
  CHECK(values_of({BinaryFn::sub}, of({2, 3}, {1, 2, 3, 4, 5, 6}), of({3}, {1, 1, 2})) == std::vector<float>{0, 1, 1, 3, 4, 4});
  CHECK(values_of({BinaryFn::sub}, of({3}, {1, 1, 2}), of({2, 1}, {1, 2})) == std::vector<float>{0, 0, 1, -1, -1, 0});
  CHECK(values_of({BinaryFn::mul}, of({1}, {3}), of({2}, {1, 2})) == std::vector<float>{3, 6});
  CHECK(values_of({BinaryFn::add}, of({2, 1, 2}, {1, 2, 3, 4}), of({1, 2, 1}, {10, 20})) ==
        std::vector<float>{11, 12, 21, 22, 13, 14, 23, 24});
  CHECK_THROWS_WITH(one_function({BinaryFn::mul}, {2, 3}, {2}),
                    "f: inputs of shapes [2, 3] and [2] differ and cannot be broadcast");
  CHECK_THROWS_WITH(one_function({BinaryFn::mul, {2, 1}}, {2}, {2}), "f: an activation between 2 and 1");
  CHECK_THROWS_WITH(one_function({static_cast<BinaryFn>(77)}, {2}, {2}), "f: unknown binary function 77");
}

TEST_CASE("every binary function's derivatives are those of finite differences, broadcast or not") {
  for (size_t i = 0; i < kFunctions; ++i) {
    const Binary op{static_cast<BinaryFn>(i)};
    INFO(kEnumNames<BinaryFn>[i]);
    for (const auto& [a, b] : {std::pair<Shape, Shape>{{3, 4}, {3, 4}}, {{2, 3, 4}, {4}}, {{2, 1, 3}, {2, 4, 1}}, {{}, {3}}})
      gradient_check::check_op(op, {a, b}, Mode::train, 1 + i, 0.3, 2);
  }
  gradient_check::check_op(Binary{BinaryFn::mul, {0.5F, 1.5F}}, {{3, 4}, {4}}, Mode::train, 3, 0.3, 2);
}

TEST_CASE("codes of a binary function are the nearest to its value for broadcast shapes, any parameters and rounding") {
  Generator g(5);
  int64_t compared = 0;
  for (const Rounding rounding : octet::testing::kRoundings)
    for (const BinaryFn fn : {BinaryFn::add, BinaryFn::sub, BinaryFn::mul, BinaryFn::minimum, BinaryFn::maximum})
      for (int round = 0; round < 60; ++round) {
        const Shape shapes[][2] = {
            {{2, 3, 5}, {2, 3, 5}}, {{2, 3, 4, 5}, {5}}, {{2, 6, 1, 4}, {1, 1, 3, 4}}, {{7, 1}, {1, 9}}, {{1}, {300}}};
        const auto& [sa, sb] = shapes[static_cast<size_t>(round) % std::size(shapes)];
        const auto codes = [&](const Shape& shape) {
          QParams q{{0.01F + 0.05F * g.uniform()}, {0}, -1, 0, 0, 255};
          if (g.integer(0, 2) == 1) q.qmin = -128, q.qmax = 127;
          q.zero_point[0] = static_cast<int32_t>(g.integer(q.qmin, q.qmax + 1));
          Tensor x = Tensor(shape, code_dtype(q)).with(q);
          for (int64_t i = 0; i < x.numel(); ++i) static_cast<uint8_t*>(x.mutable_raw())[i] = static_cast<uint8_t>(g.next32());
          return x;
        };
        const Tensor a = codes(sa), b = codes(sb);
        Binary op{fn};
        if (round % 3 == 0) op.act = {-1, 2};
        const Tensor exact = infer(one_function(op, sa, sb), {{dequantize(a), dequantize(b)}})[0];
        const auto [lo, hi] = std::ranges::minmax(exact.data<float>());
        QParams y = i8(std::max((hi - lo) / 200, 1e-3F), 0);
        y.zero_point[0] = std::clamp(-100 - static_cast<int32_t>(std::lround(lo / y.scale[0])), -128, 127);
        const Model m = with_codes(op, a, b, y, rounding);
        REQUIRE(runs_quantized(m, 2));
        const Tensor got = infer(m, {{a, b}})[0];
        REQUIRE((got.shape() == exact.shape() && got.dtype() == DType::i8));
        const bool fixed = rounding == Rounding::fixed_double || rounding == Rounding::fixed_single;
        for (int64_t i = 0; i < got.numel(); ++i) {
          const double real = static_cast<double>(exact.data<float>()[i]) / static_cast<double>(y.scale[0]) + y.zero_point[0];
          const double want = std::clamp<double>(real, y.qmin, y.qmax);
          const double off = std::abs(got.data<int8_t>()[i] - want);
          if (off > (fixed ? 0.77 : 0.503)) {
            CAPTURE(kEnumNames<BinaryFn>[static_cast<size_t>(fn)], to_string(rounding), round, i, want);
            REQUIRE(int{got.data<int8_t>()[i]} == want);
          }
          ++compared;
        }
      }
  CHECK(compared > 50'000);
}

TEST_CASE("binary functions give TensorFlow Lite's bytes") {
  struct Row {
    const char* file;
    BinaryFn fn;
    QParams a, b, y;
  };
  const Row rows[] = {
      {"add_i8_2", BinaryFn::add, i8(0.003000000026077032F, 4), i8(0.699999988079071F, -9), i8(0.6000000238418579F, 22)},
      {"sub_i8_2", BinaryFn::sub, i8(0.003000000026077032F, 4), i8(0.699999988079071F, -9), i8(0.6000000238418579F, 22)},
      {"mul_i8_1", BinaryFn::mul, i8(0.10000000149011612F, -128), i8(0.10000000149011612F, -128), i8(1.100000023841858F, -128)},
      {"mul_i8_broadcast", BinaryFn::mul, i8(0.05000000074505806F, -3), i8(0.0038999998942017555F, -128),
       i8(0.05000000074505806F, -3)}};
  const char* root = std::getenv("OCTET_MODELS");
  if (root == nullptr || !std::filesystem::exists(root)) OCTET_SKIP_CASE("no models with golden outputs");
  for (const Row& row : rows) {
    const std::string path = std::string(root) + "/tflite/made/" + row.file;
    const Tensor want = load_npy(path + ".golden.npy");
    const Tensor a = load_npy(path + ".inputs0.npy").with(row.a), b = load_npy(path + ".inputs1.npy").with(row.b);
    const Tensor got = infer(with_codes({row.fn}, a, b, row.y, Rounding::fixed_double), {{a, b}})[0];
    INFO(row.file << " " << to_string(a.shape()) << " " << to_string(want.shape()));
    REQUIRE(got.numel() == want.numel());
    CHECK(std::ranges::equal(got.data<int8_t>(), want.data<int8_t>()));
  }
}

TEST_CASE("an int8 product in the rounding int_bias adds the zero point before it rounds, as ONNX Runtime does") {
  // Recorded from QLinearMul of ONNX Runtime 1.32: a product of exactly half a code, zero points even and odd.
  const Tensor a = Tensor::of<int8_t>({4}, std::vector<int8_t>{1, 3, 5, -1}).with(i8(0.5F, 0));
  const Tensor b = Tensor::of<int8_t>({4}, std::vector<int8_t>{1, 1, 1, 1}).with(i8(0.5F, 0));
  const auto codes = [&](int32_t zero, Rounding r) {
    const Tensor y = infer(with_codes({BinaryFn::mul}, a, b, i8(0.5F, zero), r), {{a, b}})[0];
    return std::vector<int>(y.data<int8_t>().begin(), y.data<int8_t>().end());
  };
  CHECK(codes(0, Rounding::int_bias) == std::vector<int>{0, 2, 2, 0});
  CHECK(codes(1, Rounding::int_bias) == std::vector<int>{2, 2, 4, 0});
  CHECK(codes(1, Rounding::real) == std::vector<int>{1, 3, 3, 1});
  CHECK(codes(0, Rounding::fixed_double) == std::vector<int>{1, 2, 3, 0});
}
