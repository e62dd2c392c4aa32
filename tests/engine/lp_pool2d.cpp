// SPDX-License-Identifier: Apache-2.0
// Norms of windows: against sums written out, for any power and padding, with derivatives.
#include <cmath>

#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/engine/gradient_check.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace octet::lp_pool_tests {
namespace {

Model network(const Shape& x, LpPool2d op) {
  Model m;
  m.add("x", Input{x});
  m.add("norms", op);
  return m;
}

}  // namespace

TEST_CASE("a norm pool is the root of its window's powers; padding adds nothing") {
  const Tensor x = Tensor::of<float>({1, 2, 2, 1}, std::vector<float>{3, -4, 12, 0});
  const auto norm = [&](double p) { return infer(network({1, 2, 2, 1}, {.p = p}), {&x, 1})[0].item(); };
  CHECK(norm(2) == Approx(13));
  CHECK(norm(1) == Approx(19));
  CHECK(norm(3) == Approx(std::cbrt(27.0 + 64 + 1728)));
  CHECK(norm(200) == Approx(12));  // whose powers no double holds
  for (const float v : {1e-30F, 1e30F}) {
    const Tensor even = Tensor::full({1, 2, 2, 1}, static_cast<double>(v));
    CHECK(infer(network({1, 2, 2, 1}, {.p = 50}), {&even, 1})[0].item() == Approx(static_cast<double>(v) * std::pow(4, 0.02)));
  }
  for (const float v : {INFINITY, NAN, 0.0F}) {
    const Tensor odd = Tensor::of<float>({1, 2, 2, 1}, std::vector<float>{v, v, -v, v});
    const double y = infer(network({1, 2, 2, 1}, {.p = 2}), {&odd, 1})[0].item();
    CHECK((std::isnan(v) ? std::isnan(y) : y == static_cast<double>(v)));
  }

  Generator g(4);
  const Shape shape{2, 5, 4, 3};
  const LpPool2d op{.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0, 2, 1}, .p = 2.5};
  const Tensor in = randn(g, shape), y = infer(network(shape, op), {&in, 1})[0];
  REQUIRE(y.shape() == Shape{2, 3, 4, 3});
  for (int64_t i = 0; i < y.numel(); ++i) {
    const int64_t c = i % 3, column = i / 3 % 4, row = i / 12 % 3, n = i / 36;
    double sum = 0;
    for (int64_t h = row * 2 - 1; h < row * 2 + 2; ++h)
      for (int64_t w = column; w < column + 2; ++w)
        if (h >= 0 && h < 5 && w >= 0 && w < 4)
          sum += std::pow(std::abs(static_cast<double>(in.data<float>()[static_cast<size_t>(((n * 5 + h) * 4 + w) * 3 + c)])), 2.5);
    CHECK(static_cast<double>(y.data<float>()[static_cast<size_t>(i)]) == Approx(std::pow(sum, 0.4)).epsilon(1e-5));
  }
  for (const double p : {1.5, 2.0, 3.0}) {
    LpPool2d other = op;
    other.p = p;
    gradient_check::check_op(other, {{1, 5, 4, 2}});
  }
  // No gradient comes out of a window of zeros.
  Model zeros = cast(network({1, 2, 2, 1}, {}), DType::f64);
  const std::vector<Var> leaf{Var::leaf("x", Tensor::zeros({1, 2, 2, 1}, DType::f64))};
  const Grads grads =
      backward(gradient_check::weighted_sum(run_module(zeros, 1, leaf, Mode::train)[0], Tensor::full({1, 1, 1, 1}, 1, DType::f64)));
  for (const double d : grads.at("x").data<double>()) CHECK(d == 0);
  CHECK(infer(network({1, 6, 4}, {.kernel = {1, 2}, .stride = {1, 2}}), std::vector{Tensor::full({1, 6, 4}, 1)})[0].shape() ==
        Shape{1, 3, 4});
}

TEST_CASE("a norm pool of no power is refused, and one in an int8 network computes in float") {
  for (const double p : std::initializer_list<double>{0, -1, INFINITY, NAN})
    CHECK_THROWS_WITH(network({1, 4, 4, 1}, {.p = p}), Contains("norms: the norm of power"));
  Model m = network({1, 4, 4, 2}, {});
  m.add("conv", Conv2d{.in = 2, .out = 3, .kernel = {1, 1}});
  Generator g(6);
  initialize(m, g);
  Model prepared = prepare(m, {{"", octet_qconfig()}});
  const Tensor x = randn(g, {4, 4, 4, 2});
  calibrate(prepared, {&x, 1});
  const Model int8 = convert(prepared);
  CHECK(!runs_quantized(int8, int8.index("norms")));
  CHECK(runs_quantized(int8, int8.index("conv")));
}

}  // namespace octet::lp_pool_tests
