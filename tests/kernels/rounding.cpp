// SPDX-License-Identifier: Apache-2.0
// The four requantizers, and quantize, on every exact tie of the code range and on a million random values each, against the
// oracle's exact integers. Prints how many were compared.
#include <cmath>
#include <cstdio>

#include "kernels/multiplier.h"
#include "kernels/qmath.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/oracle.h"

namespace octet::testing {
namespace {

constexpr int kRandomValues = 1000000;

struct Tally {
  size_t compared = 0, ties = 0, wrong = 0;
  void print(const char* what, Rounding r) const {
    std::printf("%s %s: %zu compared, %zu of them exact ties, %zu mismatches\n", what, name(r), compared, ties, wrong);
  }
};

template <Rounding R>
void compare(int32_t acc, const qmath::Scale& s, const kernels::OutputArgs& o, CodeType type, Tally& tally) {
  const int32_t got = qmath::requantize<R>(acc, s, o, qmath::lowest(type));
  const int32_t expected = oracle::requantize(R, acc, {s.scale, s.bias, s.bias_codes, s.multiplier, s.shift}, o, type);
  ++tally.compared;
  if (got != expected && tally.wrong++ == 0)
    UNSCOPED_INFO(name(R) << ", acc " << acc << ", scale " << s.scale << ", bias " << s.bias << " " << s.bias_codes
                          << ", multiplier " << s.multiplier << " shift " << s.shift << ", inv_scale " << o.inv_scale
                          << ", zero point " << o.zero_point << ": " << got << " instead of " << expected);
}

/// Every accumulator from -2000 to 2000 over 2, 4 and 8: each odd multiple of the half is an exact tie.
template <Rounding R>
void ties(Tally& tally) {
  for (const CodeType type : kTypes)
    for (int32_t zero = 0; zero < 256; zero += 3)
      for (const int32_t power : {1, 2, 3})
        for (int32_t acc = -2000; acc <= 2000; ++acc) {
          const int32_t lo = testing::lowest(type);
          const float scale = std::ldexp(1.0f, -power);
          const kernels::OutputArgs o{1.0f, zero + lo, lo, testing::highest(type)};
          compare<R>(acc, {scale, 0.0f, 0, 1 << 30, 1 - power}, o, type, tally);
          if ((acc & ((1 << power) - 1)) == 1 << (power - 1)) ++tally.ties;
        }
}

template <Rounding R>
void random_values(Tally& tally) {
  Rng rng(17);
  for (int i = 0; i < kRandomValues; ++i) {
    const CodeType type = kTypes[rng() % 2];
    const int32_t lo = testing::lowest(type), hi = testing::highest(type), zero = uniform(rng, lo, hi);
    const int32_t bits = uniform(rng, 2, 30), acc = uniform(rng, -(1 << bits), 1 << bits);
    // Codes per step so that the result is mostly in range, sometimes far outside; the real mode splits it into two factors.
    const double step = std::ldexp(uniform_real(rng, 0.5f, 2.0f), uniform(rng, 6, 9) - bits);
    const float inv = uniform_real(rng, 0.01f, 100.0f);
    const float scale = static_cast<float>(R == Rounding::real ? step / inv : step);
    const int32_t bias = i % 3 == 0 ? 0 : uniform(rng, -(1 << bits) / 4, (1 << bits) / 4);
    const FixedMultiplier m = quantize_multiplier(step);
    const int32_t from = rng() % 4 == 0 ? zero : lo, to = rng() % 4 == 0 ? hi - uniform(rng, 0, hi - zero) : hi;
    compare<R>(acc, {scale, static_cast<float>(bias) * scale, bias, m.multiplier, m.shift}, {inv, zero, from, to}, type, tally);
  }
}

template <Rounding R>
void check_requantize() {
  Tally tally;
  ties<R>(tally);
  random_values<R>(tally);
  tally.print("requantize", R);
  CHECK(tally.wrong == 0);
  CHECK(tally.ties > 100000);
}

TEST_CASE("requantize in real mode equals exact arithmetic on ties and a million random values") {
  check_requantize<Rounding::real>();
}
TEST_CASE("requantize in int_bias mode equals exact arithmetic on ties and a million random values") {
  check_requantize<Rounding::int_bias>();
}
TEST_CASE("requantize in fixed_double mode equals exact arithmetic on ties and a million random values") {
  check_requantize<Rounding::fixed_double>();
}
TEST_CASE("requantize in fixed_single mode equals exact arithmetic on ties and a million random values") {
  check_requantize<Rounding::fixed_single>();
}

TEST_CASE("real mode adds the zero point before rounding, int_bias after") {
  const kernels::OutputArgs o{1.0f, 1, 0, 255};
  const qmath::Scale half{0.5f, 0, 0, 0, 0};
  CHECK(qmath::requantize<Rounding::real>(1, half, o, 0) == 2);      // rne(0.5 + 1)
  CHECK(qmath::requantize<Rounding::int_bias>(1, half, o, 0) == 1);  // rne(0.5) + 1
  CHECK(qmath::requantize<Rounding::real>(3, half, o, 0) == 2);
  CHECK(qmath::requantize<Rounding::int_bias>(3, half, o, 0) == 3);
  const kernels::OutputArgs signed_output{1.0f, 1 - 128, -128, 127};
  CHECK(qmath::requantize<Rounding::real>(1, half, signed_output, -128) == 2 - 128);
}

TEST_CASE("requantize saturates by sign whatever the size of the value") {
  for (const int32_t acc : {INT32_MAX, INT32_MIN}) {
    const int32_t expected = acc > 0 ? 255 : 0;
    const kernels::OutputArgs o{1e10f, 7, 0, 255};
    const qmath::Scale large{1e30f, 0, 0, INT32_MAX, 30};
    CHECK(qmath::requantize<Rounding::real>(acc, large, o, 0) == expected);
    CHECK(qmath::requantize<Rounding::int_bias>(acc, large, o, 0) == expected);
    CHECK(qmath::requantize<Rounding::fixed_double>(acc, large, o, 0) == expected);
    CHECK(qmath::requantize<Rounding::fixed_single>(acc, large, o, 0) == expected);
  }
}

template <Rounding R>
void check_quantize() {
  Rng rng(23);
  Tally tally;
  for (int i = 0; i < kRandomValues; ++i) {
    const CodeType type = kTypes[rng() % 2];
    const int32_t lo = testing::lowest(type), hi = testing::highest(type), zero = uniform(rng, lo, hi);
    const float scale = i % 2 == 0 ? std::ldexp(1.0f, uniform(rng, -20, 20)) : uniform_real(rng, 0.001f, 3.0f);
    const bool tie = i % 2 == 0 || i % 5 == 0;  // exact for powers of two, nearly one otherwise
    const float steps = tie ? static_cast<float>(uniform(rng, -600, 600)) + 0.5f : uniform_real(rng, -600, 600);
    const float x = steps * scale;
    const kernels::OutputArgs o{R == Rounding::int_bias ? scale : 1.0f / scale, zero, lo, hi};
    ++tally.compared;
    tally.ties += i % 2 == 0 ? 1 : 0;
    tally.wrong += qmath::quantize<R>(x, o) != oracle::quantize(R, x, o) ? 1 : 0;
  }
  tally.print("quantize", R);
  CHECK(tally.wrong == 0);
}

TEST_CASE("quantize by the reciprocal equals exact arithmetic on half a million ties and as many random values") {
  check_quantize<Rounding::real>();
}
TEST_CASE("quantize by division equals exact arithmetic on half a million ties and as many random values") {
  check_quantize<Rounding::int_bias>();
}
TEST_CASE("the two ways to quantize are not the same") {
  size_t differ = 0;
  for (int i = 0; i < 500; ++i) {
    const float scale = 0.3f, x = (static_cast<float>(i) + 0.5f) * scale;
    differ +=
        qmath::quantize<Rounding::real>(x, {1 / scale, 0, 0, 255}) != qmath::quantize<Rounding::int_bias>(x, {scale, 0, 0, 255});
  }
  CHECK(differ > 0);
}

}  // namespace
}  // namespace octet::testing
