// SPDX-License-Identifier: Apache-2.0
// The scalar helpers of qmath.h on their edges: rounding of every float in range, integer shifts and divisions, fused multiply-add,
// and the host's multiplier and shift.
#include "kernels/qmath.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "kernels/multiplier.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/oracle.h"

namespace octet::testing {
namespace {

float from_bits(uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}

/// Compares round_within with rint for all floats whose bits are a multiple of `step`; counts differences.
size_t rounding_mismatches(uint64_t step, size_t& compared) {
  constexpr float kLimit = 512;  // beyond the widest range any kernel asks for: codes minus zero point
  size_t wrong = 0;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += step) {
    const float x = from_bits(static_cast<uint32_t>(bits));
    if (!(x >= -kLimit && x <= kLimit)) continue;
    ++compared;
    wrong += qmath::round_within(x, -kLimit, kLimit) != static_cast<int32_t>(std::nearbyintf(x)) ? 1 : 0;
  }
  return wrong;
}

TEST_CASE("rounding within limits equals rint on a sample of all floats in range") {
  size_t compared = 0;
  CHECK(rounding_mismatches(509, compared) == 0);
  CHECK(compared > 4000000);
}

TEST_CASE("rounding within limits equals rint for every float in range", "[slow]") {
  size_t compared = 0;
  CHECK(rounding_mismatches(1, compared) == 0);
  std::printf("rounding: %zu floats compared\n", compared);
}

TEST_CASE("rounding within limits saturates infinities and sends NaN to the lower limit") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(qmath::round_within(inf, -3, 200) == 200);
  CHECK(qmath::round_within(-inf, -3, 200) == -3);
  CHECK(qmath::round_within(1e30f, 0, 255) == 255);
  CHECK(qmath::round_within(nan, -3, 200) == -3);
}

TEST_CASE("fixed multiplication is right for every shift and at the ends of int32, multipliers above one included") {
  size_t compared = 0, wrong = 0;
  Rng rng(1);
  const int32_t edges[] = {INT32_MIN, INT32_MIN + 1, -1073741825, -3, -2, -1, 0, 1, 2, 3, 1073741823, INT32_MAX};
  const int32_t multipliers[] = {0, 1, 1 << 30, (1 << 30) + 1, 1610612736, INT32_MAX};
  const auto check = [&](int32_t x, int32_t m, int32_t shift) {
    ++compared;
    wrong +=
        qmath::multiply_fixed<Rounding::fixed_double>(x, m, shift) != oracle::multiply_fixed(Rounding::fixed_double, x, m, shift);
    wrong +=
        qmath::multiply_fixed<Rounding::fixed_single>(x, m, shift) != oracle::multiply_fixed(Rounding::fixed_single, x, m, shift);
  };
  for (int32_t shift = -31; shift <= 30; ++shift) {
    for (const int32_t x : edges)
      for (const int32_t m : multipliers) check(x, m, shift);
    for (int i = 0; i < 5000; ++i)
      check(static_cast<int32_t>(rng()) >> uniform(rng, 0, 30), uniform(rng, 1 << 30, INT32_MAX), shift);
  }
  std::printf("multiply_fixed: %zu products compared in both modes, %zu mismatches\n", compared, wrong);
  CHECK(wrong == 0);
}

TEST_CASE("the two fixed roundings differ where they must") {
  constexpr int32_t kHalf = 1 << 30;  // 0.5 in Q31
  const auto twice = [](int32_t x, int32_t shift) { return qmath::multiply_fixed<Rounding::fixed_double>(x, kHalf, shift); };
  const auto once = [](int32_t x, int32_t shift) { return qmath::multiply_fixed<Rounding::fixed_single>(x, kHalf, shift); };
  CHECK(twice(3, 0) == 2);     // 1.5, half up
  CHECK(twice(-3, 0) == -1);   // -1.5, half up
  CHECK(twice(-6, -1) == -2);  // -3, then -1.5 away from zero
  CHECK(once(-6, -1) == -1);   // -1.5 half up
  CHECK(twice(5, -1) == 2);    // 2.5 -> 3, then 1.5 -> 2: twice rounded
  CHECK(once(5, -1) == 1);     // 1.25
}

