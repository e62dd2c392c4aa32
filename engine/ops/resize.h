// SPDX-License-Identifier: Apache-2.0
// Pictures of another size whose values lie between those of the input.
#pragma once

#include "engine/ops/copy.h"

namespace octet {

/// N,H,W,C pictures of another size, each value interpolated between the four around its place, which is that of ResizeNearest,
/// moved into the picture (PyTorch's bilinear). half_pixel, an output of length 1: pytorch_half_pixel of ONNX
/// differs, it takes place 0.
struct ResizeLinear {
  Pair size;
  Coordinates coordinates = Coordinates::half_pixel;

  static constexpr std::string_view name = "resize_linear";
  static constexpr auto fields = std::tuple{Field{"size", &ResizeLinear::size}, Field{"coordinates", &ResizeLinear::coordinates}};
  bool operator==(const ResizeLinear&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::keep, .channels = Channels::scales, .part = Part::other}; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return false; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

}  // namespace octet
