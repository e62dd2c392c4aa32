// SPDX-License-Identifier: Apache-2.0
// gemmlowp's fixed-point exponential and reciprocal, TensorFlow Lite's int8 logistic and tanh on them, and its hard_swish,
// leaky_relu and prelu.
#include "engine/ops/fixed_functions.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/wide.h"
#include "engine/quantize.h"
#include "kernels/multiplier.h"
#include "kernels/qmath.h"

namespace octet {
namespace {

using qmath::multiply_high;
using qmath::reciprocal_of_one_plus;
using qmath::saturate;
using qmath::shift_half_away;

/// e^a for a in [-1/4, 0), both in units of 2^-31: a polynomial around -1/8.
int32_t exp_near_zero(int32_t a) {
  constexpr int32_t kOneThird = 715827883, kExpOfEighth = 1895147668;
  const int32_t x = a + (1 << 28), x2 = multiply_high(x, x), x3 = multiply_high(x2, x), x4 = multiply_high(x2, x2);
  const int32_t t =
      shift_half_away(qmath::wrapping_add(multiply_high(qmath::wrapping_add(shift_half_away(x4, 2), x3), kOneThird), x2), 1);
  return qmath::wrapping_add(kExpOfEighth, multiply_high(kExpOfEighth, qmath::wrapping_add(x, t)));
}

/// e^a for a <= 0 in units of 2^(bits - 31), bits 4 or 5; the result in units of 2^-31. What exceeds a multiple of a quarter by the
/// polynomial, the multiple by factors e^-(2^j).
int32_t exp_of_negative(int32_t a, int bits) {
  if (a == 0) return INT32_MAX;
  constexpr int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};  // j = -2 … 4
  const int32_t quarter = 1 << (29 - bits);
  const int32_t rest = (a & (quarter - 1)) - quarter;
  int32_t r = exp_near_zero(rest * (1 << bits));
  for (int j = -2; j < bits; ++j)
    if (((rest - a) >> (31 - bits + j) & 1) != 0) r = multiply_high(r, kFactors[j + 2]);
  return r;
}

template <Rounding R>
int32_t scaled(int32_t u, FixedMultiplier m) {
  return qmath::multiply_fixed<R>(u, m.multiplier, m.shift);
}

}  // namespace

int32_t exp_of_negative_code(int32_t difference, float scale, float beta) {
  const double real = std::min(static_cast<double>(beta) * static_cast<double>(scale) * (1 << 26), 2147483647.0);
  const FixedMultiplier m = quantize_multiplier(real);
  const double lowest = -std::floor(std::ldexp(31.0 * (1 << 26), -m.shift));
  if (difference < lowest) return -1;
  return exp_of_negative(multiply_high(saturate(static_cast<int64_t>(std::ldexp(difference, m.shift))), m.multiplier), 5);
}

namespace {

/// v in units of 2^-27 from a code's difference: what both sigmoid and tanh begin with, saturated where |x| leaves [-15, 15].
template <Rounding R>
struct Argument {
  FixedMultiplier m;
  double radius;

