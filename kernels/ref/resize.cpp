// SPDX-License-Identifier: Apache-2.0
// Pictures of another size, interpolated. real and int_bias weigh the differences to the zero point in binary32; the fixed modes
// the codes themselves in integers, halves away from zero, as TensorFlow Lite does.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref.h"

namespace octet::kernels {
namespace {

struct Tap {
  int32_t low, high, low_weight, high_weight;
};

[[maybe_unused]] inline float weight(int32_t bits) {  // the fixed modes need none
  float w;
  __builtin_memcpy(&w, &bits, sizeof w);
  return w;
}

/// Channels of one output element from those of the four around it.
template <Rounding R>
inline void blend(const ResizeArgs& g, const Tap& v, const Tap& h, const uint8_t* above, const uint8_t* below,
                  uint8_t* __restrict to) {
  const size_t n = static_cast<size_t>(g.channels);
  const uint8_t *a = above + static_cast<size_t>(h.low) * n, *b = above + static_cast<size_t>(h.high) * n;
  const uint8_t *c = below + static_cast<size_t>(h.low) * n, *d = below + static_cast<size_t>(h.high) * n;
  if constexpr (R == Rounding::real || R == Rounding::int_bias) {
    const Codes codes(g.type, g.zero_point);
    const float v0 = weight(v.low_weight), v1 = weight(v.high_weight), h0 = weight(h.low_weight), h1 = weight(h.high_weight);
    const int32_t lowest = qmath::lowest(g.type);
    const float lo = static_cast<float>(lowest - g.zero_point), hi = static_cast<float>(lowest + 255 - g.zero_point);
    for (size_t i = 0; i < n; ++i) {
      const float first = h0 * static_cast<float>(codes(a[i])) + h1 * static_cast<float>(codes(b[i]));
      const float second = h0 * static_cast<float>(codes(c[i])) + h1 * static_cast<float>(codes(d[i]));
      to[i] = static_cast<uint8_t>(qmath::round_within(v0 * first + v1 * second, lo, hi) + g.zero_point);
    }
  } else {
    const Codes codes(g.type, 0);
    const int32_t aw = v.low_weight * h.low_weight, bw = v.low_weight * h.high_weight;
    const int32_t cw = v.high_weight * h.low_weight, dw = v.high_weight * h.high_weight;
    for (size_t i = 0; i < n; ++i) {
      const int32_t sum = codes(a[i]) * aw + codes(b[i]) * bw + codes(c[i]) * cw + codes(d[i]) * dw;
      to[i] = static_cast<uint8_t>((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
    }
  }
}

}  // namespace

template <Rounding R>
void resize(const ResizeArgs& g, const void* input, const int32_t* table, void* output, int32_t begin, int32_t end) {
  const auto tap = [&](int32_t i) { return Tap{table[4 * i], table[4 * i + 1], table[4 * i + 2], table[4 * i + 3]}; };
  const size_t channels = static_cast<size_t>(g.channels), line = static_cast<size_t>(g.in_w) * channels;
  for (int32_t unit = begin; unit < end; ++unit) {
    const Tap v = tap(unit % g.out_h);
    const uint8_t* image = bytes(input) + static_cast<size_t>(unit / g.out_h) * static_cast<size_t>(g.in_h) * line;
    uint8_t* to = bytes(output) + static_cast<size_t>(unit) * static_cast<size_t>(g.out_w) * channels;
    for (int32_t x = 0; x < g.out_w; ++x, to += channels)
      blend<R>(g, v, tap(g.out_h + x), image + static_cast<size_t>(v.low) * line, image + static_cast<size_t>(v.high) * line, to);
  }
}

template void resize<static_cast<Rounding>(OCTET_ROUNDING)>(const ResizeArgs&, const void*, const int32_t*, void*, int32_t,
                                                            int32_t);

}  // namespace octet::kernels
