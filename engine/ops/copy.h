// SPDX-License-Identifier: Apache-2.0
// Operators that copy values by an index for each axis: padding, mirrored and repeated axes, constant indices.
#pragma once

#include "engine/ops/op.h"
#include "engine/ops/picked.h"

namespace octet {

enum class PadMode : uint8_t { constant, reflect, replicate, circular };

template <>
inline constexpr std::array<std::string_view, 4> kEnumNames<PadMode>{"constant", "reflect", "replicate", "circular"};

/// Elements put before and after each axis: a constant; the axis mirrored without its ends (reflect), its ends repeated
/// (replicate), or its other end (circular). Negative numbers take elements away.
struct Pad {
  Shape before, after;
  PadMode mode = PadMode::constant;
  double value = 0;

  static constexpr std::string_view name = "pad";
  static constexpr auto fields = std::tuple{Field{"before", &Pad::before}, Field{"after", &Pad::after}, Field{"mode", &Pad::mode},
                                            Field{"value", &Pad::value}};
  bool operator==(const Pad&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    const bool fills = mode == PadMode::constant && value != 0;  // with what may be outside the input's range
    return {.codes = fills ? Codes::own : Codes::keep, .channels = Channels::mixes, .part = Part::other, .selects = !fills};
  }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return order.reorder(before) && order.reorder(after); }
  Pick pick(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_pick(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_pick(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_pick(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_pick(*this, call); }
};

/// These axes the other way round.
struct Flip {
  Shape axes;

  static constexpr std::string_view name = "flip";
  static constexpr auto fields = std::tuple{Field{"axes", &Flip::axes}};
  bool operator==(const Flip&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return order.move(axes); }
  Pick pick(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_pick(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_pick(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_pick(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_pick(*this, call); }
};

/// Axis i moved on by shifts[i]; what leaves it at its end comes in at its begin.
struct Roll {
  Shape axes, shifts;

  static constexpr std::string_view name = "roll";
  static constexpr auto fields = std::tuple{Field{"axes", &Roll::axes}, Field{"shifts", &Roll::shifts}};
  bool operator==(const Roll&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return order.move(axes); }
  Pick pick(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_pick(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_pick(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_pick(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_pick(*this, call); }
};

/// Along an axis the elements of these indices; negative ones count from the end. Indices are part of the network.
struct Gather {
  int64_t axis = 0;
  Indices indices;

  static constexpr std::string_view name = "gather";
  static constexpr auto fields = std::tuple{Field{"axis", &Gather::axis}, Field{"indices", &Gather::indices}};
  bool operator==(const Gather&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return order.move(axis); }
  Pick pick(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_pick(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_pick(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_pick(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_pick(*this, call); }
};

/// Every axis repeated so often.
struct Tile {
  Shape repeats;

  static constexpr std::string_view name = "tile";
  static constexpr auto fields = std::tuple{Field{"repeats", &Tile::repeats}};
  bool operator==(const Tile&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return order.reorder(repeats); }
  Pick pick(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_pick(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_pick(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_pick(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_pick(*this, call); }
};

}  // namespace octet
