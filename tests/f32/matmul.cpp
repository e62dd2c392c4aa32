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
