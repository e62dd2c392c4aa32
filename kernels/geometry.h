// SPDX-License-Identifier: Apache-2.0
// Sizes of convolutions and pools, shared by the float kernels of every precision.
#pragma once

#include <cstdint>

namespace octet {

/// NHWC convolution; the bottom and right padding follow from the output size.
struct ConvGeometry {
  int64_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
  int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, groups;
};

/// NHWC pooling. adaptive: window i is floor(i*in/out) .. ceil((i+1)*in/out), the kernel fields are unused.
struct PoolGeometry {
  int64_t batch, in_h, in_w, channels, out_h, out_w;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
  bool adaptive, count_include_pad;
};

/// Half-open range of input positions under one pooling window, and the divisor an average uses along this axis.
struct Window {
  int64_t begin, end, divisor;
};
/// Always inline: float kernels are built for several instruction sets, and a shared copy could be any of theirs.
[[gnu::always_inline]] constexpr Window pool_window(int64_t i, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                                                    int64_t pad_before, int64_t pad_after, bool adaptive, bool count_include_pad) {
  if (adaptive) {
    const int64_t begin = i * in / out, end = ((i + 1) * in + out - 1) / out;
    return {begin, end, end - begin};
  }
  const int64_t from = i * stride - pad_before;
  const int64_t to = from + kernel;
  const int64_t begin = from < 0 ? 0 : from, end = to > in ? in : to;
  const int64_t padded_to = to > in + pad_after ? in + pad_after : to;
  return {begin, end, count_include_pad ? padded_to - from : end - begin};
}

}  // namespace octet
