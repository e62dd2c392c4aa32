// SPDX-License-Identifier: Apache-2.0
// Operators that move values and compute none: other shapes, orders, pieces, and joining them.
#pragma once

#include "engine/ops/op.h"

namespace octet {

/// Same elements, other shape; one dimension may be -1 (inferred), 0 keeps the input's dimension at that place.
struct Reshape {
  Shape shape;

  static constexpr std::string_view name = "reshape";
  static constexpr auto fields = std::tuple{Field{"shape", &Reshape::shape}};
  bool operator==(const Reshape&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    return {.codes = Codes::keep, .channels = Channels::regroups, .part = Part::other, .selects = true, .keeps_mean = true};
  }
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// Axes permuted: output axis i is input axis order[i].
struct Transpose {
  Shape order;

  static constexpr std::string_view name = "transpose";
  static constexpr auto fields = std::tuple{Field{"order", &Transpose::order}};
  bool operator==(const Transpose&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::keep, .channels = Channels::mixes, .part = Part::other, .selects = true}; }
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// Pieces along an axis, an output each: `sizes` long, which add up to the axis.
struct Split {
  static constexpr size_t kMostPieces = 64;
  int64_t axis = 0;
  Shape sizes;

  static constexpr std::string_view name = "split";
  static constexpr auto fields = std::tuple{Field{"axis", &Split::axis}, Field{"sizes", &Split::sizes}};
  bool operator==(const Split&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    return {.codes = Codes::keep,
            .channels = Channels::mixes,
            .part = Part::other,
            .outputs = static_cast<int>(sizes.size()),
            .selects = true};
  }
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// Tensors joined along an axis.
struct Concat {
  int64_t axis = 0;

  static constexpr std::string_view name = "concat";
  static constexpr auto fields = std::tuple{Field{"axis", &Concat::axis}};
  bool operator==(const Concat&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::other, .wires = -1, .selects = true};
  }
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

}  // namespace octet
