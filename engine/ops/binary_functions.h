// SPDX-License-Identifier: Apache-2.0
// The functions of two elements, a row each: formula, both derivatives and the int8 kernel's kind, if it has one. A row is all that
// a function needs; broadcasting, loops, gradients, files and tests run over the rows.
#pragma once

#include <cmath>
#include <optional>
#include <tuple>

#include "engine/ops/elementwise.h"
#include "engine/ops/rows.h"
#include "kernels/args.h"

namespace octet {

/// value(a, b), and by_a(a, b, y) and by_b(a, b, y), its derivatives: of float or double. Without a kind it computes in float.
template <class Value, class ByA, class ByB>
struct BinaryRow {
  BinaryFn fn;
  Value value;
  ByA by_a;
  ByB by_b;
  std::optional<kernels::BinaryKind> kind;
};
template <class V, class A, class B>
constexpr BinaryRow<V, A, B> row(BinaryFn fn, V value, A by_a, B by_b, std::optional<kernels::BinaryKind> kind = {}) {
  return {fn, value, by_a, by_b, kind};
}

/// In the order of BinaryFn.
inline constexpr auto kBinaryRows = [] {
  using F = BinaryFn;
  using K = kernels::BinaryKind;
  const auto zero = [](auto a, auto, auto) -> decltype(a) { return 0; };
  const auto one = [](auto a, auto, auto) -> decltype(a) { return 1; };
  // Where both are equal each takes half, as in PyTorch.
  const auto if_less = [](auto a, auto b, auto) -> decltype(a) { return a < b ? 1 : a > b ? 0 : decltype(a){0.5}; };
  const auto if_more = [](auto a, auto b, auto) -> decltype(a) { return a > b ? 1 : a < b ? 0 : decltype(a){0.5}; };
  return std::tuple{
      row(
          F::add, [](auto a, auto b) { return a + b; }, one, one, K::add),
      row(
          F::sub, [](auto a, auto b) { return a - b; }, one, [](auto a, auto, auto) -> decltype(a) { return -1; }, K::sub),
      row(
          F::mul, [](auto a, auto b) { return a * b; }, [](auto, auto b, auto) { return b; }, [](auto a, auto, auto) { return a; },
          K::mul),
      row(
          F::div, [](auto a, auto b) { return a / b; }, [](auto, auto b, auto) { return 1 / b; },
          [](auto, auto b, auto y) { return -y / b; }),
      row(
          F::pow, [](auto a, auto b) { return std::pow(a, b); },
          [](auto a, auto b, auto) -> decltype(a) { return b == 0 ? 0 : b * std::pow(a, b - 1); },
          [](auto a, auto b, auto y) -> decltype(a) { return a == 0 && b >= 0 ? 0 : y * std::log(a); }),
      // A NaN in either comes out.
      row(
          F::minimum, [](auto a, auto b) { return a < b || a != a ? a : b; }, if_less, if_more, K::minimum),
      row(
          F::maximum, [](auto a, auto b) { return a > b || a != a ? a : b; }, if_more, if_less, K::maximum),
      // 1 where it holds, else 0
      row(
          F::equal, [](auto a, auto b) -> decltype(a) { return a == b; }, zero, zero),
      row(
          F::not_equal, [](auto a, auto b) -> decltype(a) { return a != b; }, zero, zero),
      row(
          F::less, [](auto a, auto b) -> decltype(a) { return a < b; }, zero, zero),
      row(
          F::less_equal, [](auto a, auto b) -> decltype(a) { return a <= b; }, zero, zero),
      row(
          F::greater, [](auto a, auto b) -> decltype(a) { return a > b; }, zero, zero),
      row(
          F::greater_equal, [](auto a, auto b) -> decltype(a) { return a >= b; }, zero, zero),
  };
}();

static_assert(rows_are_complete<BinaryFn>(kBinaryRows));

}  // namespace octet
