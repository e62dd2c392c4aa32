// SPDX-License-Identifier: Apache-2.0
// The functions of one element, a row each: formula, derivative and what quantization has to know. A row is all that a function
// needs; loops, gradients, int8 tables, files and tests run over the rows. Formulas and defaults are PyTorch's.
#pragma once

#include <cmath>
#include <numbers>
#include <tuple>

#include "engine/ops/elementwise.h"
#include "engine/ops/rows.h"

namespace octet {

/// value(x, k) and derivative(x, y, k), y = value(x, k), of float or double x; k has two members of x's type, alpha and beta.
template <class Value, class Derivative>
struct UnaryRow {
  UnaryFn fn;
  Value value;
  Derivative derivative;
  Coefficients defaults;
  int coefficients;  ///< how many it reads
  Channels channels;
  std::optional<FixedRange> fixed;
};
template <class V, class D>
constexpr UnaryRow<V, D> row(UnaryFn fn, V value, D derivative, Coefficients defaults = {}, int coefficients = 0,
                             Channels channels = Channels::mixes, std::optional<FixedRange> fixed = {}) {
  return {fn, value, derivative, defaults, coefficients, channels, fixed};
}

namespace functions {

template <class T>
T logistic(T x) {
  return 1 / (1 + std::exp(-x));
}
template <class T>
T clipped(T x, T lo, T hi) {
  return x < lo ? lo : x > hi ? hi : x;  // NaN stays
}
template <class T>
T softplus(T x, T beta, T threshold) {
  return beta * x > threshold ? x : std::log1p(std::exp(beta * x)) / beta;
}
template <class T>
T normal_cdf(T x) {
  return (1 + std::erf(x * static_cast<T>(std::numbers::sqrt2 / 2))) / 2;
}
constexpr double kSqrtTwoOverPi = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
template <class T>
T gelu_inner(T x) {
  return static_cast<T>(kSqrtTwoOverPi) * (x + static_cast<T>(0.044715) * x * x * x);
}
constexpr double kSeluAlpha = 1.6732632423543772848170429916717, kSeluScale = 1.0507009873554804934193349852946;
constexpr FixedRange kZeroToOne{0, 1}, kMinusOneToOne{-1, 1};

}  // namespace functions

// NOLINTBEGIN(readability-identifier-length)
/// In the order of UnaryFn.
inline constexpr auto kUnaryRows = [] {
  using namespace functions;  // NOLINT(google-build-using-namespace)
  using F = UnaryFn;
  const auto zero = [](auto x, auto, auto) -> decltype(x) { return 0; };
  const auto clip = [](auto x, auto k) { return clipped(x, k.alpha, k.beta); };
  const auto inside = [](auto x, auto, auto k) -> decltype(x) { return x > k.alpha && x < k.beta ? 1 : 0; };
  return std::tuple{
      row(
          F::identity, [](auto x, auto) { return x; }, [](auto x, auto, auto) -> decltype(x) { return 1; }, {}, 0,
          Channels::scales),
      row(F::relu, clip, inside, {0, INFINITY}, 0, Channels::scales),
      row(F::relu6, clip, inside, {0, 6}, 0, Channels::clips),
      row(F::clip, clip, inside, {-INFINITY, INFINITY}, 2),
      row(
          F::sigmoid, [](auto x, auto) { return logistic(x); }, [](auto, auto y, auto) { return y * (1 - y); }, {}, 0,
          Channels::mixes, kZeroToOne),
      row(
          F::tanh, [](auto x, auto) { return std::tanh(x); }, [](auto, auto y, auto) { return 1 - y * y; }, {}, 0, Channels::mixes,
          kMinusOneToOne),
      // alpha x + beta between 0 and 1
      row(
          F::hard_sigmoid, [](auto x, auto k) { return clipped(k.alpha * x + k.beta, decltype(x){0}, decltype(x){1}); },
          [](auto x, auto, auto k) -> decltype(x) {
            const auto inner = k.alpha * x + k.beta;
            return inner > 0 && inner < 1 ? k.alpha : 0;
          },
          {1.0 / 6, 0.5}, 2, Channels::mixes, kZeroToOne),
      row(
          F::hard_swish, [](auto x, auto) { return x * clipped(x + 3, decltype(x){0}, decltype(x){6}) / 6; },
          [](auto x, auto, auto) -> decltype(x) { return x < -3   ? 0
                                                         : x <= 3 ? x / 3 + decltype(x){0.5}
                                                                  : 1; }),
      row(
          F::silu, [](auto x, auto) { return x / (1 + std::exp(-x)); },
          [](auto x, auto, auto) {
            const auto s = logistic(x);
            return s * (1 + x * (1 - s));
          }),
      row(
          F::gelu, [](auto x, auto) { return x * normal_cdf(x); },
          [](auto x, auto, auto) {
            using T = decltype(x);
            const T density = static_cast<T>(std::numbers::inv_sqrtpi / std::numbers::sqrt2) * std::exp(-x * x / 2);
            return normal_cdf(x) + x * density;
          }),
      row(
          F::gelu_tanh, [](auto x, auto) { return x * (1 + std::tanh(gelu_inner(x))) / 2; },
          [](auto x, auto, auto) {
            using T = decltype(x);
            const T t = std::tanh(gelu_inner(x));
            const T slope = static_cast<T>(kSqrtTwoOverPi) * (1 + static_cast<T>(3 * 0.044715) * x * x);
            return (1 + t) / 2 + x * (1 - t * t) * slope / 2;
          }),
      // alpha (e^x - 1) below 0
      row(
          F::elu, [](auto x, auto k) { return x > 0 ? x : k.alpha * std::expm1(x); },
          [](auto x, auto y, auto k) -> decltype(x) { return x > 0 ? 1 : y + k.alpha; }, {1, 0}, 1),
      row(
          F::selu,
          [](auto x, auto) {
            using T = decltype(x);
            return static_cast<T>(kSeluScale) * (x > 0 ? x : static_cast<T>(kSeluAlpha) * std::expm1(x));
          },
          [](auto x, auto y, auto) -> decltype(x) {
            using T = decltype(x);
            return x > 0 ? static_cast<T>(kSeluScale) : y + static_cast<T>(kSeluScale * kSeluAlpha);
          }),
      // alpha (e^(x / alpha) - 1) below 0
      row(
          F::celu, [](auto x, auto k) { return x > 0 ? x : k.alpha * std::expm1(x / k.alpha); },
          [](auto x, auto, auto k) -> decltype(x) { return x > 0 ? 1 : std::exp(x / k.alpha); }, {1, 0}, 1),
      // alpha x below 0
      row(
          F::leaky_relu, [](auto x, auto k) { return x > 0 ? x : k.alpha * x; },
          [](auto x, auto, auto k) -> decltype(x) { return x > 0 ? 1 : k.alpha; }, {0.01, 0}, 1, Channels::scales),
      // ln(1 + e^(alpha x)) / alpha; x itself where alpha x exceeds beta
      row(
          F::softplus, [](auto x, auto k) { return softplus(x, k.alpha, k.beta); },
          [](auto x, auto, auto k) -> decltype(x) { return k.alpha * x > k.beta ? 1 : logistic(k.alpha * x); }, {1, 20}, 2),
      row(
          F::softsign, [](auto x, auto) { return x / (1 + std::abs(x)); },
          [](auto x, auto, auto) { return 1 / ((1 + std::abs(x)) * (1 + std::abs(x))); }),
      row(
          F::mish, [](auto x, auto) { return x * std::tanh(softplus(x, decltype(x){1}, decltype(x){20})); },
          [](auto x, auto, auto) {
            const auto t = std::tanh(softplus(x, decltype(x){1}, decltype(x){20}));
            return t + x * (1 - t * t) * logistic(x);
          }),
      row(
          F::exp, [](auto x, auto) { return std::exp(x); }, [](auto, auto y, auto) { return y; }),
      row(
          F::log, [](auto x, auto) { return std::log(x); }, [](auto x, auto, auto) { return 1 / x; }),
      row(
          F::sqrt, [](auto x, auto) { return std::sqrt(x); }, [](auto, auto y, auto) { return 1 / (2 * y); }),
      row(
          F::abs, [](auto x, auto) { return std::abs(x); },
          [](auto x, auto, auto) -> decltype(x) { return x > 0   ? 1
                                                         : x < 0 ? -1
                                                                 : 0; }, {}, 0, Channels::scales),
      row(
          // Channels scale through it, but it turns large values into small ones, which who moves biases could not bear.
          F::neg, [](auto x, auto) { return -x; }, [](auto x, auto, auto) -> decltype(x) { return -1; }),
      row(
          F::erf, [](auto x, auto) { return std::erf(x); },
          [](auto x, auto, auto) { return static_cast<decltype(x)>(2 * std::numbers::inv_sqrtpi) * std::exp(-x * x); }),
      row(
          F::sin, [](auto x, auto) { return std::sin(x); }, [](auto x, auto, auto) { return std::cos(x); }),
      row(
          F::cos, [](auto x, auto) { return std::cos(x); }, [](auto x, auto, auto) { return -std::sin(x); }),
      // Halves go to the even neighbour.
      row(
          F::round, [](auto x, auto) { return std::nearbyint(x); }, zero),
      row(
          F::floor, [](auto x, auto) { return std::floor(x); }, zero),
      row(
          F::ceil, [](auto x, auto) { return std::ceil(x); }, zero),
      row(
          F::sign, [](auto x, auto) -> decltype(x) { return x > 0   ? 1
                                                            : x < 0 ? -1
                                                                    : x; }, zero),
      row(
          F::reciprocal, [](auto x, auto) { return 1 / x; }, [](auto, auto y, auto) { return -y * y; }),
  };
}();
// NOLINTEND(readability-identifier-length)

static_assert(rows_are_complete<UnaryFn>(kUnaryRows));

}  // namespace octet
