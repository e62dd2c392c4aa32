// SPDX-License-Identifier: Apache-2.0
// What the structs of operators are made of: attributes and the enums that several of them share.
#pragma once

#include <array>
#include <cmath>
#include <string_view>
#include <tuple>

#include "engine/op_call.h"
#include "engine/op_traits.h"
#include "engine/ops/axis_order.h"

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

/// The clamp that an operator ends in: what is below lo becomes lo, what is above hi becomes hi.
struct Activation {
  float lo = -INFINITY, hi = INFINITY;
  bool operator==(const Activation&) const = default;
  static const Activation none, relu, relu6;
};
inline constexpr Activation Activation::none{};
inline constexpr Activation Activation::relu{0, INFINITY};
inline constexpr Activation Activation::relu6{0, 6};

/// What becomes of channels behind it: from zero up they scale, with an upper limit they are clipped; others shift.
constexpr Channels channels_of(Activation a) {
  if (a == Activation::none || a == Activation::relu) return Channels::scales;
  return a.lo == 0 ? Channels::clips : Channels::mixes;
}

/// Names of an enum's values in order: how files and messages spell them.
template <class E>
inline constexpr std::array<std::string_view, 0> kEnumNames{};
template <>
inline constexpr std::array<std::string_view, 4> kEnumNames<Rounding>{"real", "int_bias", "fixed_double", "fixed_single"};

/// Numbers that are no shape: however many.
struct Indices : std::vector<int64_t> {
  using vector::vector;
  Indices(std::vector<int64_t> values) : vector(std::move(values)) {}  // NOLINT(google-explicit-constructor)
};

/// One attribute of an operator: its name in files and where it lives.
template <class OpType, class T>
struct Field {
  std::string_view name;
  T OpType::*member;
};
template <class OpType, class T>
Field(const char*, T OpType::*) -> Field<OpType, T>;

}  // namespace octet
