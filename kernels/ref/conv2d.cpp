// SPDX-License-Identifier: Apache-2.0
// Quantized convolution, NHWC input and O,kH,kW,I/groups weights: one output row a unit. Padding counts as the input zero point, so
// as nothing. Dense and grouped convolutions gather an output pixel's window and take one dot product per output channel; depthwise
// ones keep a block of weights transposed and run along the channels.
#include "kernels/ref/taps.h"
#include "kernels/ref/weighted.h"

namespace octet::kernels {
namespace {

/// One output row: everything its pixels share.
struct Row {
  const Conv2dArgs& a;
  const Buffers& d;
  int32_t group_in, group_out, window;  ///< channels of a group in and out, weights of one output channel
  const uint8_t* image;
  Taps y;
  size_t out;  ///< offset of the row's first code
  Codes codes;

  Row(const Conv2dArgs& args, const Buffers& data, int32_t unit)
      : a(args),
        d(data),
        group_in(a.in_c / a.groups),
        group_out(a.out_c / a.groups),
        window(a.kernel_h * a.kernel_w * group_in),
        image(bytes(d.input) + static_cast<size_t>(unit / a.out_h) * static_cast<size_t>(a.in_h) * row_bytes()),
        y(unit % a.out_h, a.stride_h, a.pad_top, a.dilation_h, a.kernel_h, a.in_h),
        out(static_cast<size_t>(unit) * static_cast<size_t>(a.out_w) * static_cast<size_t>(a.out_c)),
        codes(a.input_type, a.input_zero_point) {}

