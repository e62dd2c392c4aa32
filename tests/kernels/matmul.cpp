// SPDX-License-Identifier: Apache-2.0
// Products of matrices of codes against sums written down element by element.
#include "tests/kernels/matmul_cases.h"

#include <set>

#include "kernels/ref/ref.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/oracle.h"

namespace octet::testing {
namespace {

using kernels::MatMulArgs;

std::vector<uint8_t> expected(const MatMulCase& c) {
  const MatMulArgs& g = c.args;
  std::vector<uint8_t> y;
  const auto size = [](int64_t n) { return static_cast<size_t>(n); };
  for (int64_t i = 0; i < kernels::Info<MatMulArgs>::rows(g) / g.m; ++i) {
    int64_t rest = i, at_a = 0, at_b = 0;
    for (int axis = g.rank; axis-- > 0; rest /= g.batch[axis])
      at_a += rest % g.batch[axis] * g.a_batch[axis], at_b += rest % g.batch[axis] * g.b_batch[axis];
    for (int32_t r = 0; r < g.m; ++r)
      for (int32_t col = 0; col < g.n; ++col) {
        int64_t sum = 0;
        for (int32_t k = 0; k < g.k; ++k) {
          const int64_t a = code_at(c.a.data(), size(at_a + int64_t{r} * g.a_row + int64_t{k} * g.a_step), g.a_type);
          const int64_t b = code_at(c.b.data(), size(at_b + int64_t{col} * g.b_column + int64_t{k} * g.b_step), g.b_type);
          sum += (a - g.a_zero_point) * (b - g.b_zero_point);
        }
        const oracle::Channel channel{g.scale, 0, 0, g.multiplier, g.shift};
        y.push_back(static_cast<uint8_t>(oracle::requantize(g.rounding, sum, channel, g.output, g.output_type)));
      }
  }
  return y;
}

TEST_CASE("products of matrices are their sums, rescaled once, in every order of axes") {
  std::set<uint8_t> seen;
  each_matmul_case([&](const MatMulCase& c) {
    const std::vector<uint8_t> y = expected(c);
    seen.insert(y.begin(), y.end());
    check_kernel(kernels::units(c.args), y, [&](uint8_t* to, int32_t begin, int32_t end) {
      with_rounding(c.args.rounding, [&]<Rounding R>() { kernels::matmul<R>(c.args, c.a.data(), c.b.data(), to, begin, end); });
    });
  });
  CHECK(seen.size() == 256);
}

TEST_CASE("the longest sum of the largest differences stays within 32 bits") {
  MatMulArgs g{};
  g.rank = g.batch[0] = g.m = g.n = 1, g.k = kernels::kMostMatMulTerms;
  g.a_row = g.b_column = g.k, g.a_step = g.b_step = 1;
  g.b_zero_point = 255, g.scale = 1e-9F, g.multiplier = 1 << 30, g.shift = -23;  // 2^-24
  g.output = {1, 200, 0, 255};
  const std::vector<uint8_t> a(static_cast<size_t>(g.k), 255), b(static_cast<size_t>(g.k), 0);
  uint8_t y = 0;
  kernels::matmul<Rounding::fixed_double>(g, a.data(), b.data(), &y, 0, 1);
  const int64_t sum = int64_t{g.k} * 255 * -255;
  CHECK(sum < -2147000000);
  CHECK(y == 200 + (sum - (1 << 23)) / (1 << 24));
}

}  // namespace
}  // namespace octet::testing
