// SPDX-License-Identifier: Apache-2.0
// Walking an output of up to six axes row by row: a row is what lies along the last axis.
#pragma once

#include "kernels/args.h"

namespace octet::kernels {

/// Steps [begin, end) of the first axis, all of the others but the last. With one axis there is one row, from begin to end.
class Rows {
 public:
  Rows(int32_t rank, const int32_t* shape, int32_t begin, int32_t end) : shape_(shape), last_(rank - 1), end_(end) {
    index_[0] = begin;
    length_ = last_ == 0 ? end - begin : shape[last_];
    per_step_ = last_ == 0 ? 1 : static_cast<size_t>(shape[last_]);
    for (int32_t axis = 1; axis < last_; ++axis) per_step_ *= static_cast<size_t>(shape[axis]);
    more_ = begin < end && per_step_ != 0;
    row_ = static_cast<size_t>(begin) * per_step_;
  }

  bool more() const { return more_; }
  int32_t length() const { return length_; }
  int32_t index(int32_t axis) const { return index_[axis]; }
  /// The row's first element in the packed output, and in an input with these steps.
  size_t output() const { return row_; }
  size_t input(const int32_t* stride) const {
    size_t at = 0;
    for (int32_t axis = 0; axis <= (last_ == 0 ? 0 : last_ - 1); ++axis)
      at += static_cast<size_t>(index_[axis]) * static_cast<size_t>(stride[axis]);
    return at;
  }

  void next() {
    row_ += static_cast<size_t>(length_);
    int32_t axis = last_ - 1;  // next index of all axes but the last
    while (axis > 0 && ++index_[axis] == shape_[axis]) index_[axis--] = 0;
    if (axis <= 0) more_ = last_ != 0 && ++index_[0] != end_;
  }

 private:
  const int32_t* shape_;
  int32_t index_[6] = {};
  int32_t last_, end_, length_;
  size_t per_step_, row_;
  bool more_;
};

}  // namespace octet::kernels
