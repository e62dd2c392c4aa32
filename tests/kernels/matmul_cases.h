// SPDX-License-Identifier: Apache-2.0
// Products of matrices to try: every order of both inputs' axes, matrices that repeat, sums longer than a block.
#pragma once

#include "kernels/multiplier.h"
#include "tests/catch.h"
#include "tests/kernels/fills.h"

namespace octet::testing {

struct MatMulCase {
  kernels::MatMulArgs args{};
  std::vector<uint8_t> a, b;
};

/// `axes`: bits 0 and 1 say whether a and b lie with their last two axes changed about.
inline MatMulCase matmul_case(Rng& rng, Fill fill, CodeType in, CodeType out, Rounding rounding, int axes, int32_t m, int32_t n,
                              int32_t k) {
  MatMulCase c;
  kernels::MatMulArgs& g = c.args;
  g.rank = uniform(rng, 1, 4);
  int32_t matrices_a = 1, matrices_b = 1;
  for (int i = g.rank - 1; i >= 0; --i) {
    g.batch[i] = uniform(rng, 1, 2);
    const bool in_a = uniform(rng, 0, 2) > 0, in_b = uniform(rng, 0, 2) > 0;
    if (in_a) g.a_batch[i] = matrices_a * m * k, matrices_a *= g.batch[i];
    if (in_b) g.b_batch[i] = matrices_b * n * k, matrices_b *= g.batch[i];
  }
  g.m = m, g.n = n, g.k = k;
  g.a_row = (axes & 1) != 0 ? 1 : k, g.a_step = (axes & 1) != 0 ? m : 1;
  g.b_column = (axes & 2) != 0 ? k : 1, g.b_step = (axes & 2) != 0 ? 1 : n;
  g.rounding = rounding, g.a_type = in, g.b_type = uniform(rng, 0, 1) == 0 ? in : out, g.output_type = out;
  const auto zero = [&](CodeType type) {
    const int32_t lo = testing::lowest(type), hi = testing::highest(type), some[] = {lo, hi, (lo + hi) / 2, lo + 3};
    return fill == Fill::ties ? some[2] : some[uniform(rng, 0, 3)];
  };
  g.a_zero_point = zero(g.a_type), g.b_zero_point = zero(g.b_type);
  const int32_t lo = testing::lowest(out);
  g.output = {rounding == Rounding::real ? 4.0F : 0.25F, lo + uniform(rng, 0, 255), lo, lo + uniform(rng, 200, 255)};
  const float largest = static_cast<float>(k) * (fill == Fill::random ? 600 : 20'000);
  const float total = fill == Fill::ties ? 0.5F : uniform_real(rng, 50, 300) / largest;  // codes per step of the sum
  g.scale = rounding == Rounding::real ? total / g.output.inv_scale : total;
  const FixedMultiplier q = quantize_multiplier(static_cast<double>(total));
  g.multiplier = q.multiplier, g.shift = q.shift;
  const auto fills = [&](int32_t matrices, int32_t size, CodeType type, int32_t centre) {
    return codes(rng, fill, static_cast<size_t>(matrices) * static_cast<size_t>(size), testing::lowest(type),
                 testing::highest(type), centre);
  };
  c.a = fills(matrices_a, m * k, g.a_type, g.a_zero_point), c.b = fills(matrices_b, n * k, g.b_type, g.b_zero_point);
  return c;
}

struct MatMulSize {
  int32_t m, n, k;
};
inline constexpr MatMulSize kMatMulSizes[] = {{1, 1, 1},   {3, 5, 7},    {4, 64, 16},  {2, 65, 33}, {7, 63, 31},
                                              {1, 130, 8}, {5, 17, 256}, {3, 20, 257}, {9, 1, 600}, {16, 31, 64}};

/// f(case) for every rounding, type, fill and size, each with a seed of its own; a failure names it.
template <class F>
void each_matmul_case(const F& f) {
  uint32_t seed = 0;
  for (const Rounding rounding : kRoundings)
    for (const CodeType in : kTypes)
      for (const CodeType out : kTypes)
        for (const Fill fill : kFills)
          for (const MatMulSize& s : kMatMulSizes) {
            Rng rng(++seed);
            const int axes = static_cast<int>(seed % 4);
            INFO("matmul: " << name(rounding) << ", " << name(in) << " to " << name(out) << ", " << name(fill) << ", " << s.m
                            << " x " << s.n << " x " << s.k << ", axes " << axes << ", seed " << seed);
            f(matmul_case(rng, fill, in, out, rounding, axes, s.m, s.n, s.k));
          }
}

}  // namespace octet::testing
