// SPDX-License-Identifier: Apache-2.0
// What the structs of operators are made of: attributes and the enums that several of them share.
#pragma once

#include <array>
#include <cmath>
#include <string_view>
#include <tuple>

#include "engine/op_call.h"
#include "engine/op_traits.h"

namespace octet {

struct Pair {
  int64_t h = 1, w = 1;
  bool operator==(const Pair&) const = default;
};
struct Pads {
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  bool operator==(const Pads&) const = default;
};
/// The same padding on all four sides.
constexpr Pads pad_all(int64_t n) { return {n, n, n, n}; }

enum class Activation : uint8_t { none, relu, relu6 };

/// Names of an enum's values in order: how files and messages spell them.
template <class E>
inline constexpr std::array<std::string_view, 0> kEnumNames{};
template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<Activation>{"none", "relu", "relu6"};
template <>
inline constexpr std::array<std::string_view, 4> kEnumNames<Rounding>{"real", "int_bias", "fixed_double", "fixed_single"};

/// Real-valued limits of an activation: relu is [0, inf), none is (-inf, inf).
struct Limits {
  float lo = -INFINITY, hi = INFINITY;
};
Limits limits(Activation);

/// One attribute of an operator: its name in files and where it lives.
template <class OpType, class T>
struct Field {
  std::string_view name;
  T OpType::*member;
};
template <class OpType, class T>
Field(const char*, T OpType::*) -> Field<OpType, T>;

}  // namespace octet
