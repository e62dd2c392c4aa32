// SPDX-License-Identifier: Apache-2.0
// The passes after a primitive in every build that this CPU runs, against qmath.h one value at a time: all tails, ties, limits and
// zero points at both ends, sums far out of range, in place, between guard bands.
#include "kernels/onednn/epilogue.h"

#include <cmath>

#include "kernels/qmath.h"
#include "tests/kernels/cases.h"

namespace octet::testing {
namespace {

using onednn::Epilogue;
using onednn::Residual;

float sum_of(Rng& rng, int kind) {
  constexpr float kOdd[] = {3e38f, -3e38f, 5e9f,   -5e9f,    2147483648.0f, -2147483904.0f,
                            0.0f,  -0.0f,  1e-40f, INFINITY, -INFINITY,     NAN};
  if (kind == 0) return uniform_real(rng, -40, 40);
  if (kind == 1) return static_cast<float>(uniform(rng, -600, 600)) * 0.5f;  // ties
  return kOdd[uniform(rng, 0, 11)];
}

TEST_CASE("every build adds residuals and limits codes as qmath.h does") {
  Rng rng(21);
  size_t compared = 0, ties = 0;
  for (const CodeType in : kTypes)
    for (const CodeType out : kTypes)
      for (int kind = 0; kind < 3; ++kind)
        for (size_t n = 0; n < 600; n = n < 140 ? n + 1 : n + 37) {
          const int32_t low = testing::lowest(out), in_low = testing::lowest(in), ends[] = {0, 255, 128, 17};
          kernels::OutputArgs o{kind == 1 ? 1.0f : 3.7f, low + ends[uniform(rng, 0, 3)], low, low + 255};
          if (uniform(rng, 0, 1) != 0) o.clamp_min = low + uniform(rng, 0, 100), o.clamp_max = low + uniform(rng, 100, 255);
          const Residual r{kind == 1 ? 0.5f : 0.37f, ends[uniform(rng, 0, 3)], static_cast<uint8_t>(in == CodeType::i8 ? 0x80 : 0)};
          const auto residual = codes(rng, Fill::random, n, in_low, in_low + 255, 0);
          std::vector<float> sums(n);
          std::vector<uint8_t> expected(n), limited(n);
          for (size_t i = 0; i < n; ++i) {
            sums[i] = sum_of(rng, kind);
            const int32_t difference = code_at(residual.data(), i, in) - in_low - r.zero_point;
            const float v = sums[i] + qmath::dequantize(difference, r.scale);
            ties += kind == 1 && v != std::floor(v);
            expected[i] = static_cast<uint8_t>(qmath::code_of_real(v, o, low));
            limited[i] = static_cast<uint8_t>(std::clamp<int32_t>(residual[i], o.clamp_min - low, o.clamp_max - low) + low);
          }
          size_t build = 0;
          for (const Epilogue* epilogue : onednn::epilogues()) {
            INFO("build " << build++ << " from the best, " << n << " values, " << name(in) << " to " << name(out) << ", kind "
                          << kind);
            Guarded apart(n), in_place(n), limits(n);
            std::ranges::copy(residual, in_place.data());
            std::ranges::copy(residual, limits.data());
            epilogue->add_residual(static_cast<int64_t>(n), sums.data(), residual.data(), r, o, low, apart.data());
            epilogue->add_residual(static_cast<int64_t>(n), sums.data(), in_place.data(), r, o, low, in_place.data());
            epilogue->limit(static_cast<int64_t>(n), static_cast<uint8_t>(o.clamp_min - low),
                            static_cast<uint8_t>(o.clamp_max - low), out == CodeType::i8 ? 0x80 : 0, limits.data());
            REQUIRE((apart.intact() && in_place.intact() && limits.intact()));
            REQUIRE(apart.inner() == expected);
            REQUIRE(in_place.inner() == expected);
            REQUIRE(limits.inner() == limited);
            compared += n;
          }
        }
  std::printf("epilogue: %zu builds, %zu values compared, %zu of them exact ties, 0 mismatches\n", onednn::epilogues().size(),
              compared, ties);
  CHECK(ties > 1000);
}

}  // namespace
}  // namespace octet::testing
