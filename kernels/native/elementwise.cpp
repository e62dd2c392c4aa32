// SPDX-License-Identifier: Apache-2.0
// Addition and clamp in blocks that are read before they are written, so that the output may lie on an input.
#include "kernels/native/unit.h"
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"

namespace octet::native::OCTET_ISA {
namespace {

using namespace kernels;

constexpr int32_t kBlock = 64;

/// block(begin, n) for pieces of [begin, end) of kBlock codes, the last one shorter.
template <class Block>
void in_blocks(int32_t begin, int32_t end, const Block& block) {
  for (; begin + kBlock <= end; begin += kBlock) block(begin, kBlock);
  if (begin < end) block(begin, end - begin);
}

}  // namespace

void add_real(const LoopData& d, int32_t begin, int32_t end) {
  const AddArgs g = args_of<AddArgs>(d);
  const Codes ca(g.a_type, g.a_zero_point), cb(g.b_type, g.b_zero_point);
  in_blocks(begin, end, [&](int32_t at, int32_t n) {
    uint8_t a[kBlock], b[kBlock], y[kBlock];
    __builtin_memcpy(a, bytes(d.input) + at, static_cast<size_t>(n));
    __builtin_memcpy(b, bytes(d.second) + at, static_cast<size_t>(n));
    for (int32_t i = 0; i < kBlock; ++i) {
      const float v = qmath::dequantize(ca(a[i]), g.a_scale) + qmath::dequantize(cb(b[i]), g.b_scale);
      y[i] = static_cast<uint8_t>(qmath::quantize<Rounding::real>(v, g.output));
    }
    __builtin_memcpy(bytes(d.output) + at, y, static_cast<size_t>(n));
  });
}

void clamp(const LoopData& d, int32_t begin, int32_t end) {
  const ClampArgs g = args_of<ClampArgs>(d);
  const uint8_t flip = g.type == CodeType::i8 ? 0x80 : 0;  // unsigned domain
  const uint8_t lo = static_cast<uint8_t>(g.clamp_min) ^ flip, hi = static_cast<uint8_t>(g.clamp_max) ^ flip;
  in_blocks(begin, end, [&](int32_t at, int32_t n) {
    uint8_t x[kBlock];
    __builtin_memcpy(x, bytes(d.input) + at, static_cast<size_t>(n));
    for (int32_t i = 0; i < kBlock; ++i) {
      uint8_t q = x[i] ^ flip;
      q = q > lo ? q : lo;
      q = q < hi ? q : hi;
      x[i] = q ^ flip;
    }
    __builtin_memcpy(bytes(d.output) + at, x, static_cast<size_t>(n));
  });
}

}  // namespace octet::native::OCTET_ISA
