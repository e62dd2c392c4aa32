// SPDX-License-Identifier: Apache-2.0
// The functions of many elements, a row each: formula, derivative and the int8 kernel's kind, if it has one. A row is all that a
// function needs.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "engine/ops/reduce.h"
#include "engine/ops/rows.h"
#include "kernels/args.h"

namespace octet {

/// value(x) of a non-empty span of floats or doubles, summed in binary64; derivative(x, y, i): of y = value(x) by x[i]. Without a
/// kind it computes in float.
template <class Value, class Derivative>
struct ReduceRow {
  ReduceFn fn;
  Value value;
  Derivative derivative;
  std::optional<kernels::ReduceKind> kind;
};
template <class V, class D>
constexpr ReduceRow<V, D> row(ReduceFn fn, V value, D derivative, std::optional<kernels::ReduceKind> kind = {}) {
  return {fn, value, derivative, kind};
}

namespace functions {

template <class T, class F>
double summed(std::span<const T> x, F f) {
  double sum = 0;
  for (const T v : x) sum += f(static_cast<double>(v));
  return sum;
}
/// Of equal extremes each takes its share of the gradient, as in PyTorch.
template <class T>
T share(std::span<const T> x, T y, size_t i) {
  return x[i] == y ? 1 / static_cast<T>(std::ranges::count(x, y)) : 0;
}
template <class T>
T extreme(std::span<const T> x, bool largest) {
  T y = x[0];
  for (const T v : x)
    if (v != v || (largest ? v > y : v < y)) y = v;
  return y;
}

}  // namespace functions

/// In the order of ReduceFn.
inline constexpr auto kReduceRows = [] {
  using namespace functions;  // NOLINT(google-build-using-namespace)
  using F = ReduceFn;
  using K = kernels::ReduceKind;
  return std::tuple{
      row(
          F::mean,
          []<class T>(std::span<const T> x) {
            return static_cast<T>(summed(x, [](double v) { return v; }) / static_cast<double>(x.size()));
          },
          []<class T>(std::span<const T> x, T, size_t) { return 1 / static_cast<T>(x.size()); }, K::mean),
      row(
          F::sum, []<class T>(std::span<const T> x) { return static_cast<T>(summed(x, [](double v) { return v; })); },
          []<class T>(std::span<const T>, T, size_t) { return T{1}; }, K::sum),
      row(
          F::max, []<class T>(std::span<const T> x) { return extreme(x, true); },
          []<class T>(std::span<const T> x, T y, size_t i) { return share(x, y, i); }, K::max),
      row(
          F::min, []<class T>(std::span<const T> x) { return extreme(x, false); },
          []<class T>(std::span<const T> x, T y, size_t i) { return share(x, y, i); }, K::min),
      row(
          F::prod,
          []<class T>(std::span<const T> x) {
            double product = 1;
            for (const T v : x) product *= static_cast<double>(v);
            return static_cast<T>(product);
          },
          []<class T>(std::span<const T> x, T, size_t i) {
            double others = 1;
            for (size_t j = 0; j < x.size(); ++j)
              if (j != i) others *= static_cast<double>(x[j]);
            return static_cast<T>(others);
          }),
      row(
          F::l1, []<class T>(std::span<const T> x) { return static_cast<T>(summed(x, [](double v) { return std::abs(v); })); },
          []<class T>(std::span<const T> x, T, size_t i) {
            return static_cast<T>(x[i] > 0 ? 1 : x[i] < 0 ? -1 : 0);
          }),
      row(
          F::l2, []<class T>(std::span<const T> x) { return static_cast<T>(std::sqrt(summed(x, [](double v) { return v * v; }))); },
          []<class T>(std::span<const T> x, T y, size_t i) { return y == 0 ? T{0} : x[i] / y; }),
      row(
          F::log_sum_exp,
          []<class T>(std::span<const T> x) {
            const double most = static_cast<double>(extreme(x, true));
            if (!std::isfinite(most)) return static_cast<T>(most);
            return static_cast<T>(most + std::log(summed(x, [&](double v) { return std::exp(v - most); })));
          },
          []<class T>(std::span<const T> x, T y, size_t i) { return std::exp(x[i] - y); }),
  };
}();

static_assert(rows_are_complete<ReduceFn>(kReduceRows));

}  // namespace octet
