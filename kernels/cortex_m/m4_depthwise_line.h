// SPDX-License-Identifier: Apache-2.0
// The inner block of the M4 depthwise 3x3 convolution: one line of outputs of several channel pairs, 4 pixels x 2 channels at a
// time. The hand-allocated form is m4_depthwise_line.S; this is its meaning in intrinsics.
#pragma once

#include "kernels/cortex_m/m4_requantize.h"

namespace octet::cortex_m::m4 {

/// Three lines of inputs, for each channel pair (c, c + 2) `pair` bytes of words holding the two channels of one column; lines and
/// output in the direction of the scan. `stream`, for each pair: two start values, nine weight words, two Rescale. Pairs of a quad
/// of channels are (0, 2) and (1, 3). A line that is no multiple of 4 long ends with a block that overlaps the one before.
struct DepthwiseLine {
  const uint32_t* line0;
  int32_t line1, line2;   ///< bytes from line0 to the others
  int32_t pair;           ///< bytes from one channel pair to the next
  int32_t pairs, blocks;  ///< even; full blocks of four, at least 1
  int32_t overlap;        ///< outputs that one more block overlaps, 0: none
  int32_t step;           ///< bytes from one output to the next
  const uint32_t* stream;
  int8_t* out;
  RealOutput real;
};

constexpr int32_t kDepthwisePairWords = 2 + 9 + 6;

#if defined(OCTET_M4_ASSEMBLY)
extern "C" void octet_m4_depthwise_s1_fixed_double(const DepthwiseLine*);
extern "C" void octet_m4_depthwise_s2_fixed_double(const DepthwiseLine*);
extern "C" void octet_m4_depthwise_s1_fixed_single(const DepthwiseLine*);
extern "C" void octet_m4_depthwise_s2_fixed_single(const DepthwiseLine*);
extern "C" void octet_m4_depthwise_s1_real(const DepthwiseLine*);
extern "C" void octet_m4_depthwise_s2_real(const DepthwiseLine*);
#endif

/// Stride: of the scan, 1 or 2.
template <Rounding R, int32_t Stride>
inline void depthwise_line(const DepthwiseLine& l) {
#if defined(OCTET_M4_ASSEMBLY)
  if constexpr (R == Rounding::fixed_double)
    return Stride == 1 ? octet_m4_depthwise_s1_fixed_double(&l) : octet_m4_depthwise_s2_fixed_double(&l);
  if constexpr (R == Rounding::fixed_single)
    return Stride == 1 ? octet_m4_depthwise_s1_fixed_single(&l) : octet_m4_depthwise_s2_fixed_single(&l);
  if constexpr (R == Rounding::real) return Stride == 1 ? octet_m4_depthwise_s1_real(&l) : octet_m4_depthwise_s2_real(&l);
#else
  const uint32_t* w = l.stream;
  const int32_t lines[3] = {0, l.line1, l.line2};
  for (int32_t p = 0; p < l.pairs; ++p, w += kDepthwisePairWords) {
    const int8_t* first = reinterpret_cast<const int8_t*>(l.line0) + p * l.pair;
    Rescale s[2];
    __builtin_memcpy(s, w + 11, sizeof s);
    const int32_t blocks = l.blocks + (l.overlap != 0 ? 1 : 0);
    for (int32_t b = 0; b < blocks; ++b) {
      const int32_t at = 4 * b - (b == l.blocks ? l.overlap : 0);
      int8_t* out = l.out + p / 2 * 4 + p % 2 + at * l.step;
      for (int32_t i = 0; i < 4; ++i, out += l.step) {
        int32_t low = static_cast<int32_t>(w[0]), high = static_cast<int32_t>(w[1]);
        for (int32_t t = 0; t < 9; ++t) {
          const uint32_t x = load4(first + lines[t / 3] + ((at + i) * Stride + t % 3) * 4);
          low = smlabb(x, w[2 + t], low);
          high = smlatt(x, w[2 + t], high);
        }
        out[0] = static_cast<int8_t>(code<R>(low, s[0], l.real));
        out[2] = static_cast<int8_t>(code<R>(high, s[1], l.real));
      }
    }
  }
#endif
}

}  // namespace octet::cortex_m::m4
