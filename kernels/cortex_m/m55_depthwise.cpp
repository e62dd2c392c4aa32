// SPDX-License-Identifier: Apache-2.0
// Depthwise 3x3 convolution on Cortex-M55. Each input line goes once, for a slice of channels at a time, into a ring of four lines
// that lie byte beside byte; the inner block runs along the line. Lines are rows or columns, whichever fills its blocks of four
// better.
#include "kernels/cortex_m/m55_depthwise_line.h"
#include "kernels/cortex_m/scan.h"

namespace octet::cortex_m::m55 {
namespace {

/// Input line v of the padded image into its slot, eight channels at a time.
void fill(const Scan& scan, const int8_t* input, int32_t channels, int32_t v, int32_t zero_point, int8_t* ring) {
  const int32_t line = scan.line(), pitch = 4 * (line + 1), at = v - scan.pad_v, room = line - scan.pad_u;
  int32_t count = room < scan.in_u ? room : scan.in_u;
  if (at < 0 || at >= scan.in_v || count < 0) count = 0;
  const int32_t before = count == 0 ? line : scan.pad_u, after = count == 0 ? 0 : room - count;
  int8_t zeros[8];
  __builtin_memset(zeros, static_cast<uint8_t>(zero_point), sizeof zeros);
  for (int32_t c = 0; c < channels; c += 8) {
    const int32_t n = channels - c < 8 ? channels - c : 8;
    const int8_t* from = input + at * scan.input_v + c;
    int8_t* to = ring + c * pitch + v % 4;
    transpose8(to, pitch, zeros, 0, n, before);
    transpose8(to + 4 * before, pitch, from, scan.input_u, n, count);
    transpose8(to + 4 * (before + count), pitch, zeros, 0, n, after);
  }
}

}  // namespace

template <Rounding R>
void depthwise3x3(const Conv2dArgs& args, const PackedData& d) {
  const Conv2dArgs a = args;
  const Scan scan(a);
  auto* spare = static_cast<int8_t*>(d.scratch);  // a line shorter than a block
  const bool shorter = scan.out_u < 4;
  DepthwiseLine line{};
  line.ring = spare + 4 * kSlice;
  line.pitch = 4 * (scan.line() + 1);
  line.blocks = shorter ? 1 : scan.out_u / 4;
  line.overlap = shorter || scan.out_u % 4 == 0 ? 0 : 4 - scan.out_u % 4;
  line.step = shorter ? kSlice : scan.output_u;
  line.output = output_of(a.output, R);
  for (int32_t n = 0; n < a.batch; ++n)
    for (int32_t c = 0; c < a.in_c; c += kSlice) {
      const int8_t* input = static_cast<const int8_t*>(d.input) + n * a.in_h * a.in_w * a.in_c + c;
      auto* out = static_cast<int8_t*>(d.output) + n * a.out_h * a.out_w * a.out_c + c;
      line.channels = a.in_c - c < kSlice ? a.in_c - c : kSlice;
      line.packed = static_cast<const DepthwiseChannel*>(d.packed) + c;
      int32_t filled = 0;
      for (int32_t v = 0; v < scan.out_v; ++v, out += scan.output_v) {
        const int32_t first = v * scan.stride_v;
        if (filled < first) filled = first;
        for (; filled < first + 3; ++filled)
          fill(scan, input, line.channels, filled, a.input_zero_point, const_cast<int8_t*>(line.ring));
        line.turn = first % 4;
        line.out = shorter ? spare : out;
        if (scan.stride_u == 1)
          depthwise_line<R, 1>(line);
        else
          depthwise_line<R, 2>(line);
        if (shorter)
          for (int32_t u = 0; u < scan.out_u; ++u)
            __builtin_memcpy(out + u * scan.output_u, spare + u * kSlice, static_cast<size_t>(line.channels));
      }
    }
}

template void depthwise3x3<static_cast<Rounding>(OCTET_ROUNDING)>(const Conv2dArgs&, const PackedData&);

}  // namespace octet::cortex_m::m55
