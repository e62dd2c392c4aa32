// SPDX-License-Identifier: Apache-2.0
// The input rows under a convolution's windows, padding included: the image itself where nothing is padded, else a ring of rows in
// scratch memory, filled as the windows move down. Padding cells hold the zero point, which is folded into the start values.
#pragma once

#include "kernels/cortex_m/cortex_m.h"

namespace octet::cortex_m {

class PaddedRows {
 public:
  /// Rows that two windows hold which may lie in neighbouring output rows.
  static int32_t slots(const Conv2dArgs& a) { return a.kernel_h + a.stride_h; }
  static int32_t row_bytes(const Conv2dArgs& a) { return ((a.out_w - 1) * a.stride_w + a.kernel_w) * a.in_c; }
  /// `unit`: what kernel rows are read in; a kernel row that is no multiple of it is read a little beyond its end.
  static bool in_place(const Conv2dArgs& a, int32_t unit) {
    return a.kernel_w * a.in_c % unit == 0 && a.pad_top == 0 && a.pad_left == 0 &&
           (a.out_h - 1) * a.stride_h + a.kernel_h <= a.in_h && (a.out_w - 1) * a.stride_w + a.kernel_w <= a.in_w;
  }
  static int32_t bytes(const Conv2dArgs& a, int32_t unit) { return in_place(a, unit) ? 0 : slots(a) * row_bytes(a) + unit; }

  PaddedRows(const Conv2dArgs& a, int32_t unit, const int8_t* image, int8_t* ring)
      : a_(a), image_(image), ring_(ring), in_place_(in_place(a, unit)) {
    if (in_place_) {
      base_ = image;
      stride_ = a.in_w * a.in_c;
      size_ = stride_ * a.in_h;
      filled_ = a.in_h;
    } else {
      base_ = ring;
      stride_ = row_bytes(a);
      size_ = stride_ * slots(a);
      filled_ = 0;
      const int32_t left = a.pad_left * a.in_c, room = stride_ - left, row = a.in_w * a.in_c;
      left_ = left < stride_ ? left : stride_;
      copied_ = room < 0 ? 0 : room < row ? room : row;
    }
  }

  /// Starts with the first output row that will be asked for.
  void begin(int32_t out_row) {
    if (!in_place_) filled_ = out_row * a_.stride_h;
  }
  /// Makes the rows under output row `out_row` present. Rows come in order.
  void need(int32_t out_row) {
    for (const int32_t end = out_row * a_.stride_h + a_.kernel_h; filled_ < end; ++filled_) fill(filled_);
  }
  /// The first row under output row `out_row`.
  const int8_t* row(int32_t out_row) const {
    const int32_t at = out_row * a_.stride_h;
    return base_ + (in_place_ ? at : at % slots(a_)) * stride_;
  }
  int32_t stride() const { return stride_; }
  const int8_t* end() const { return base_ + size_; }
  int32_t size() const { return size_; }

 private:
  void fill(int32_t row) {
    int8_t* to = ring_ + row % slots(a_) * stride_;
    const int32_t y = row - a_.pad_top;
    const auto zero = static_cast<uint8_t>(a_.input_zero_point);
    if (y < 0 || y >= a_.in_h) {
      __builtin_memset(to, zero, static_cast<size_t>(stride_));
      return;
    }
    __builtin_memset(to, zero, static_cast<size_t>(left_));
    __builtin_memcpy(to + left_, image_ + y * a_.in_w * a_.in_c, static_cast<size_t>(copied_));
    __builtin_memset(to + left_ + copied_, zero, static_cast<size_t>(stride_ - left_ - copied_));
  }

  const Conv2dArgs& a_;
  const int8_t* image_;
  int8_t* ring_;
  const bool in_place_;  // no pointer tells: an image may lie where a ring of no bytes would
  const int8_t* base_;
  int32_t stride_, size_, filled_, left_ = 0, copied_ = 0;
};

}  // namespace octet::cortex_m
