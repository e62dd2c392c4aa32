// SPDX-License-Identifier: Apache-2.0
// Values that a model holds itself: a tensor, and rows of one by their number.
#pragma once

#include "engine/ops/op.h"

namespace octet {

/// A tensor that the model holds, whatever comes in; it is trained as any parameter. params: value.
struct Constant {
  Shape shape;

  static constexpr std::string_view name = "constant";
  static constexpr auto fields = std::tuple{Field{"shape", &Constant::shape}};
  bool operator==(const Constant&) const = default;
  std::vector<Param> params() const { return {{"value", shape, Role::gain}}; }
  Traits traits() const { return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::other, .wires = 0}; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder& order) { return order.is_identity(); }  // or its parameter would be another
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables tables(const LowerCall&) const;
  Lowered lower(const LowerCall&) const;
  ModuleTables float_tables(const FloatLowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// Rows of a table by their numbers (whole ones in 0..count - 1, of any shape), along a new last axis. params: weight [count,
/// features]. Computes in float.
struct Embedding {
  int64_t count = 0, features = 0;

  static constexpr std::string_view name = "embedding";
  static constexpr auto fields = std::tuple{Field{"count", &Embedding::count}, Field{"features", &Embedding::features}};
  bool operator==(const Embedding&) const = default;
  std::vector<Param> params() const { return {{"weight", {count, features}, Role::gain}}; }
  Traits traits() const { return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::other, .exact = 0}; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder& order) { return order.is_identity(); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
};

}  // namespace octet