  explicit Argument(float scale) : m(quantize_multiplier(static_cast<double>(scale) * (1 << 27))) {
    // By the exponent as it is: that of a multiplier ends at 30. From scales of 8 on every code but those above 0 is saturated.
    int exponent = 0;
    if (std::round(std::ldexp(std::frexp(static_cast<double>(scale) * (1 << 27), &exponent), 31)) >= 0x1p31) ++exponent;
    radius = std::floor(std::ldexp(15.0 * (1 << 27), -exponent));
  }
  int32_t operator()(int32_t u) const { return scaled<R>(u, m); }
};

template <Rounding R>
std::function<int32_t(int32_t)> logistic(float scale) {
  return [argument = Argument<R>(scale)](int32_t u) {
    if (u <= -argument.radius) return -128;
    if (u >= argument.radius) return 127;
    const int32_t v = argument(u);
    const int32_t p = saturate(int64_t{2} * reciprocal_of_one_plus(exp_of_negative(-std::abs(v), 4)));
    return shift_half_away(v < 0 ? INT32_MAX - p : v == 0 ? 1 << 30 : p, 23) - 128;
  };
}

template <Rounding R>
std::function<int32_t(int32_t)> tanh(float scale) {
  return [argument = Argument<R>(scale)](int32_t u) {
    if (u <= -argument.radius) return -128;
    if (u >= argument.radius) return 127;
    const int32_t v = argument(u);
    if (v == 0) return 0;
    const int32_t p = saturate(int64_t{4} * (reciprocal_of_one_plus(exp_of_negative(-std::abs(v), 5)) - (1 << 29)));
    return shift_half_away(v < 0 ? -p : p, 24);
  };
}

template <Rounding R>
std::function<int32_t(int32_t)> leaky_relu(float alpha, float sx, float sy, int32_t zero) {
  const FixedMultiplier above = quantize_multiplier(static_cast<double>(sx / sy));
  const float slope = sx * alpha / sy;
  const FixedMultiplier below = quantize_multiplier(static_cast<double>(std::abs(slope)));
  return [=](int32_t u) {
    const int64_t y = scaled<R>(u, u < 0 ? below : above);
    return saturate((u < 0 && slope < 0 ? -y : y) + zero);
  };
}

/// In TensorFlow Lite Micro's multipliers, which are made in binary64.
template <Rounding R>
std::function<int32_t(int32_t)> prelu(int32_t slope, float slope_scale, float sx, float sy, int32_t zero) {
  const double x = static_cast<double>(sx), y = static_cast<double>(sy);
  const FixedMultiplier above = quantize_multiplier(x / y);
  const FixedMultiplier below = quantize_multiplier(x * static_cast<double>(slope_scale) / y);
  return [=](int32_t u) { return saturate(int64_t{u < 0 ? scaled<R>(u * slope, below) : scaled<R>(u, above)} + zero); };
}

int32_t to_16_bits(int32_t x) { return std::clamp(x, -32768, 32767); }
/// A multiplier's upper half.
int32_t upper_half(int32_t multiplier) {
  return static_cast<int32_t>(std::min<int64_t>((int64_t{multiplier} + (1 << 15)) >> 16, 32767));
}
int32_t multiply_high_16(int32_t a, int32_t b) { return to_16_bits((a * b + (1 << 14)) >> 15); }

/// x relu6(x + 3) / 6 in 16 bits: x times 128 on the output's scale, times the same on the scale 3 / 32768, moved to [0, 1].
std::optional<std::function<int32_t(int32_t)>> hard_swish(float sx, float sy, int32_t zero) {
  const float high = sx / 128;
  const FixedMultiplier output = quantize_multiplier(static_cast<double>(high / sy));
  const FixedMultiplier relu = quantize_multiplier(static_cast<double>(high / (3.0F / 32768)));
  if (output.shift > 0 || output.shift < -31) return std::nullopt;
  return [=](int32_t difference) {
    const int32_t u = difference * 128, p = multiply_high_16(u, upper_half(output.multiplier));
    int32_t r = u;
    if (relu.shift > 0) r = to_16_bits(saturate(int64_t{r} * (int64_t{1} << (relu.shift - 1))));
    r = multiply_high_16(r, upper_half(relu.multiplier));
    if (relu.shift > 0) r = to_16_bits(2 * r);
    if (relu.shift < 0) r = shift_half_away(r, std::min(-relu.shift, 31));
    r = (r + 32768) >> 1;
    return shift_half_away(r * p / (1 << 15), -output.shift) + zero;
  };
}

/// The zero point of i8 codes.
int32_t signed_zero(const QParams& q) { return q.zero_point[0] - (code_dtype(q) == DType::u8 ? 128 : 0); }

template <Rounding R>
std::optional<std::function<int32_t(int32_t)>> formula(const Unary& op, const QParams& x, const QParams& y) {
  const int32_t zero = signed_zero(y);
  const float sx = x.scale[0], sy = y.scale[0];
  switch (op.fn) {
    case UnaryFn::sigmoid:
      if (sy == 1.0F / 256 && zero == -128) return logistic<R>(sx);
      return std::nullopt;
    case UnaryFn::tanh:
      if (sy == 1.0F / 128 && zero == 0) return tanh<R>(sx);
      return std::nullopt;
    case UnaryFn::leaky_relu: return leaky_relu<R>(static_cast<float>(op.coefficients().alpha), sx, sy, zero);
    case UnaryFn::hard_swish: return hard_swish(sx, sy, zero);
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<kernels::ActivationArgs> activation_16(const Unary& op, const QParams& x, const QParams& y, Rounding rounding) {
  if (!has_wide_codes(x) || !has_wide_codes(y)) return std::nullopt;
  const float sx = x.scale[0], sy = y.scale[0];
  kernels::ActivationArgs a{};
  a.clamp_min = y.qmin, a.clamp_max = y.qmax;
  a.type = kernels::CodeType::i16;
  a.rounding = rounding;
  switch (op.fn) {
    case UnaryFn::sigmoid:
    case UnaryFn::tanh: {
      if (sy != 0x1p-15F) return std::nullopt;
      a.kind = op.fn == UnaryFn::tanh ? kernels::ActivationKind::tanh : kernels::ActivationKind::logistic;
      // As many bits as 16 hold; the whole steps of input scales that are powers of two are the original's own.
      if (sx == 0x1p-12F || (op.fn == UnaryFn::tanh && sx == 0x1p-11F)) {
        a.multiplier = sx == 0x1p-12F ? 3 : 6;
        return a;
      }
      double multiplier = static_cast<double>(sx) * 12288;
      for (; multiplier <= 32767.0 / 2 && a.shift <= 30; ++a.shift) multiplier *= 2;
      a.multiplier = static_cast<int32_t>(std::min(multiplier, 2147483647.0));
      return a;
    }
    case UnaryFn::leaky_relu: {
      a.kind = kernels::ActivationKind::leaky_relu;
      const float slope = sx * static_cast<float>(op.coefficients().alpha) / sy;
      const FixedMultiplier above = quantize_multiplier(static_cast<double>(sx / sy));
      const FixedMultiplier below = quantize_multiplier(static_cast<double>(std::abs(slope)));
      a.multiplier = above.multiplier, a.shift = above.shift;
      a.negative_multiplier = below.multiplier, a.negative_shift = below.shift;
      a.inverts = slope < 0;
      return a;
    }
    default: return std::nullopt;
  }
}

std::optional<std::function<int32_t(int32_t)>> fixed_function(const Unary& op, const QParams& x, const QParams& y,
                                                              Rounding rounding) {
  if (has_wide_codes(x) || has_wide_codes(y)) return std::nullopt;
  if (rounding == Rounding::fixed_double) return formula<Rounding::fixed_double>(op, x, y);
  if (rounding == Rounding::fixed_single) return formula<Rounding::fixed_single>(op, x, y);
  return std::nullopt;
}

std::function<int32_t(int32_t)> fixed_prelu(float slope, const QParams& x, const QParams& y, Rounding rounding) {
  const auto made = rounding == Rounding::fixed_single ? leaky_relu<Rounding::fixed_single> : leaky_relu<Rounding::fixed_double>;
  return made(slope, x.scale[0], y.scale[0], signed_zero(y));
}

std::function<int32_t(int32_t)> fixed_prelu(int32_t slope, float slope_scale, const QParams& x, const QParams& y,
                                            Rounding rounding) {
  const auto made = rounding == Rounding::fixed_single ? prelu<Rounding::fixed_single> : prelu<Rounding::fixed_double>;
  return made(slope, slope_scale, x.scale[0], y.scale[0], signed_zero(y));
}

}  // namespace octet
