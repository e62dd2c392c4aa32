// SPDX-License-Identifier: Apache-2.0
// Element-wise sum: types x roundings x fills x zero points, and every pair of codes, against the oracle. The fixed modes' factors
// are made as TensorFlow Lite makes them.
#include <algorithm>
#include <cstdio>

#include "kernels/multiplier.h"
#include "kernels/ref/ref.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/oracle.h"

namespace octet::testing {
namespace {

using kernels::AddArgs;

/// The arguments that `lower` would make for these scales.
AddArgs args_of(Rounding r, float sa, float sb, float so, int32_t za, int32_t zb, kernels::OutputArgs output) {
  AddArgs a{};
  a.rounding = r, a.a_zero_point = za, a.b_zero_point = zb, a.output = output;
  a.a_scale = sa, a.b_scale = sb, a.output.inv_scale = 1.0f / so;
  if (r == Rounding::int_bias) {
    a.a_scale = sa / so, a.b_scale = sb / so;
    a.offset =
        static_cast<float>(output.zero_point) - std::fma(a.a_scale, static_cast<float>(za), a.b_scale * static_cast<float>(zb));
  }
  const double twice_largest = 2 * std::max<double>(sa, sb);
  const FixedMultiplier ma = quantize_multiplier(sa / twice_largest), mb = quantize_multiplier(sb / twice_largest),
                        mo = quantize_multiplier(twice_largest / ((1 << 20) * static_cast<double>(so)));
  a.a_multiplier = ma.multiplier, a.a_shift = ma.shift, a.b_multiplier = mb.multiplier, a.b_shift = mb.shift;
  a.output_multiplier = mo.multiplier, a.output_shift = mo.shift;
  return a;
}

int32_t expected_code(const AddArgs& g, int32_t a, int32_t b) {
  using namespace oracle;
  const int32_t da = a - g.a_zero_point, db = b - g.b_zero_point;
  if (g.rounding == Rounding::real)
    return oracle::quantize(g.rounding, add(mul(g.a_scale, f32(da)), mul(g.b_scale, f32(db))), g.output);
  if (g.rounding == Rounding::int_bias)
    return oracle::clamp(int128{rne(oracle::fma(f32(a), g.a_scale, oracle::fma(f32(b), g.b_scale, g.offset)))}, g.output);
  const int128 x = oracle::multiply_fixed(g.rounding, int64_t{da} << 20, g.a_multiplier, g.a_shift);
  const int128 y = oracle::multiply_fixed(g.rounding, int64_t{db} << 20, g.b_multiplier, g.b_shift);
  return oracle::clamp(
      oracle::multiply_fixed(g.rounding, static_cast<int64_t>(x + y), g.output_multiplier, g.output_shift) + g.output.zero_point,
      g.output);
}

struct Scales {
  float a, b, out;
};
// The first two put every odd sum, or a quarter of all, exactly between two codes.
constexpr Scales kScales[] = {{1, 1, 2},   {0.5f, 1, 2}, {0.02f, 0.03f, 0.04f}, {0.1f, 0.001f, 0.06f}, {0.007f, 0.0071f, 0.03f},
                              {1, 1, 0.5f}};

TEST_CASE("add equals the oracle for every pair of codes, type, rounding and zero points at both ends") {
  size_t compared = 0;
  for (const Rounding r : kRoundings)
    for (const Scales& s : kScales)
      for (int types = 0; types < 8; ++types) {
        const CodeType ta = kTypes[types & 1], tb = kTypes[types >> 1 & 1], to = kTypes[types >> 2];
        Rng rng(static_cast<uint32_t>(types));
        const int32_t zero_a = testing::lowest(ta) + (types == 0 ? 0 : types == 7 ? 255 : uniform(rng, 0, 255));
        const int32_t zero_b = testing::lowest(tb) + (types == 1 ? 255 : types == 6 ? 0 : uniform(rng, 0, 255));
        const int32_t zero_out = testing::lowest(to) + (types == 2 ? 255 : types == 5 ? 0 : uniform(rng, 100, 155));
        const bool relu = types == 3;
        AddArgs a =
            args_of(r, s.a, s.b, s.out, zero_a, zero_b, {0, zero_out, relu ? zero_out : testing::lowest(to), testing::highest(to)});
        a.count = 65536, a.a_type = ta, a.b_type = tb, a.output_type = to;
        std::vector<uint8_t> x(65536), y(65536), expected(65536);
        for (size_t i = 0; i < x.size(); ++i) {
          x[i] = static_cast<uint8_t>(i >> 8), y[i] = static_cast<uint8_t>(i);
          expected[i] = static_cast<uint8_t>(expected_code(a, code_at(x.data(), i, ta), code_at(y.data(), i, tb)));
        }
        INFO("add, " << name(r) << ", scales " << s.a << " " << s.b << " " << s.out << ", " << name(ta) << " + " << name(tb)
                     << " to " << name(to) << ", zero points " << zero_a << " " << zero_b << " " << zero_out);
        compared += x.size();
        with_rounding(r, [&]<Rounding R>() {
          check_kernel(kernels::units(a), expected,
                       [&](uint8_t* out, int32_t begin, int32_t end) { kernels::add<R>(a, x.data(), y.data(), out, begin, end); });
        });
      }
  std::printf("add: %zu pairs compared, 0 mismatches\n", compared);
}

}  // namespace
}  // namespace octet::testing
