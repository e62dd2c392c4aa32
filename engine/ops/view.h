// SPDX-License-Identifier: Apache-2.0
// Operators that move values and compute none: other shapes, orders, pieces, and joining them.
#pragma once

#include "engine/ops/op.h"
#include "engine/ops/strided.h"

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
  static bool remap_axes(const AxisOrder&) { return false; }
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
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& to) { return to.reorder(order) && to.move(order); }
  View view(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_view(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_view(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_view(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_view(*this, call); }
};

/// Pieces along an axis, an output each: `sizes` long, which add up to the axis.
struct Split {
  static constexpr size_t kMostPieces = 64;
  int64_t axis = 0;
  Indices sizes;

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
  bool remap_axes(const AxisOrder& order) { return order.move(axis); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// Along each of these axes the elements from start on, every step-th, up to end, which is left out. Negative numbers count from
/// the end, as in NumPy; what lies beyond is left out. Steps are positive; none given: 1.
struct Slice {
  Shape axes, starts, ends, steps{};

  static constexpr std::string_view name = "slice";
  static constexpr auto fields = std::tuple{Field{"axes", &Slice::axes}, Field{"starts", &Slice::starts},
                                            Field{"ends", &Slice::ends}, Field{"steps", &Slice::steps}};
  bool operator==(const Slice&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return order.move(axes); }
  View view(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_view(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_view(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_view(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_view(*this, call); }
};

/// Axes of length 1 taken out.
struct Squeeze {
  Shape axes;

  static constexpr std::string_view name = "squeeze";
  static constexpr auto fields = std::tuple{Field{"axes", &Squeeze::axes}};
  bool operator==(const Squeeze&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return false; }
  View view(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_view(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_view(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_view(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_view(*this, call); }
};

/// Axes of length 1 put in where the output has them.
struct Unsqueeze {
  Shape axes;

  static constexpr std::string_view name = "unsqueeze";
  static constexpr auto fields = std::tuple{Field{"axes", &Unsqueeze::axes}};
  bool operator==(const Unsqueeze&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return false; }
  View view(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_view(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_view(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_view(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_view(*this, call); }
};

/// Axes of length 1 repeated, and axes put in front: broadcast to this shape, -1 keeps an axis.
struct Expand {
  Shape shape;

  static constexpr std::string_view name = "expand";
  static constexpr auto fields = std::tuple{Field{"shape", &Expand::shape}};
  bool operator==(const Expand&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return order.reorder(shape); }
  View view(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_view(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_view(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_view(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_view(*this, call); }
};

/// N,H,W,C: blocks of channels become squares of block x block positions. The channels of a position follow each other (TensorFlow;
/// ONNX DCR), or with `crd` the positions of a channel (PyTorch's pixel_shuffle; ONNX CRD).
struct DepthToSpace {
  int64_t block = 2;
  bool crd = false;

  static constexpr std::string_view name = "depth_to_space";
  static constexpr auto fields = std::tuple{Field{"block", &DepthToSpace::block}, Field{"crd", &DepthToSpace::crd}};
  bool operator==(const DepthToSpace&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return false; }
  View view(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_view(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_view(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_view(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_view(*this, call); }
};

/// The inverse of DepthToSpace: squares of positions become channels.
struct SpaceToDepth {
  int64_t block = 2;
  bool crd = false;

  static constexpr std::string_view name = "space_to_depth";
  static constexpr auto fields = std::tuple{Field{"block", &SpaceToDepth::block}, Field{"crd", &SpaceToDepth::crd}};
  bool operator==(const SpaceToDepth&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return false; }
  View view(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_view(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_view(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_view(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_view(*this, call); }
};

/// Channels (the last axis) of `groups` groups dealt out one from each group in turn.
struct ChannelShuffle {
  int64_t groups = 1;

  static constexpr std::string_view name = "channel_shuffle";
  static constexpr auto fields = std::tuple{Field{"groups", &ChannelShuffle::groups}};
  bool operator==(const ChannelShuffle&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return kMovesValues; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder& order) { return order.keeps_last(); }
  View view(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_view(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_view(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_view(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_view(*this, call); }
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
  bool remap_axes(const AxisOrder& order) { return order.move(axis); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

}  // namespace octet
