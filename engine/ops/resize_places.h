// SPDX-License-Identifier: Apache-2.0
// Where the elements of a resized axis lie in the input.
#pragma once

#include "engine/ops/resize.h"

namespace octet {

/// `in` elements become `out`.
struct ResizedAxis {
  int64_t in, out;
  Coordinates coordinates;  ///< pytorch_half_pixel is one of the others, half_pixel_symmetric has a scale
  float scale;              ///< 0: none was given, or none is read
  float begin, end;

  /// At `at` - `less`: less is 0 or 1/2, so that what is rounded to nearest is `at` itself with halves counted up.
  struct Place {
    float at, less;
    float value() const { return at - less; }
  };
  Place place(int64_t i) const;
  /// What tf_crop_and_resize fills in.
  bool outside(Place) const;
};

struct ResizedAxes {
  ResizedAxis rows, columns;
  Shape output(const Shape& x) const { return {x[0], rows.out, columns.out, x[3]}; }
};

/// Throws naming `path` for attributes that contradict each other, and for sides of nothing or from `longest` up.
ResizedAxes resized_axes(const Resizing&, const Shape& x, std::string_view path, int64_t longest);

}  // namespace octet