TEST_CASE("integer division rounds halves away from zero") {
  size_t wrong = 0;
  for (int32_t d = 1; d <= 200; ++d)
    for (int32_t n = -2000; n <= 2000; ++n)
      wrong += qmath::divide_half_away(n, d) != oracle::divide(n, d, oracle::Ties::away) ? 1 : 0;
  CHECK(wrong == 0);
  CHECK(qmath::divide_half_away(5, 2) == 3);
  CHECK(qmath::divide_half_away(-5, 2) == -3);
}

TEST_CASE("fused multiply-add without hardware equals std::fma on a million operands of every kind") {
  Rng rng(2);
  size_t compared = 0, wrong = 0, inexact = 0, decided = 0;
  const auto check = [&](float a, float b, float c) {
    const float expected = std::fma(a, b, c), got = qmath::fma_exact(a, b, c);
    ++compared;
    wrong += std::isnan(expected) ? !std::isnan(got) : std::memcmp(&expected, &got, sizeof got) != 0;
    inexact += expected != a * b + c ? 1 : 0;
  };
  for (int i = 0; i < 1000000; ++i) {
    const float code = static_cast<float>(uniform(rng, -255, 255));
    if (i % 4 == 0) check(code, uniform_real(rng, 1e-4f, 300), uniform_real(rng, -300, 300));
    if (i % 4 == 1) check(from_bits(rng()), from_bits(rng()), from_bits(rng()));  // any bits: subnormal, infinite, NaN
    if (i % 4 == 2) {                                                             // nearly cancelling
      const float a = uniform_real(rng, 1, 2), b = uniform_real(rng, 1, 2);
      check(a, b, -a * b);
    }
    if (i % 4 == 3) {  // an odd product of 25 bits is a tie of binary32; the addend that decides it lies below binary64's last bit
      const float a = static_cast<float>(2 * uniform(rng, 2048, 2895) + 1),
                  b = static_cast<float>(2 * uniform(rng, 2048, 2895) + 1);
      const float c = std::ldexp(uniform(rng, 0, 1) != 0 ? 1.0f : -1.0f, uniform(rng, -100, -20));
      const float sign = uniform(rng, 0, 1) != 0 ? 1.0f : -1.0f;
      check(sign * a, b, c);
      decided += static_cast<float>(static_cast<double>(sign * a) * b + c) != std::fma(sign * a, b, c) ? 1 : 0;
    }
  }
  std::printf("fma_exact: %zu compared, %zu where binary32 steps differ, %zu where binary64 ones do, %zu mismatches\n", compared,
              inexact, decided, wrong);
  CHECK(wrong == 0);
  CHECK(inexact > compared / 20);
  CHECK(decided > compared / 20);  // the cases that rounding to odd is there for
}

TEST_CASE("a real multiplier splits into Q31 mantissa and shift, renormalized, zero below 2^-32, saturated from 2^30") {
  const auto is = [](double real, int32_t multiplier, int32_t shift) {
    const FixedMultiplier m = quantize_multiplier(real);
    INFO(real << " gives " << m.multiplier << " " << m.shift);
    CHECK((m.multiplier == multiplier && m.shift == shift));
  };
  is(0, 0, 0);
  is(1, 1 << 30, 1);
  is(0.5, 1 << 30, 0);
  is(0.75, 1610612736, 0);
  is(1 - std::ldexp(1.0, -40), 1 << 30, 1);          // rounds up to 2^31
  is(0.5 + std::ldexp(1.0, -32), (1 << 30) + 1, 0);  // a half, away from zero
  is(0.5 + std::ldexp(3.0, -32), (1 << 30) + 2, 0);
  is(std::ldexp(1.0, -32), 1 << 30, -31);
  is(std::ldexp(0.9, -32), 0, 0);
  is(std::ldexp(0.75, 30), 1610612736, 30);
  is(std::ldexp(1.0, 30), INT32_MAX, 30);
  is(1e30, INT32_MAX, 30);
  Rng rng(4);
  for (int i = 0; i < 10000; ++i) {
    const double real = std::ldexp(0.5 + uniform_real(rng, 0, 0.5f), uniform(rng, -30, 28));
    const FixedMultiplier m = quantize_multiplier(real);
    REQUIRE(m.multiplier >= 1 << 30);
    REQUIRE(std::abs(std::ldexp(static_cast<double>(m.multiplier), m.shift - 31) - real) <= std::ldexp(real, -31));
  }
}

}  // namespace
}  // namespace octet::testing
