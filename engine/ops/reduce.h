// SPDX-License-Identifier: Apache-2.0
// Reductions: many elements become one, or a few; and where they were.
#pragma once

#include "engine/ops/op.h"

namespace octet {

enum class ReduceFn : uint8_t { mean, sum, max, min, prod, l1, l2, log_sum_exp };

template <>
inline constexpr std::array<std::string_view, 8> kEnumNames<ReduceFn>{"mean", "sum", "max", "min",
                                                                      "prod", "l1",  "l2",  "log_sum_exp"};

/// One value for all elements along these axes; no axes: along all. keepdims leaves axes of length 1 in their place.
struct Reduce {
  ReduceFn fn = ReduceFn::mean;
  Shape axes{};
  bool keepdims = false;

  static constexpr std::string_view name = "reduce";
  static constexpr auto fields =
      std::tuple{Field{"fn", &Reduce::fn}, Field{"axes", &Reduce::axes}, Field{"keepdims", &Reduce::keepdims}};
  bool operator==(const Reduce&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const;
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return keepdims && order.move(axes); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

/// Where along an axis (negative: from the end) the largest element is, or the smallest: its index as a number. Of equal ones the
/// first, or with select_last the last; NaN counts as the largest and, for the smallest, as that. Computes in float.
struct ArgReduce {
  bool smallest = false;
  int64_t axis = -1;
  bool keepdims = false, select_last = false;

  static constexpr std::string_view name = "arg_reduce";
  static constexpr auto fields = std::tuple{Field{"smallest", &ArgReduce::smallest}, Field{"axis", &ArgReduce::axis},
                                            Field{"keepdims", &ArgReduce::keepdims}, Field{"select_last", &ArgReduce::select_last}};
  bool operator==(const ArgReduce&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::other, .decides = 0}; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return keepdims && order.move(axis); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
};

/// The k largest elements along an axis (negative: from the end), or the smallest, in order, and as a second output their indices
/// as numbers. Equal elements keep their order; NaN counts as the largest. Computes in float.
struct TopK {
  int64_t k = 1, axis = -1;
  bool smallest = false;

  static constexpr std::string_view name = "topk";
  static constexpr auto fields = std::tuple{Field{"k", &TopK::k}, Field{"axis", &TopK::axis}, Field{"smallest", &TopK::smallest}};
  bool operator==(const TopK&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::other, .outputs = 2, .decides = 1};
  }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return order.move(axis); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
};

}  // namespace octet
