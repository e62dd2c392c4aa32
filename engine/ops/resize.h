// SPDX-License-Identifier: Apache-2.0
// Pictures of another size: the nearest of the input's values, or one between them. ONNX's Resize of two axes but for its cubic
// mode, PyTorch's interpolate, TensorFlow Lite's RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR.
#pragma once

#include <optional>

#include "engine/ops/op.h"
#include "engine/ops/picked.h"

namespace octet {

enum class NearestMode : uint8_t { floor, ceil, round_prefer_floor, round_prefer_ceil };
enum class Coordinates : uint8_t {
  asymmetric,
  half_pixel,
  align_corners,
  pytorch_half_pixel,
  half_pixel_symmetric,
  tf_crop_and_resize
};
template <>
inline constexpr std::array<std::string_view, 4> kEnumNames<NearestMode>{"floor", "ceil", "round_prefer_floor",
                                                                         "round_prefer_ceil"};
template <>
inline constexpr std::array<std::string_view, 6> kEnumNames<Coordinates>{
    "asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric", "tf_crop_and_resize"};

/// How many output elements there are to one of the input, along each axis.
struct Scale {
  double h = 1, w = 1;
  static constexpr auto fields = std::tuple{Field{"h", &Scale::h}, Field{"w", &Scale::w}};
  bool operator==(const Scale&) const = default;
};

/// A part of the picture, whose first row is 0 and whose last is 1; it may reach beyond, and be upside down.
struct Region {
  double top = 0, left = 0, bottom = 1, right = 1;
  static constexpr auto fields = std::tuple{Field{"top", &Region::top}, Field{"left", &Region::left},
                                            Field{"bottom", &Region::bottom}, Field{"right", &Region::right}};
  bool operator==(const Region&) const = default;
};

/// What both kinds of resizing are told.
struct Resizing {
  Pair size;
  Coordinates coordinates;
  std::optional<Scale> scale;
  std::optional<Region> roi;
  std::optional<double> extrapolation;

  /// With what may be outside the input's range.
  bool fills() const { return extrapolation.value_or(0) != 0; }
};

/// N,H,W,C pictures of another size by the nearest position. Output element i of `out` lies, in float32, at
///   asymmetric            i / s                      (TensorFlow Lite's and PyTorch's nearest, with floor)
///   half_pixel            (i + 1/2) / s - 1/2        (PyTorch's nearest-exact, with round_prefer_ceil)
///   align_corners         i (in - 1) / (out - 1), 0 if out is 1; exact, but round_prefer_ceil takes TensorFlow Lite's
///                         f32(i * f32((in - 1) / (out - 1)))
///   pytorch_half_pixel    as half_pixel, 0 if out is 1
///   half_pixel_symmetric  as half_pixel, plus in/2 (1 - out / (in s)): the two margins that rounding `out` left are alike
///   tf_crop_and_resize    (in - 1) (begin + i (end - begin) / (out - 1)), halfway between begin and end if out is 1; what lies
///                         outside of the input is `extrapolation`
/// where s is `scale`, or out / in without one. A size of 0 is floor(in (end - begin) s).
struct ResizeNearest {
  Pair size;
  Coordinates coordinates = Coordinates::asymmetric;
  NearestMode nearest = NearestMode::floor;
  std::optional<Scale> scale{};
  std::optional<Region> roi{};            ///< of tf_crop_and_resize alone, as
  std::optional<double> extrapolation{};  ///< 0 if missing

  static constexpr std::string_view name = "resize_nearest";
  static constexpr auto fields =
      std::tuple{Field{"size", &ResizeNearest::size},       Field{"coordinates", &ResizeNearest::coordinates},
                 Field{"nearest", &ResizeNearest::nearest}, Field{"scale", &ResizeNearest::scale},
                 Field{"roi", &ResizeNearest::roi},         Field{"extrapolation", &ResizeNearest::extrapolation}};
  bool operator==(const ResizeNearest&) const = default;
  Resizing resizing() const { return {size, coordinates, scale, roi, extrapolation}; }
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    if (!resizing().fills()) return kMovesValues;
    return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::other};
  }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return false; }
  Pick pick(const Shape&, std::string_view path) const;
  std::vector<Shape> shapes(const ShapeCall& call) const { return shapes_of_pick(*this, call); }
  std::vector<Var> forward(const Call& call) const { return forward_of_pick(*this, call); }
  Lowered lower(const LowerCall& call) const { return lower_of_pick(*this, call); }
  LoweredFloats lower_float(const FloatLowerCall& call) const { return lower_float_of_pick(*this, call); }
};

/// The same, each value interpolated between the four around its place, moved into the picture (PyTorch's bilinear: half_pixel or
/// align_corners).
struct ResizeLinear {
  Pair size;
  Coordinates coordinates = Coordinates::half_pixel;
  std::optional<Scale> scale{};
  std::optional<Region> roi{};
  std::optional<double> extrapolation{};

  static constexpr std::string_view name = "resize_linear";
  static constexpr auto fields = std::tuple{Field{"size", &ResizeLinear::size}, Field{"coordinates", &ResizeLinear::coordinates},
                                            Field{"scale", &ResizeLinear::scale}, Field{"roi", &ResizeLinear::roi},
                                            Field{"extrapolation", &ResizeLinear::extrapolation}};
  bool operator==(const ResizeLinear&) const = default;
  Resizing resizing() const { return {size, coordinates, scale, roi, extrapolation}; }
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    const bool fills = resizing().fills();
    return {.codes = fills ? Codes::own : Codes::keep,
            .channels = fills ? Channels::mixes : Channels::scales,
            .part = Part::other,
            .pads = coordinates == Coordinates::tf_crop_and_resize};
  }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return false; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

}  // namespace octet
