// SPDX-License-Identifier: Apache-2.0
// Reductions: many elements become one.
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

}  // namespace octet
