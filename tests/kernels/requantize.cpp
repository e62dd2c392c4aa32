// SPDX-License-Identifier: Apache-2.0
// Requantize: every code of either type, all roundings, many scales, and rows written with a stride as one input of a
// concatenation.
#include <cstdio>

#include "kernels/multiplier.h"
#include "kernels/ref/ref.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/oracle.h"

namespace octet::testing {
namespace {

using kernels::RequantizeArgs;

int32_t expected_code(const RequantizeArgs& a, int32_t q) {
  const int32_t d = q - a.input_zero_point;
  if (a.rounding == Rounding::real || a.rounding == Rounding::int_bias)
    return oracle::quantize(a.rounding, oracle::mul(a.input_scale, oracle::f32(d)), a.output);
  return oracle::clamp(oracle::multiply_fixed(a.rounding, d, a.multiplier, a.shift) + a.output.zero_point, a.output);
}

TEST_CASE("requantize equals the oracle for every code, type, rounding and scale") {
  size_t compared = 0;
  Rng rng(11);
  for (const Rounding r : kRoundings)
    for (const CodeType in : kTypes)
      for (const CodeType out : kTypes)
        for (int k = 0; k < 60; ++k) {
          // Ratios of 1/2 and 1/4 make ties; ratios above 1 and far beyond saturate.
          const float input_scale = k < 3 ? 0.5f : uniform_real(rng, 0.001f, 0.2f);
          const float output_scale = k == 0 ? 1.0f : k == 1 ? 2.0f : k == 2 ? 1e-6f : uniform_real(rng, 0.001f, 0.2f);
          RequantizeArgs a{};
          a.rounding = r, a.input_type = in, a.output_type = out, a.input_scale = input_scale;
          a.rows = 256, a.row = 1, a.output_stride = 1;
          a.input_zero_point = testing::lowest(in) + (k % 4 == 0 ? 0 : k % 4 == 1 ? 255 : uniform(rng, 0, 255));
          a.output.zero_point = testing::lowest(out) + (k % 3 == 0 ? 0 : k % 3 == 1 ? 255 : uniform(rng, 0, 255));
          a.output.clamp_min = k % 5 == 0 ? a.output.zero_point : testing::lowest(out);
          a.output.clamp_max = testing::highest(out);
          a.output.inv_scale = r == Rounding::int_bias ? output_scale : 1.0f / output_scale;
          const FixedMultiplier m = quantize_multiplier(static_cast<double>(input_scale) / output_scale);
          a.multiplier = m.multiplier, a.shift = m.shift;
          std::vector<uint8_t> x(256), expected(256);
          for (size_t i = 0; i < 256; ++i) {
            x[i] = static_cast<uint8_t>(i);
            expected[i] = static_cast<uint8_t>(expected_code(a, code_at(x.data(), i, in)));
          }
          INFO("requantize, " << name(r) << ", " << name(in) << " to " << name(out) << ", " << input_scale << " to " << output_scale
                              << ", zero points " << a.input_zero_point << " " << a.output.zero_point);
          compared += 256;
          with_rounding(r, [&]<Rounding R>() {
            check_kernel(kernels::units(a), expected,
                         [&](uint8_t* y, int32_t begin, int32_t end) { kernels::requantize<R>(a, x.data(), y, begin, end); });
          });
        }
  std::printf("requantize: %zu codes compared, 0 mismatches\n", compared);
}

TEST_CASE("requantize writes rows with a stride and leaves what lies between them alone") {
  for (const uint8_t copy : {uint8_t{0}, uint8_t{1}}) {
    RequantizeArgs a{};
    a.rows = 5, a.row = 3, a.output_stride = 8, a.input_scale = 0.5f, a.input_zero_point = 2, a.copy = copy;
    a.output = {1.0f, 7, 0, 255};
    std::vector<uint8_t> x(15), expected(4 * 8 + 3, 0x5a);
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<uint8_t>(17 * i);
      expected[i / 3 * 8 + i % 3] = copy != 0 ? x[i] : static_cast<uint8_t>(expected_code(a, x[i]));
    }
    INFO("copy " << int{copy});
    check_kernel(kernels::units(a), expected,
                 [&](uint8_t* y, int32_t begin, int32_t end) { kernels::requantize<Rounding::real>(a, x.data(), y, begin, end); });
  }
}

}  // namespace
}  // namespace octet::testing
