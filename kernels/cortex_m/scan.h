// SPDX-License-Identifier: Apache-2.0
// The direction in which a depthwise layer is scanned: what packing (its weights may be transposed) and the kernels share.
#pragma once

#include "kernels/cortex_m/cortex_m.h"

namespace octet::cortex_m {

constexpr int32_t kSlice = 16;  ///< channels whose lines are in scratch memory at once

/// A depthwise layer along (u) and across (v) its scan; strides of buffers in bytes.
struct Scan {
  bool columns;  ///< the scan runs down the columns
  int32_t in_u, in_v, out_u, out_v, stride_u, stride_v, pad_u, pad_v;
  int32_t input_u, input_v, output_u, output_v;

  /// Along the direction that leaves fewer outputs of a block of four to be computed twice.
  explicit Scan(const Conv2dArgs& a) {
    const int32_t along_rows = round_up(a.out_w, 4) * a.out_h, along_columns = round_up(a.out_h, 4) * a.out_w;
    columns = along_columns < along_rows && a.stride_h <= 2;
    const int32_t c = a.in_c, row = a.in_w * c, out_row = a.out_w * c;
    in_u = columns ? a.in_h : a.in_w, in_v = columns ? a.in_w : a.in_h;
    out_u = columns ? a.out_h : a.out_w, out_v = columns ? a.out_w : a.out_h;
    stride_u = columns ? a.stride_h : a.stride_w, stride_v = columns ? a.stride_w : a.stride_h;
    pad_u = columns ? a.pad_top : a.pad_left, pad_v = columns ? a.pad_left : a.pad_top;
    input_u = columns ? row : c, input_v = columns ? c : row;
    output_u = columns ? out_row : c, output_v = columns ? c : out_row;
  }
  /// Columns of a line in scratch memory: what the windows of at least one block of four see.
  int32_t line() const { return ((out_u < 4 ? 4 : out_u) - 1) * stride_u + 3; }
};

}  // namespace octet::cortex_m
