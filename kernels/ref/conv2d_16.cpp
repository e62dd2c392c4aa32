// SPDX-License-Identifier: Apache-2.0
// Convolution of 16-bit codes and int8 weights, NHWC input and O,kH,kW,I/groups weights: one output row a unit. The zero point is
// 0, so that taps in the padding are left out and the others are read where they lie.
#include "kernels/ref/taps.h"
#include "kernels/ref/weighted_16.h"

namespace octet::kernels {
namespace {

constexpr int32_t kWeights16 = 576;  // of a block of depthwise channels, on the stack
constexpr int32_t kPatch16 = 576;    // codes of a window there: 3x3 over 64 channels

/// One output row: everything its pixels share.
struct Row16 {
  const Conv2dArgs& a;
  const Buffers& d;
  int32_t group_in, group_out, window;  ///< channels of a group in and out, weights of one output channel
  const int16_t* image;
  Taps y;
  int16_t* out;

  Row16(const Conv2dArgs& args, const Buffers& data, int32_t unit)
      : a(args),
        d(data),
        group_in(a.in_c / a.groups),
        group_out(a.out_c / a.groups),
        window(a.kernel_h * a.kernel_w * group_in),
        image(wide(d.input) + static_cast<size_t>(unit / a.out_h) * static_cast<size_t>(a.in_h) * line()),
        y(unit % a.out_h, a.stride_h, a.pad_top, a.dilation_h, a.kernel_h, a.in_h),
        out(wide(d.output) + static_cast<size_t>(unit) * static_cast<size_t>(a.out_w) * static_cast<size_t>(a.out_c)) {}

  size_t line() const { return static_cast<size_t>(a.in_w) * static_cast<size_t>(a.in_c); }
  Taps taps_x(int32_t ox) const { return {ox, a.stride_w, a.pad_left, a.dilation_w, a.kernel_w, a.in_w}; }
  const int16_t* input(int32_t ky, const Taps& x, int32_t kx) const {
    return image + static_cast<size_t>(y.origin + ky * a.dilation_h) * line() +
           static_cast<size_t>(x.origin + kx * a.dilation_w) * static_cast<size_t>(a.in_c);
  }
  const int8_t* weight(int32_t channel) const { return d.weight + static_cast<size_t>(channel) * static_cast<size_t>(window); }
};

/// The window of one output pixel and group in one piece; taps in the padding are zero.
void gather(const Row16& row, const Taps& x, int32_t first_channel, int16_t* patch) {
  const int32_t n = row.group_in;
  for (int32_t ky = 0; ky < row.a.kernel_h; ++ky)
    for (int32_t kx = 0; kx < row.a.kernel_w; ++kx, patch += n) {
      const bool inside = ky >= row.y.begin && ky < row.y.end && kx >= x.begin && kx < x.end;
      const int16_t* from = inside ? row.input(ky, x, kx) + first_channel : nullptr;
      for (int32_t i = 0; i < n; ++i) patch[i] = inside ? from[i] : int16_t{0};
    }
}

/// All taps of one output pixel for `outputs` channels of a group; those of a kernel row are one run where they lie so.
void accumulate_window(const Row16& row, const Taps& x, int32_t first_channel, int32_t channel, int32_t outputs, int64_t* acc) {
  const bool whole_rows = row.a.groups == 1 && row.a.dilation_w == 1;
  for (int32_t ky = row.y.begin; ky < row.y.end; ++ky) {
    const int8_t* weight = row.weight(channel) + ky * row.a.kernel_w * row.group_in;
    if (whole_rows && x.begin < x.end) {
      accumulate_16(row.input(ky, x, x.begin), (x.end - x.begin) * row.group_in, weight + x.begin * row.group_in, row.window,
                    outputs, acc);
      continue;
    }
    for (int32_t kx = x.begin; kx < x.end; ++kx)
      accumulate_16(row.input(ky, x, kx) + first_channel, row.group_in, weight + kx * row.group_in, row.window, outputs, acc);
  }
}

void dense_row(const Row16& row) {
  int16_t patch[kPatch16];
  int64_t acc[kBlock16];
  const bool gathers = row.a.kernel_h > 1 && row.window <= kPatch16;
  for (int32_t ox = 0; ox < row.a.out_w; ++ox) {
    const Taps x = row.taps_x(ox);
    int16_t* pixel = row.out + static_cast<size_t>(ox) * static_cast<size_t>(row.a.out_c);
    for (int32_t g = 0; g < row.a.groups; ++g) {
      if (gathers) gather(row, x, g * row.group_in, patch);
      for (int32_t o = 0; o < row.group_out; o += kBlock16) {
        const int32_t channel = g * row.group_out + o, n = smaller(kBlock16, row.group_out - o);
        for (int32_t i = 0; i < n; ++i) acc[i] = 0;
        if (gathers)
          accumulate_16(patch, row.window, row.weight(channel), row.window, n, acc);
        else
          accumulate_window(row, x, g * row.group_in, channel, n, acc);
        finish_16(acc, n, row.d.channels, channel, row.a.output, pixel + channel);
      }
    }
  }
}

void accumulate_channels(const int16_t* __restrict x, const int8_t* __restrict w, int32_t n, int32_t* __restrict sum) {
  for (int32_t i = 0; i < n; ++i) sum[i] += x[i] * static_cast<int16_t>(w[i]);
}

/// One channel in, one out in every group, at most kRun16 taps: blocks of channels with their weights turned, weights[tap * n + i].
void depthwise_row(const Row16& row) {
  int8_t weights[kWeights16];
  int32_t sum[kBlock16];
  int64_t acc[kBlock16];
  const int32_t block = smaller(kBlock16, kWeights16 / row.window);
  for (int32_t c = 0; c < row.a.out_c; c += block) {
    const int32_t n = smaller(block, row.a.out_c - c);
    for (int32_t i = 0; i < n; ++i)
      for (int32_t tap = 0; tap < row.window; ++tap) weights[tap * n + i] = row.weight(c + i)[tap];
    for (int32_t ox = 0; ox < row.a.out_w; ++ox) {
      const Taps x = row.taps_x(ox);
      for (int32_t i = 0; i < n; ++i) sum[i] = 0;
      for (int32_t ky = row.y.begin; ky < row.y.end; ++ky)
        for (int32_t kx = x.begin; kx < x.end; ++kx)
          accumulate_channels(row.input(ky, x, kx) + c, weights + (ky * row.a.kernel_w + kx) * n, n, sum);
      for (int32_t i = 0; i < n; ++i) acc[i] = sum[i];
      finish_16(acc, n, row.d.channels, c, row.a.output, row.out + static_cast<size_t>(ox) * static_cast<size_t>(row.a.out_c) + c);
    }
  }
}

}  // namespace

void conv2d_16(const Conv2dArgs& a, const Buffers& d, int32_t begin, int32_t end) {
  const bool depthwise = a.groups == a.in_c && a.groups == a.out_c && a.kernel_h * a.kernel_w <= kRun16;
  for (int32_t unit = begin; unit < end; ++unit) {
    const Row16 row(a, d, unit);
    if (depthwise)
      depthwise_row(row);
    else
      dense_row(row);
  }
}

}  // namespace octet::kernels
