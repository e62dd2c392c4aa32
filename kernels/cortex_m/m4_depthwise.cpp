// SPDX-License-Identifier: Apache-2.0
// Depthwise 3x3 convolution on Cortex-M4. Each input line is expanded once, for a slice of channels at a time, into a ring of three
// lines of 16-bit pairs; the inner block runs along the line. Lines are rows or columns, whichever fills its blocks of four better.
#include "kernels/cortex_m/scan.h"

#include "kernels/cortex_m/m4_depthwise_line.h"

namespace octet::cortex_m::m4 {
namespace {

/// One slice of channels of one image.
struct Slice {
  const Scan& scan;
  const int8_t* input;  ///< the slice's first channel
  int32_t quads;
  uint32_t zero;  ///< two padding values
  uint32_t* ring;

  int32_t words() const { return quads * 2 * scan.line(); }  ///< of a ring slot

  /// Input line v of the padded image into its slot.
  void fill(int32_t v) const {
    const int32_t line = scan.line(), at = v - scan.pad_v, room = line - scan.pad_u;
    uint32_t* to = ring + v % 3 * words();
    int32_t count = room < scan.in_u ? room : scan.in_u;
    if (at < 0 || at >= scan.in_v || count < 0) count = 0;
    const int32_t before = count == 0 ? line : scan.pad_u;
    for (int32_t q = 0; q < quads; ++q, to += 2 * line) {
      const int8_t* from = input + at * scan.input_v + 4 * q;
      uint32_t* even = to;
      for (int32_t i = 0; i < before; ++i, ++even) even[0] = even[line] = zero;
#pragma GCC unroll 4
      for (int32_t i = 0; i < count; ++i, ++even, from += scan.input_u) {
        const uint32_t x = load4(from);
        even[0] = sxtb16(x);
        even[line] = sxtb16_odd(x);
      }
      for (; even < to + line; ++even) even[0] = even[line] = zero;
    }
  }
};

template <Rounding R>
void run(const DepthwiseLine& line, int32_t stride) {
  if (stride == 1)
    depthwise_line<R, 1>(line);
  else
    depthwise_line<R, 2>(line);
}

}  // namespace

template <Rounding R>
void depthwise3x3(const Conv2dArgs& args, const PackedData& d) {
  const Conv2dArgs a = args;
  const Scan scan(a);
  auto* spare = static_cast<int8_t*>(d.scratch);  // a line shorter than a block
  const auto zero = static_cast<uint32_t>(a.input_zero_point) & 0xffff;
  for (int32_t n = 0; n < a.batch; ++n)
    for (int32_t c = 0; c < a.in_c; c += kSlice) {
      const int32_t left = a.in_c - c, channels = left < kSlice ? left : kSlice;
      const Slice slice{scan, static_cast<const int8_t*>(d.input) + n * a.in_h * a.in_w * a.in_c + c, channels / 4,
                        zero | zero << 16, reinterpret_cast<uint32_t*>(spare + 4 * kSlice)};
      auto* out = static_cast<int8_t*>(d.output) + n * a.out_h * a.out_w * a.out_c + c;
      const bool shorter = scan.out_u < 4;
      DepthwiseLine line{};
      line.pair = 4 * scan.line();
      line.pairs = channels / 2;
      line.blocks = shorter ? 1 : scan.out_u / 4;
      line.overlap = shorter || scan.out_u % 4 == 0 ? 0 : 4 - scan.out_u % 4;
      line.step = shorter ? kSlice : scan.output_u;
      line.stream = static_cast<const uint32_t*>(d.packed) + c / 2 * kDepthwisePairWords;
      line.real = real_output<R>(a.output);
      const int32_t bytes = 4 * slice.words();
      int32_t filled = 0;
      for (int32_t v = 0; v < scan.out_v; ++v, out += scan.output_v) {
        const int32_t first = v * scan.stride_v;
        if (filled < first) filled = first;
        for (; filled < first + 3; ++filled) slice.fill(filled);
        const int32_t slot = first % 3;
        line.line0 = slice.ring + slot * slice.words();
        line.line1 = (slot + 1) % 3 * bytes - slot * bytes;
        line.line2 = (slot + 2) % 3 * bytes - slot * bytes;
        line.out = shorter ? spare : out;
        run<R>(line, scan.stride_u);
        if (shorter)
          for (int32_t u = 0; u < scan.out_u; ++u)
            __builtin_memcpy(out + u * scan.output_u, spare + u * kSlice, static_cast<size_t>(channels));
      }
    }
  clamp_codes(static_cast<int8_t*>(d.output), a.batch * a.out_h * a.out_w * a.out_c, a.output);
}

template void depthwise3x3<static_cast<Rounding>(OCTET_ROUNDING)>(const Conv2dArgs&, const PackedData&);

}  // namespace octet::cortex_m::m4
