// SPDX-License-Identifier: Apache-2.0
// Constant tables for convolution and linear tests: per-channel rescaling that spreads the accumulators at hand over the code
// range, or, for ties, makes every odd accumulator (or every quarter) land exactly between two codes.
#pragma once

#include "kernels/kernel.h"
#include "kernels/multiplier.h"
#include "kernels/ref/ref.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/oracle.h"

namespace octet::testing {

struct Tables {
  std::vector<float> scale, bias;
  std::vector<int32_t> bias_codes, multiplier, shift, weight_zero_point;

  /// `inv_scale` of the output is 4 for ordinary fills (exact in binary32, so real and the other modes have like factors), 1 for
  /// ties.
  Tables(Rng& rng, Rounding r, Fill fill, int channels, const std::vector<int64_t>& acc, float inv_scale) {
    int64_t largest = 1;
    for (const int64_t a : acc) largest = std::max(largest, a < 0 ? -a : a);
    for (int c = 0; c < channels; ++c) {
      float total = uniform_real(rng, 50, 300) / static_cast<float>(largest);  // codes per accumulator step
      if (fill == Fill::ties) total = c % 2 == 0 ? 0.5f : 0.25f;
      const int32_t b = fill == Fill::ties ? uniform(rng, -3, 3) : uniform(rng, -20, 20) * static_cast<int32_t>(1 + largest / 200);
      scale.push_back(r == Rounding::real ? total / inv_scale : total);
      bias.push_back(static_cast<float>(b) * total / inv_scale);
      bias_codes.push_back(b);
      const FixedMultiplier m = quantize_multiplier(total);
      multiplier.push_back(m.multiplier);
      shift.push_back(m.shift);
    }
  }
  /// Only the tables that the mode may read; the others null.
  kernels::Channels channels(Rounding r) const {
    const bool real = r == Rounding::real, fixed = r == Rounding::fixed_double || r == Rounding::fixed_single;
    return {fixed ? nullptr : scale.data(),     real ? bias.data() : nullptr,
            real ? nullptr : bias_codes.data(), fixed ? multiplier.data() : nullptr,
            fixed ? shift.data() : nullptr,     weight_zero_point.empty() ? nullptr : weight_zero_point.data()};
  }
  /// Gives the convolution a residual of `ratio` output codes a code, and in the fixed modes the tables its units.
  void add_residual(kernels::Conv2dArgs& a, float ratio) {
    a.residual_scale = 0, a.residual_multiplier = a.residual_shift = 0;
    if (a.rounding == Rounding::real) a.residual_scale = ratio / a.output.inv_scale;
    if (a.rounding == Rounding::int_bias) a.residual_scale = ratio;
    if (a.rounding == Rounding::real || a.rounding == Rounding::int_bias) return;
    double largest = std::ldexp(static_cast<double>(ratio), -20);
    std::vector<double> total;
    for (size_t c = 0; c < multiplier.size(); ++c) {
      total.push_back(std::ldexp(static_cast<double>(multiplier[c]), shift[c] - 31));
      largest = std::max(largest, total.back());
    }
    a.residual_shift = 62;
    while (std::ldexp(largest, a.residual_shift) > INT32_MAX) --a.residual_shift;
    a.residual_multiplier = static_cast<int32_t>(std::nearbyint(std::ldexp(static_cast<double>(ratio), a.residual_shift - 20)));
    for (size_t c = 0; c < multiplier.size(); ++c)
      multiplier[c] = static_cast<int32_t>(std::nearbyint(std::ldexp(total[c], a.residual_shift))), shift[c] = 0;
  }
  oracle::Channel at(size_t c) const { return {scale[c], bias[c], bias_codes[c], multiplier[c], shift[c]}; }
};

/// Output parameters for a fill: zero points at both ends and in between, clamps full or narrowed as by a fused activation.
inline kernels::OutputArgs output_args(Rng& rng, Fill fill, CodeType type) {
  const int32_t lo = testing::lowest(type), hi = testing::highest(type), which = uniform(rng, 0, 3);
  const int32_t zero = fill == Fill::ties || which > 1 ? (lo + hi) / 2 + uniform(rng, 0, 1) : which == 0 ? lo : hi;
  const bool relu = uniform(rng, 0, 3) == 0, seven_bits = uniform(rng, 0, 5) == 0 && zero <= hi - 40;
  return {fill == Fill::ties ? 1.0f : 4.0f, zero, relu ? zero : lo, seven_bits ? hi - 40 : hi};
}

/// Output parameters whose scale is no power of two, so that every operation of the rescaling rounds; ties as for the reference.
inline kernels::OutputArgs engine_output(Rng& rng, Fill fill, CodeType type) {
  kernels::OutputArgs o = output_args(rng, fill, type);
  if (fill != Fill::ties) o.inv_scale = 1.0f / uniform_real(rng, 0.01f, 0.3f);
  return o;
}

inline std::shared_ptr<Blobs> blobs_of(const Tables& t, std::vector<int8_t> weight) {
  auto blobs = std::make_shared<Blobs>();
  blobs->weight = std::move(weight), blobs->scale = t.scale, blobs->bias = t.bias;
  return blobs;
}

/// Exact halves among acc * scale: evidence that a tie-rich case is one.
inline size_t count_ties(const std::vector<int64_t>& acc, const Tables& t, size_t channels) {
  size_t ties = 0;
  for (size_t i = 0; i < acc.size(); ++i) {
    const double x = static_cast<double>(acc[i] + t.bias_codes[i % channels]) * (i % channels % 2 == 0 ? 0.5 : 0.25);
    ties += std::abs(x - std::floor(x) - 0.5) == 0 ? 1 : 0;
  }
  return ties;
}

}  // namespace octet::testing
