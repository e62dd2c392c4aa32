// SPDX-License-Identifier: Apache-2.0
// The float matrix product against loops in double.
#include "tests/f32/support.h"

using namespace octet;
using namespace octet::f32_tests;

TEST_CASE("a matrix product equals the sum in double, in every layout and on every instruction set") {
  const int64_t sizes[][3] = {{1, 1, 1},     {1, 10, 64},  {64, 1, 5},   {3, 5, 7},     {33, 17, 100},
                              {100, 130, 1}, {7, 600, 40}, {600, 7, 40}, {128, 64, 200}};
  for (const auto& [m, n, k] : sizes) {
    const auto a = random_floats(m * k, 1), b = random_floats(n * k, 2), bias = random_floats(n, 3),
               before = random_floats(m * n, 4);
    for (int variant = 0; variant < 16; ++variant) {
      const f32::Matmul g{m, n, k, (variant & 1) != 0, (variant & 2) != 0, (variant & 4) != 0};
      const bool biased = (variant & 8) != 0;
      INFO(m << " x " << n << " x " << k << ", transpose_a " << g.transpose_a << ", transpose_b " << g.transpose_b
             << ", accumulate " << g.accumulate << ", bias " << biased);
      auto expected = doubles(before), magnitude = absolute(before);
      const auto wide_bias = doubles(bias), positive_bias = absolute(bias);
      naive::matmul(g, doubles(a).data(), doubles(b).data(), biased ? wide_bias.data() : nullptr, expected.data());
      naive::matmul(g, absolute(a).data(), absolute(b).data(), biased ? positive_bias.data() : nullptr, magnitude.data());
      for_every_setting([&, m = m, n = n, k = k] {
        const auto c = output_of(m * n, [&](float* out) {
          if (g.accumulate) std::copy(before.begin(), before.end(), out);
          f32::matmul(g, a.data(), b.data(), biased ? bias.data() : nullptr, out);
        });
        check_close(c, expected, sum_error(static_cast<double>(k + 1)), magnitude);
      });
    }
  }
}

TEST_CASE("a fused product on weights packed ahead gives the bits of product and limits") {
  struct Size {
    int64_t m, n, k;
  };
  int packed = 0, blocks = 0;
  for (const Size& size : {Size{5, 700, 1500},
                           {64, 64, 64},
                           {2, 3, 200},
                           {33, 48, 700},
                           {300, 20, 17},
                           {9, 4000, 2100},
                           {1, 40, 30},
                           {40, 1, 30},
                           {4, 4, 4},
                           {7, 6, 6},
                           {3, 129, 31}}) {
    const int64_t m = size.m, n = size.n, k = size.k;
    INFO(m << "x" << n << "x" << k);
    const auto a = random_floats(m * k, 1), b = random_floats(n * k, 2), bias = random_floats(n, 3),
               residual = random_floats(m * n, 4);
    const f32::Matmul mm{.m = m, .n = n, .k = k, .transpose_b = true};
    for_every_setting([&] {
      const auto expected = output_of(m * n, [&](float* y) {
        f32::matmul(mm, a.data(), b.data(), bias.data(), y);
        f32::add(m * n, y, residual.data(), y);
        f32::clamp(m * n, y, -0.5F, 1.0F, y);
      });
      const f32::Epilogue e{bias.data(), residual.data(), -0.5F, 1.0F};
      check_same(output_of(m * n, [&](float* y) { f32::matmul_fused(mm, a.data(), {b.data()}, e, y); }), expected);
      const f32::Panels how = f32::matmul_panels(mm);
      if (how.kc == 0) return;
      const Packed panels(how, n, k, b);
      check_same(output_of(m * n,
                           [&](float* y) {
                             f32::matmul_fused(mm, a.data(), {.plain = nullptr, .panels = panels.data(), .how = how}, e, y);
                           }),
                 expected);
      ++packed, blocks += how.kc < k || how.mc < n;
    });
  }
  CHECK(packed > 20);
  CHECK(blocks > 5);
}