  size_t row_bytes() const { return static_cast<size_t>(a.in_w) * static_cast<size_t>(a.in_c); }
  Taps taps_x(int32_t ox) const { return {ox, a.stride_w, a.pad_left, a.dilation_w, a.kernel_w, a.in_w}; }
  const uint8_t* input(int32_t ky, const Taps& x, int32_t kx) const {
    return image + static_cast<size_t>(y.origin + ky * a.dilation_h) * row_bytes() +
           static_cast<size_t>(x.origin + kx * a.dilation_w) * static_cast<size_t>(a.in_c);
  }
  const int8_t* weight(int32_t channel) const { return d.weight + static_cast<size_t>(channel) * static_cast<size_t>(window); }
  const int32_t* weight_zero(int32_t channel) const {
    return d.channels.weight_zero_point == nullptr ? nullptr : d.channels.weight_zero_point + channel;
  }
};

template <Rounding R>
void write(const Row& row, int32_t ox, int32_t channel, const int32_t* acc, int32_t n) {
  const Conv2dArgs& a = row.a;
  const size_t at = row.out + static_cast<size_t>(ox) * static_cast<size_t>(a.out_c) + static_cast<size_t>(channel);
  if (has_residual(a))
    return finish_with_residual<R>(acc, n, row.d.channels, channel,
                                   {bytes(row.d.second) + at,
                                    Codes(a.residual_type, a.residual_zero_point),
                                    {a.residual_scale, a.residual_multiplier, a.residual_shift}},
                                   a.output, a.output_type, bytes(row.d.output) + at);
  finish<R>(acc, n, row.d.channels, channel, a.output, a.output_type, bytes(row.d.output) + at);
}

/// The window of one output pixel and group as differences; taps in the padding are zero.
void gather(const Row& row, const Taps& x, int32_t first_channel, int16_t* patch) {
  const Conv2dArgs& a = row.a;
  const bool whole_rows = a.groups == 1 && a.dilation_w == 1;  // the taps of a kernel row are then one run of bytes
  const int32_t per_row = a.kernel_w * row.group_in;
  for (int32_t ky = 0; ky < a.kernel_h; ++ky, patch += per_row) {
    const int32_t begin = ky < row.y.begin || ky >= row.y.end ? a.kernel_w : x.begin;
    const int32_t end = begin > x.end ? begin : x.end;
    for (int32_t i = 0; i < begin * row.group_in; ++i) patch[i] = 0;
    for (int32_t i = end * row.group_in; i < per_row; ++i) patch[i] = 0;
    if (begin >= end) continue;
    if (whole_rows) {
      read(row.input(ky, x, begin), (end - begin) * row.group_in, row.codes, patch + begin * row.group_in);
    } else {
      for (int32_t kx = begin; kx < end; ++kx)
        read(row.input(ky, x, kx) + first_channel, row.group_in, row.codes, patch + kx * row.group_in);
    }
  }
}

/// A window too large for the patch: one tap's channels at a time, kPatch of them at most.
void accumulate_taps(const Row& row, const Taps& x, int32_t first_channel, int32_t channel, int32_t outputs, int16_t* patch,
                     int32_t* acc) {
  for (int32_t ky = row.y.begin; ky < row.y.end; ++ky)
    for (int32_t kx = x.begin; kx < x.end; ++kx)
      for (int32_t c = 0; c < row.group_in; c += kPatch) {
        const int32_t n = smaller(kPatch, row.group_in - c);
        read(row.input(ky, x, kx) + first_channel + c, n, row.codes, patch);
        accumulate(patch, n, row.weight(channel) + (ky * row.a.kernel_w + kx) * row.group_in + c, row.window,
                   row.weight_zero(channel), outputs, acc);
      }
}

template <Rounding R>
void dense_row(const Row& row) {
  int16_t patch[kPatch];
  int32_t acc[kBlock];
  for (int32_t ox = 0; ox < row.a.out_w; ++ox) {
    const Taps x = row.taps_x(ox);
    for (int32_t g = 0; g < row.a.groups; ++g) {
      const bool fits = row.window <= kPatch;
      if (fits) gather(row, x, g * row.group_in, patch);
      for (int32_t o = 0; o < row.group_out; o += kBlock) {
        const int32_t channel = g * row.group_out + o, n = smaller(kBlock, row.group_out - o);
        for (int32_t i = 0; i < n; ++i) acc[i] = 0;
        if (fits)
          accumulate(patch, row.window, row.weight(channel), row.window, row.weight_zero(channel), n, acc);
        else
          accumulate_taps(row, x, g * row.group_in, channel, n, patch, acc);
        write<R>(row, ox, channel, acc, n);
      }
    }
  }
}

/// weights[tap * n + i] of channels c .. c + n, zero point removed.
void transpose_weights(const Row& row, int32_t c, int32_t n, int16_t* weights) {
  for (int32_t i = 0; i < n; ++i) {
    const int8_t* w = row.weight(c + i);
    const int32_t zero = row.d.channels.weight_zero_point == nullptr ? 0 : row.d.channels.weight_zero_point[c + i];
    for (int32_t tap = 0; tap < row.window; ++tap) weights[tap * n + i] = static_cast<int16_t>(w[tap] - zero);
  }
}

void accumulate_channels(const uint8_t* __restrict x, Codes codes, const int16_t* __restrict w, int32_t n,
                         int32_t* __restrict acc) {
  for (int32_t i = 0; i < n; ++i) acc[i] += codes(x[i]) * w[i];
}

/// One channel in, one out in every group; the window has at most kPatch taps.
template <Rounding R>
void depthwise_row(const Row& row) {
  int16_t weights[kPatch];
  int32_t acc[kBlock];
  int32_t block = smaller(kBlock, kPatch / row.window);
  if (block > 8) block -= block % 8;
  for (int32_t c = 0; c < row.a.out_c; c += block) {
    const int32_t n = smaller(block, row.a.out_c - c);
    transpose_weights(row, c, n, weights);
    for (int32_t ox = 0; ox < row.a.out_w; ++ox) {
      const Taps x = row.taps_x(ox);
      for (int32_t i = 0; i < n; ++i) acc[i] = 0;
      for (int32_t ky = row.y.begin; ky < row.y.end; ++ky)
        for (int32_t kx = x.begin; kx < x.end; ++kx)
          accumulate_channels(row.input(ky, x, kx) + c, row.codes, weights + (ky * row.a.kernel_w + kx) * n, n, acc);
      write<R>(row, ox, c, acc, n);
    }
  }
}

}  // namespace

template <Rounding R>
void conv2d(const Conv2dArgs& a, const Buffers& d, int32_t begin, int32_t end) {
  const bool depthwise = a.groups == a.in_c && a.groups == a.out_c && a.kernel_h * a.kernel_w <= kPatch;
  for (int32_t unit = begin; unit < end; ++unit) {
    const Row row(a, d, unit);
    if (depthwise)
      depthwise_row<R>(row);
    else
      dense_row<R>(row);
  }
}

template void conv2d<static_cast<Rounding>(OCTET_ROUNDING)>(const Conv2dArgs&, const Buffers&, int32_t, int32_t);

}  // namespace octet::kernels
