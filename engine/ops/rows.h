// SPDX-License-Identifier: Apache-2.0
// Tables of functions: a tuple with a row for every value of an enum, in its order.
#pragma once

#include <optional>
#include <tuple>
#include <utility>

#include "engine/check.h"
#include "engine/ops/op.h"

namespace octet {

template <class Fn, class... Rows>
constexpr bool rows_are_complete(const std::tuple<Rows...>& rows) {
  size_t place = 0;
  bool ordered = true;
  std::apply([&](const auto&... row) { ((ordered &= static_cast<size_t>(row.fn) == place++), ...); }, rows);
  return ordered && place == kEnumNames<Fn>.size();
}

/// f(the row of fn), whose result is the same type for all rows. Throws for a value that has no row.
template <class Fn, class... Rows, class F>
auto with_row(const std::tuple<Rows...>& rows, Fn fn, F&& f) {
  using Result = decltype(f(std::get<0>(rows)));
  check(static_cast<size_t>(fn) < sizeof...(Rows), "unknown function ", static_cast<int>(fn));
  std::optional<Result> result;
  std::apply([&](const auto&... row) { ((row.fn == fn ? void(result.emplace(f(row))) : void()), ...); }, rows);
  return *std::move(result);
}

}  // namespace octet
