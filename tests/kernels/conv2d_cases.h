// SPDX-License-Identifier: Apache-2.0
// Descriptions of convolutions (dense, pointwise, strided, depthwise, grouped, dilated, unevenly padded, large) that every engine
// is tested on, and their accumulators by seven loops in 64-bit integers.
#pragma once

#include "tests/kernels/cases.h"

namespace octet::testing {

struct ConvShape {
  const char* name;
  int32_t batch, h, w, c, out_c, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left, bottom, right, groups;
};

inline constexpr ConvShape kConvShapes[] = {
    {"dense 3x3 same", 2, 6, 5, 8, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"dense 3x3, odd channels", 1, 5, 7, 5, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"first layer, one channel", 1, 7, 9, 1, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"first layer, three channels, stride 2", 1, 9, 8, 3, 16, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 1},
    {"1x1", 1, 4, 5, 17, 9, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1 stride 2", 2, 5, 5, 8, 4, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {"valid, tall kernel, strides 2 and 3", 1, 11, 10, 2, 5, 5, 2, 2, 3, 1, 1, 0, 0, 0, 0, 1},
    {"four different pads", 1, 5, 6, 3, 4, 4, 5, 1, 1, 1, 1, 3, 1, 2, 4, 1},
    {"padding beyond the kernel", 1, 2, 2, 3, 4, 2, 2, 1, 1, 1, 1, 3, 4, 3, 4, 1},
    {"stride jumps over the input's end", 1, 3, 3, 4, 4, 3, 3, 4, 4, 1, 1, 2, 2, 3, 3, 1},
    {"dilated 2x3", 1, 9, 11, 4, 6, 3, 3, 1, 1, 2, 3, 2, 3, 2, 3, 1},
    {"dilated and strided, uneven", 1, 10, 9, 3, 2, 3, 2, 2, 1, 3, 2, 4, 1, 0, 3, 1},
    {"grouped", 1, 5, 5, 12, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},
    {"grouped, dilated, stride 2", 1, 9, 9, 6, 9, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 3},
    {"depthwise 3x3", 1, 6, 5, 24, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 24},
    {"depthwise 3x3 stride 2, 70 channels", 1, 5, 4, 70, 70, 3, 3, 2, 2, 1, 1, 0, 1, 1, 0, 70},
    {"depthwise 5x4 dilated, uneven", 1, 9, 9, 13, 13, 5, 4, 1, 1, 2, 1, 4, 0, 3, 2, 13},
    {"depthwise 9x9 in small blocks", 1, 10, 4, 19, 19, 9, 9, 1, 1, 1, 1, 4, 4, 4, 4, 19},
    {"depthwise 25x25, beyond the stack block", 1, 26, 25, 3, 3, 25, 25, 1, 1, 1, 1, 0, 1, 0, 0, 3},
    {"depthwise with multiplier 3", 1, 5, 5, 4, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},
    {"one group of one", 1, 5, 5, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"window larger than the patch", 1, 4, 4, 80, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"channels larger than the patch", 1, 2, 2, 700, 3, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1},
    {"more output channels than a block", 1, 2, 3, 6, 131, 2, 2, 1, 1, 1, 1, 0, 1, 1, 0, 1},
    {"one output pixel", 1, 3, 3, 4, 7, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1},
};

inline int32_t extent(int32_t in, int32_t before, int32_t after, int32_t kernel, int32_t stride, int32_t dilation) {
  return (in + before + after - dilation * (kernel - 1) - 1) / stride + 1;
}

inline kernels::Conv2dArgs args_of(const ConvShape& s) {
  kernels::Conv2dArgs a{};
  a.batch = s.batch, a.in_h = s.h, a.in_w = s.w, a.in_c = s.c, a.out_c = s.out_c;
  a.kernel_h = s.kernel_h, a.kernel_w = s.kernel_w, a.stride_h = s.stride_h, a.stride_w = s.stride_w;
  a.dilation_h = s.dilation_h, a.dilation_w = s.dilation_w, a.pad_top = s.top, a.pad_left = s.left, a.groups = s.groups;
  a.out_h = extent(s.h, s.top, s.bottom, s.kernel_h, s.stride_h, s.dilation_h);
  a.out_w = extent(s.w, s.left, s.right, s.kernel_w, s.stride_w, s.dilation_w);
  return a;
}

inline std::vector<int64_t> accumulators(const kernels::Conv2dArgs& a, const std::vector<uint8_t>& x, const std::vector<int8_t>& w,
                                         const std::vector<int32_t>& weight_zero) {
  const int32_t in_group = a.in_c / a.groups, out_group = a.out_c / a.groups;
  std::vector<int64_t> acc;
  for (int32_t n = 0; n < a.batch; ++n)
    for (int32_t oy = 0; oy < a.out_h; ++oy)
      for (int32_t ox = 0; ox < a.out_w; ++ox)
        for (int32_t o = 0; o < a.out_c; ++o) {
          int64_t sum = 0;
          for (int32_t ky = 0; ky < a.kernel_h; ++ky)
            for (int32_t kx = 0; kx < a.kernel_w; ++kx)
              for (int32_t i = 0; i < in_group; ++i) {
                const int32_t y = oy * a.stride_h - a.pad_top + ky * a.dilation_h;
                const int32_t xx = ox * a.stride_w - a.pad_left + kx * a.dilation_w;
                if (y < 0 || y >= a.in_h || xx < 0 || xx >= a.in_w) continue;
                const int32_t c = o / out_group * in_group + i;
                const auto xi = static_cast<size_t>(((n * a.in_h + y) * a.in_w + xx) * a.in_c + c);
                const auto wi = static_cast<size_t>(((o * a.kernel_h + ky) * a.kernel_w + kx) * in_group + i);
                const int64_t zero = weight_zero.empty() ? 0 : weight_zero[static_cast<size_t>(o)];
                sum += int64_t{code_at(x.data(), xi, a.input_type) - a.input_zero_point} * (w[wi] - zero);
              }
          acc.push_back(sum);
        }
  return acc;
}

}  // namespace octet::testing
