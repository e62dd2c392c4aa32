// SPDX-License-Identifier: Apache-2.0
// TensorFlow Lite's integer functions of one code, written once more in 64 bits, from the description of the arithmetic. u is a
// code minus its zero point; results are i8 codes minus the output's, not limited to them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/args.h"

namespace octet::testing::tflite {

/// A real multiplier as q 2^(e - 31).
struct Multiplier {
  int64_t q = 0;
  int e = 0;

  explicit Multiplier(double real) {
    if (!(real > 0)) return;
    q = std::llround(std::frexp(real, &e) * 2147483648.0);
    if (q == int64_t{1} << 31) q /= 2, ++e;
    if (e < -31) q = 0, e = 0;
  }
};

/// floor(a b / 2^bits + 1/2)
inline int64_t product(int64_t a, int64_t b, int bits) { return (a * b + (int64_t{1} << (bits - 1))) >> bits; }
inline int64_t within(int64_t x, int bits) {
  const int64_t most = (int64_t{1} << (bits - 1)) - 1;
  return std::clamp(x, -most - 1, most);
}
/// High half of the doubled product.
inline int64_t high(int64_t a, int64_t b) { return within(product(a, b, 31), 32); }
/// x / 2^k, halves away from zero.
inline int64_t divided(int64_t x, int k) {
  const int64_t half = k == 0 ? 0 : int64_t{1} << (k - 1), magnitude = (std::abs(x) + half) / (int64_t{1} << k);
  return x < 0 ? -magnitude : magnitude;
}
/// u times the multiplier: rounded once, or for fixed_double by `high` and then by `divided`.
inline int64_t times(int64_t u, Multiplier m, Rounding rounding) {
  if (rounding == Rounding::fixed_single) return within(product(u, m.q, 31 - m.e), 32);
  return divided(high(within(u * (int64_t{1} << std::max(m.e, 0)), 32), m.q), std::max(-m.e, 0));
}

/// e^a for a <= 0, a in units of 2^(b - 31), the result in units of 2^-31.
inline int64_t exponential(int64_t a, int b) {
  if (a == 0) return (int64_t{1} << 31) - 1;
  const int64_t quarter = int64_t{1} << (29 - b), f = ((a % quarter) + quarter) % quarter - quarter;
  const int64_t x = f * (int64_t{1} << b) + (int64_t{1} << 28), x2 = high(x, x), x3 = high(x2, x), x4 = high(x2, x2);
  const int64_t t = divided(high(divided(x4, 2) + x3, 715827883) + x2, 1);
  int64_t r = 1895147668 + high(1895147668, x + t);
  const int64_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  for (int j = -2; j < b; ++j)
    if ((f - a) / (int64_t{1} << (31 - b + j)) % 2 == 1) r = high(r, factors[j + 2]);
  return r;
}
/// 2^29 times 2 / (1 + a), a in units of 2^-31.
inline int64_t newton(int64_t a) {
  const int64_t d = (a + (int64_t{1} << 31) - 1 + 1) / 2;
  int64_t x = 1515870810 + high(d, -1010580540);
  for (int step = 0; step < 3; ++step) x += within(4 * high(x, (int64_t{1} << 29) - high(d, x)), 32);
  return x;
}

/// On codes of 1/256 from -128 on; tanh on codes of 1/128 around 0.
inline int64_t logistic(int64_t u, float sx, Rounding rounding) {
  const Multiplier m(static_cast<double>(sx) * 134217728.0);
  const double radius = std::floor(15 * 134217728.0 / std::pow(2.0, m.e));
  if (static_cast<double>(u) <= -radius) return 0;  // first, where the radius is 0
  if (static_cast<double>(u) >= radius) return 255;
  const int64_t v = times(u, m, rounding), p = within(2 * newton(exponential(-std::abs(v), 4)), 32);
  return divided(v < 0 ? (int64_t{1} << 31) - 1 - p : v == 0 ? int64_t{1} << 30 : p, 23);
}
inline int64_t tanh(int64_t u, float sx, Rounding rounding) {
  const Multiplier m(static_cast<double>(sx) * 134217728.0);
  const double radius = std::floor(15 * 134217728.0 / std::pow(2.0, m.e));
  if (static_cast<double>(u) <= -radius) return -128;
  if (static_cast<double>(u) >= radius) return 127;
  const int64_t v = times(u, m, rounding);
  if (v == 0) return 0;
  const int64_t p = within(4 * (newton(exponential(-std::abs(v), 5)) - (int64_t{1} << 29)), 32);
  return divided(v < 0 ? -p : p, 24);
}

inline int64_t leaky_relu(int64_t u, float alpha, float sx, float sy, Rounding rounding) {
  if (u >= 0) return times(u, Multiplier(static_cast<double>(sx / sy)), rounding);
  const float slope = sx * alpha / sy;
  const int64_t y = times(u, Multiplier(static_cast<double>(std::abs(slope))), rounding);
  return slope < 0 ? -y : y;
}
/// alpha: a code minus its zero point, of scale sa.
inline int64_t prelu(int64_t u, int64_t alpha, float sa, float sx, float sy, Rounding rounding) {
  const double x = static_cast<double>(sx), y = static_cast<double>(sy);
  return u >= 0 ? times(u, Multiplier(x / y), rounding) : times(u * alpha, Multiplier(x * static_cast<double>(sa) / y), rounding);
}

/// Has hard_swish a formula for these scales?
inline bool has_hard_swish(float sx, float sy) { return Multiplier(static_cast<double>(sx / 128 / sy)).e <= 0; }
inline int64_t hard_swish(int64_t difference, float sx, float sy) {
  const float h = sx / 128;
  const Multiplier output(static_cast<double>(h / sy)), relu(static_cast<double>(h / (3.0F / 32768)));
  const auto upper = [](int64_t q) { return std::min<int64_t>((q + (1 << 15)) / (1 << 16), 32767); };
  const auto high16 = [](int64_t a, int64_t b) { return within(product(a, b, 15), 16); };
  const int64_t u = difference * 128, p = high16(u, upper(output.q));
  int64_t r = u;
  if (relu.e > 0) r = within(r * (int64_t{1} << (relu.e - 1)), 16);
  r = high16(r, upper(relu.q));
  if (relu.e > 0) r = within(2 * r, 16);
  if (relu.e < 0) r = divided(r, -relu.e);
  r = (r + 32768) / 2;
  return divided(r * p / (1 << 15), -output.e);
}

}  // namespace octet::testing::tflite
