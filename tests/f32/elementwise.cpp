// SPDX-License-Identifier: Apache-2.0
// Element-wise float kernels: exact where one rounding is all there is, bounded where a multiply-add may be fused.
#include "tests/f32/support.h"

using namespace octet;
using namespace octet::f32_tests;

namespace {

constexpr int64_t kLengths[] = {1, 15, 64, 1001, 70001};

/// Ordinary values with the special ones among them.
std::vector<float> with_specials(int64_t n, uint32_t seed) {
  auto x = random_floats(n, seed, -8, 8);
  const float specials[] = {0.0f, -0.0f, 6.0f, -1.0f, kInfinity, -kInfinity, kNaN};
  for (size_t i = 0; i < x.size(); i += 5) x[i] = specials[i / 5 % std::size(specials)];
  return x;
}

}  // namespace

TEST_CASE("clamp, its gradient and add are exact, NaN and infinities included") {
  for (const int64_t n : kLengths) {
    const auto x = with_specials(n, 1), dy = random_floats(n, 2);
    std::vector<float> clamped(x.size()), grad(x.size()), sum(x.size());
    naive::clamp(n, x.data(), -1, 6, clamped.data());
    naive::clamp_grad(n, x.data(), dy.data(), -1, 6, grad.data());
    naive::add(n, x.data(), dy.data(), sum.data());
    for_every_setting([&] {
      check_same(output_of(n, [&](float* y) { f32::clamp(n, x.data(), -1, 6, y); }), clamped);
      check_same(output_of(n, [&](float* y) { f32::clamp_grad(n, x.data(), dy.data(), -1, 6, y); }), grad);
      check_same(output_of(n, [&](float* y) { f32::add(n, x.data(), dy.data(), y); }), sum);
    });
  }
}

TEST_CASE("the gradient of clamp is zero on its limits, as in PyTorch") {
  const std::vector<float> x{-1, -0.5f, 0, 5.5f, 6, 7, kNaN}, dy(7, 1.0f);
  for_every_setting([&] {
    check_same(output_of(7, [&](float* y) { f32::clamp_grad(7, x.data(), dy.data(), -1, 6, y); }), {0, 1, 1, 1, 0, 0, 0});
    check_same(output_of(7, [&](float* y) { f32::clamp_grad(7, x.data(), dy.data(), 0, kInfinity, y); }), {0, 0, 0, 1, 1, 1, 0});
  });
}

TEST_CASE("axpby and an SGD step equal the formulas in double") {
  const bool nesterov = GENERATE(false, true);
  for (const int64_t n : kLengths) {
    const auto x = random_floats(n, 3), y = random_floats(n, 4), w = random_floats(n, 5);
    auto sum = doubles(y), velocity = doubles(y), weight = doubles(w), sum_size = absolute(y), velocity_size = absolute(y);
    auto weight_size = absolute(w);
    const float alpha = 0.3f, beta = -1.7f, rate = 0.1f, momentum = 0.9f, decay = 5e-4f;
    naive::axpby(n, alpha, doubles(x).data(), beta, sum.data());
    naive::sgd(n, rate, momentum, decay, nesterov, doubles(x).data(), velocity.data(), weight.data());
    for (size_t i = 0; i < sum.size(); ++i) {
      sum_size[i] = std::fabs(0.3 * x[i]) + std::fabs(1.7 * y[i]);
      velocity_size[i] = std::fabs(momentum * y[i]) + std::fabs(x[i]) + std::fabs(decay * w[i]);
      weight_size[i] = std::fabs(w[i]) + 2 * rate * velocity_size[i];
    }
    for_every_setting([&] {
      const auto got = output_of(n, [&](float* out) {
        std::copy(y.begin(), y.end(), out);
        f32::axpby(n, alpha, x.data(), beta, out);
      });
      check_close(got, sum, sum_error(2), sum_size);
      auto other = w;
      const auto got_velocity = output_of(n, [&](float* out) {
        std::copy(y.begin(), y.end(), out);
        std::copy(w.begin(), w.end(), other.begin());
        f32::sgd(n, rate, momentum, decay, nesterov, x.data(), out, other.data());
      });
      check_close(got_velocity, velocity, sum_error(3), velocity_size);
      check_close(other, weight, sum_error(6), weight_size);
    });
  }
}

TEST_CASE("fake quantization gives the same bits on every instruction set") {
  const f32::FakeQuant settings[] = {
      {0.05f, 1 / 0.05f, 128, 0, 255}, {0.25f, 4, 0, -128, 127}, {0.1f, 1 / 0.1f, 0, -127, 127},
      {0.5f, 2, 255, 0, 255},          {1.0f, 1, -7, -8, 7},     {3e-4f, 1 / 3e-4f, 1000, -32768, 32767}};
  for (const f32::FakeQuant& q : settings)
    for (const int64_t n : kLengths) {
      INFO("scale " << q.scale << ", zero point " << q.zero_point << ", " << n << " elements");
      auto x = with_specials(n, 6);
      for (size_t i = 1; i < x.size(); i += 3) x[i] = (std::floor(x[i] * 20) + 0.5f) * q.scale;  // ties
      for (size_t i = 2; i < x.size(); i += 97) x[i] *= 1e30f;
      const auto dy = random_floats(n, 7);
      std::vector<float> expected(x.size()), grad(x.size());
      naive::fake_quantize(n, q, x.data(), expected.data());
      naive::fake_quantize_grad(n, q, x.data(), dy.data(), grad.data());
      for_every_setting([&] {
        check_same(output_of(n, [&](float* y) { f32::fake_quantize(n, q, x.data(), y); }), expected);
        check_same(output_of(n, [&](float* y) { f32::fake_quantize_grad(n, q, x.data(), dy.data(), y); }), grad);
      });
    }
}

TEST_CASE("fake quantization rounds ties to even, saturates and makes NaN the zero point") {
  const f32::FakeQuant q{0.5f, 2, 3, 0, 15};  // real values -1.5 … 6
  const std::vector<float> x{0.25f, 0.75f, -0.25f, -0.75f, 100, -100, kInfinity, -kInfinity, kNaN, 6.2f, 6.3f, -0.1f}, dy(12, 1.0f);
  for_every_setting([&] {
    check_same(output_of(12, [&](float* y) { f32::fake_quantize(12, q, x.data(), y); }),
               {0, 1, 0, -1, 6, -1.5f, 6, -1.5f, 0, 6, 6, 0});
    check_same(output_of(12, [&](float* y) { f32::fake_quantize_grad(12, q, x.data(), dy.data(), y); }),
               {1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1});
  });
}
