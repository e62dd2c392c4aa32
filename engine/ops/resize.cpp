// SPDX-License-Identifier: Apache-2.0
// Places of resized elements, in ONNX Runtime's steps of float32 where a scale is given and in TensorFlow Lite's and PyTorch's
// where it is not; ResizeNearest, which picks there.
#include <algorithm>
#include <cmath>

#include "engine/check.h"
#include "engine/ops/resize_places.h"

namespace octet {
namespace {

/// Beyond these no place could be told from its neighbour, and products would leave float32.
constexpr double kLargestScale = 1 << 24, kLargestRegion = 1 << 20;

/// Coordinates that give the same places are the same, and so are their integers in the fixed roundings.
ResizedAxis resized_axis(const Resizing& r, int64_t in, int64_t size, double scale, double begin, double end, int64_t longest) {
  ResizedAxis axis{in, size, r.coordinates, static_cast<float>(scale), static_cast<float>(begin), static_cast<float>(end)};
  if (size == 0 && r.scale) {
    const float length = std::floor(static_cast<float>(in) * (axis.end - axis.begin) * axis.scale);
    axis.out = static_cast<int64_t>(std::clamp(length, 0.0F, static_cast<float>(longest)));
  }
  if (r.coordinates == Coordinates::align_corners) axis.scale = 0;
  if (r.coordinates == Coordinates::pytorch_half_pixel)
    axis.coordinates = axis.out == 1 ? Coordinates::asymmetric : Coordinates::half_pixel;
  if (r.coordinates == Coordinates::half_pixel_symmetric && !r.scale) axis.coordinates = Coordinates::half_pixel;
  return axis;
}

/// The whole number nearest to the place.
int64_t nearest_to(ResizedAxis::Place p, NearestMode mode) {
  switch (mode) {
    case NearestMode::floor: return static_cast<int64_t>(std::floor(p.value()));
    case NearestMode::ceil: return static_cast<int64_t>(std::ceil(p.value()));
    // In binary64, where the sum is exact: the number below 1/2 plus 1/2 would be 1.
    case NearestMode::round_prefer_floor: return static_cast<int64_t>(std::ceil(double{p.at} - (double{p.less} + 0.5)));
    case NearestMode::round_prefer_ceil: return static_cast<int64_t>(std::floor(double{p.at} + (0.5 - double{p.less})));
  }
  return 0;
}

/// Of align_corners, where a float32 next to a whole number would be another one. round_prefer_ceil is TensorFlow Lite's
/// RESIZE_NEAREST_NEIGHBOR, and its float32 steps count.
int64_t exactly_nearest(const ResizedAxis& axis, int64_t i, NearestMode mode) {
  const int64_t top = i * (axis.in - 1), bottom = std::max<int64_t>(axis.out - 1, 1);
  switch (mode) {
    case NearestMode::floor: return top / bottom;
    case NearestMode::ceil: return (top + bottom - 1) / bottom;
    case NearestMode::round_prefer_floor: return (2 * top + bottom - 1) / (2 * bottom);
    case NearestMode::round_prefer_ceil: break;
  }
  return nearest_to(axis.place(i), mode);
}

}  // namespace

ResizedAxis::Place ResizedAxis::place(int64_t i) const {
  const float at = static_cast<float>(i), from = static_cast<float>(in), to = static_cast<float>(out);
  const auto back = [&](float x) { return scale > 0 ? x / scale : x * (from / to); };
  switch (coordinates) {
    case Coordinates::asymmetric: return {back(at), 0};
    case Coordinates::align_corners: return {out > 1 ? at * ((from - 1) / (to - 1)) : 0, 0};
    case Coordinates::pytorch_half_pixel:
    case Coordinates::half_pixel: return {back(at + 0.5F), 0.5F};
    case Coordinates::half_pixel_symmetric: return {from / 2 * (1 - to / (scale * from)) + back(at + 0.5F), 0.5F};
    case Coordinates::tf_crop_and_resize:
      if (out == 1) return {0.5F * (begin + end) * (from - 1), 0};
      return {begin * (from - 1) + at * (end - begin) * (from - 1) / (to - 1), 0};
  }
  return {};
}

bool ResizedAxis::outside(Place p) const {
  return coordinates == Coordinates::tf_crop_and_resize && (p.at < 0 || p.at > static_cast<float>(in - 1));
}

ResizedAxes resized_axes(const Resizing& r, const Shape& x, std::string_view path, int64_t longest) {
  check(x.size() == 4 && x[1] > 0 && x[2] > 0, path, ": expected N,H,W,C, got shape ", to_string(x));
  check(r.coordinates <= Coordinates::tf_crop_and_resize, path, ": unknown kind of resizing");
  const bool crops = r.coordinates == Coordinates::tf_crop_and_resize;
  check(r.roi || !crops, path, ": tf_crop_and_resize without a roi");
  check(crops || (!r.roi && !r.extrapolation), path, ": ", kEnumNames<Coordinates>[static_cast<size_t>(r.coordinates)],
        " takes neither roi nor extrapolation");
  check(std::isfinite(static_cast<float>(r.extrapolation.value_or(0))), path, ": extrapolation with ", r.extrapolation.value_or(0));
  const Scale scale = r.scale.value_or(Scale{0, 0});
  for (const double s : {scale.h, scale.w})
    check(!r.scale || (s >= 1 / kLargestScale && s <= kLargestScale), path, ": resized by ", s, ", expected a scale up to 2^24");
  const Region roi = r.roi.value_or(Region{});
  for (const double side : {roi.top, roi.left, roi.bottom, roi.right})
    check(std::abs(side) <= kLargestRegion, path, ": a roi to ", side, ", expected 2^20 at most");
  const ResizedAxes axes{resized_axis(r, x[1], r.size.h, scale.h, roi.top, roi.bottom, longest),
                         resized_axis(r, x[2], r.size.w, scale.w, roi.left, roi.right, longest)};
  const int64_t h = axes.rows.out, w = axes.columns.out;
  check(h > 0 && w > 0 && h < longest && w < longest, path, ": ", x[1], "x", x[2], " resized to ", h, "x", w);
  return axes;
}

Pick ResizeNearest::pick(const Shape& x, std::string_view path) const {
  constexpr int64_t kLongest = int64_t{1} << 24;  // what a file claims is not to be allocated
  check(nearest <= NearestMode::round_prefer_ceil, path, ": unknown kind of resizing");
  const ResizedAxes axes = resized_axes(resizing(), x, path, kLongest);
  check_picked_shape(axes.output(x), path);
  const auto chosen = [&](const ResizedAxis& axis) {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < axis.out; ++i) {
      const ResizedAxis::Place p = axis.place(i);
      const bool corners = axis.coordinates == Coordinates::align_corners;
      const int64_t at = corners ? exactly_nearest(axis, i, nearest) : nearest_to(p, nearest);
      all.push_back(axis.outside(p) ? -1 : std::clamp<int64_t>(at, 0, axis.in - 1));
    }
    return all;
  };
  return {{all_of(x[0]), chosen(axes.rows), chosen(axes.columns), all_of(x[3])}, extrapolation.value_or(0)};
}

}  // namespace octet
