// SPDX-License-Identifier: Apache-2.0
// Where 32-bit sums and counts end: right up to the bound, refused by name behind it.
#include <algorithm>

#include "compile/program.h"
#include "tests/catch.h"
#include "tests/kernels/fills.h"

using namespace octet;
using octet::testing::kRoundings;

namespace {

/// A mean over all of [1, side, side, 1] on codes of this zero point.
Model mean_of(int64_t side, int32_t zero_point, Rounding rounding) {
  Model m;
  m.rounding = rounding;
  m.add("x", Input{{1, side, side, 1}});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  for (Module& module : m.modules) module.out_q = {QParams{{1}, {zero_point}, -1, 0, 0, 255}};
  return m;
}

}  // namespace

TEST_CASE("the largest mean of codes that 32 bits hold is exact on every engine, a larger one is refused by name") {
  constexpr int64_t kSide = 2896;  // 2896^2 * 256 < 2^31 < 2897^2 * 256
  for (const Rounding rounding : kRoundings)
    for (const auto& [code, zero_point] : {std::pair{255, 0}, {0, 255}, {255, 255}}) {
      CAPTURE(to_string(rounding), code, zero_point);
      const Model m = mean_of(kSide, zero_point, rounding);
      Tensor x = Tensor({1, kSide, kSide, 1}, DType::u8).with(*m.modules[0].out_q[0]);
      std::ranges::fill(x.mutable_data<uint8_t>(), static_cast<uint8_t>(code));
      REQUIRE(runs_quantized(m, 1));
      CHECK(int{infer(m, {&x, 1})[0].data<uint8_t>()[0]} == code);
      for (const QEngine engine : {QEngine::native, QEngine::automatic}) {
        Session session(Program::bind(m, engine), {x.shape()});
        CHECK(int{session.run({&x, 1})[0].data<uint8_t>()[0]} == code);
      }
    }
  const Model m = mean_of(kSide + 1, 0, Rounding::real);
  CHECK_THROWS_WITH(lower(m, 1, std::vector<Shape>{{1, kSide + 1, kSide + 1, 1}}),
                    Catch::Matchers::Contains("mean: the mean of 2897x2897 cells can exceed 32 bits"));
  Model windows = m;  // padding that counts belongs to the sum
  windows.modules[1].op = Pool2d{.kind = Pool::average, .kernel = {4096, 4096}, .stride = {1, 1}, .padding = pad_all(2047)};
  CHECK_THROWS_WITH(lower(windows, 1, std::vector<Shape>{{1, 64, 64, 1}}), Catch::Matchers::Contains("can exceed 32 bits"));
}

TEST_CASE("the float mean of many equal numbers is that number") {
  constexpr int64_t kSide = 4608;  // more than 2^24 cells, where a float sum of ones stands still
  Model m;
  m.add("x", Input{{1, kSide, kSide, 1}});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  Tensor x({1, kSide, kSide, 1}, DType::f32);
  std::ranges::fill(x.mutable_data<float>(), 1.0f);
  CHECK(infer(m, {&x, 1})[0].data<float>()[0] == 1.0f);
}

TEST_CASE("an operator of indices refuses what it would only allocate, by the module's name") {
  using Catch::Matchers::Contains;
  const auto added = [](const Shape& x, const Op& op) {
    Model m;
    m.add("x", Input{x});
    m.add("op", op);
  };
  constexpr int64_t kLong = (int64_t{1} << 24) + 1;
  const std::vector<Op> all{ResizeNearest{{7, 7}}, Pad{{0, 1, 0, 0}, {0, 0, 0, 0}}, Flip{{1}}, Roll{{1}, {2}}, Gather{1, {0}},
                            Tile{{1, 1, 1, 1}}};
  for (const Op& op : all) {
    CAPTURE(name_of(op));
    CHECK_THROWS_WITH(added({INT32_MAX, 5, 5, 4}, op), Contains("op: ") && Contains("2147483647"));
    CHECK_THROWS_WITH(added({kLong, 5, 1, 1}, op), Contains("op: ") && Contains("16777217"));
    CHECK_THROWS_WITH(added({1 << 20, 1 << 6, 1 << 6, 1}, op), Contains("op: ") && Contains("is too large"));
    CHECK_NOTHROW(added({2, 5, 5, 4}, op));
  }
  CHECK_THROWS_WITH(added({1 << 23, 0, 1 << 23, 1}, Flip{{0}}), Contains("op: ") && Contains("is too large"));
  CHECK_THROWS_WITH(added({1, 1, 1, 1}, Pad{Shape(4, kLong - 10), Shape(4, 0)}), Contains("op: ") && Contains("is too large"));
  CHECK_THROWS_WITH(added({1, 1, 1, 1}, Tile{Shape(4, kLong - 10)}), Contains("op: ") && Contains("is too large"));
  CHECK_THROWS_WITH(added({2, 1, 1, 64}, ResizeNearest{{1 << 22, 1 << 22}}), Contains("op: ") && Contains("is too large"));
  CHECK_THROWS_WITH(added({1, 1, 1, 1, 1, 1, 1}, Flip{{0}}), Contains("op: ") && Contains("up to six axes"));
}

TEST_CASE("the transpose of a scalar is the scalar, in floats and codes") {
  Model m;
  m.add("x", Input{{1}});
  m.add("scalar", Reshape{Shape{}});
  m.add("turned", Transpose{Shape{}});
  Tensor x({1}, DType::f32);
  x.mutable_data<float>()[0] = 7;
  const Tensor y = infer(m, {&x, 1})[0];
  CHECK(y.shape().empty());
  CHECK(y.data<float>()[0] == 7);
  for (Module& module : m.modules) module.out_q = {QParams{{1}, {3}, -1, 0, 0, 255}};
  const Tensor codes = quantize(x, *m.modules[0].out_q[0]);
  REQUIRE(int{codes.data<uint8_t>()[0]} == 10);
  CHECK(int{infer(m, {&codes, 1})[0].data<uint8_t>()[0]} == 10);
  Session session(Program::bind(m), {Shape{1}});
  REQUIRE(runs_quantized(m, 2));
  CHECK(int{session.run({&codes, 1})[0].data<uint8_t>()[0]} == 10);
}

// ./dev sweep large: 11 GB
TEST_CASE("more than 2^31 numbers become codes and come back", "[.][large]") {
  const int64_t n = (int64_t{1} << 31) + 5;
  const QParams q{{0.5f}, {1}, -1, 0, 0, 255};
  Tensor x({n}, DType::f32);
  for (const int64_t at : {int64_t{0}, n / 2, n - 1}) x.mutable_data<float>()[static_cast<size_t>(at)] = 4;
  const Tensor codes = quantize(x, q);
  for (const int64_t at : {int64_t{0}, n / 2, n - 1}) CHECK(int{codes.data<uint8_t>()[static_cast<size_t>(at)]} == 9);
  CHECK(int{codes.data<uint8_t>()[static_cast<size_t>(n - 2)]} == 1);
  x = Tensor();
  const Tensor back = dequantize(codes);
  CHECK(back.data<float>()[static_cast<size_t>(n - 1)] == 4);
  CHECK(back.data<float>()[static_cast<size_t>(n - 2)] == 0);
}
