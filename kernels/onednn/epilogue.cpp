// SPDX-License-Identifier: Apache-2.0
// Compiled once per x86-64 level (kernels/onednn/meson.build). Results go through a small block on the stack: in place runs are
// then plain C++, and the compiler need not prove that output and residual are apart.
#include "kernels/onednn/epilogue.h"

#include "kernels/qmath.h"

namespace octet::onednn::OCTET_ISA {
namespace {

constexpr int64_t kBlock = 256;

/// n <= kBlock.
[[gnu::always_inline]] inline void add_block(int64_t n, const float* sums, const uint8_t* residual, const Residual& r,
                                             const kernels::OutputArgs& o, int32_t low, uint8_t* to) {
  alignas(64) uint8_t block[kBlock];
  for (int64_t i = 0; i < n; ++i)
    block[i] = static_cast<uint8_t>(qmath::code_of_real(
        sums[i] + qmath::dequantize(static_cast<uint8_t>(residual[i] ^ r.flip) - r.zero_point, r.scale), o, low));
  __builtin_memcpy(to, block, static_cast<size_t>(n));
}

void add_residual(int64_t n, const float* sums, const uint8_t* residual, const Residual& residual_args,
                  const kernels::OutputArgs& output, int32_t low, uint8_t* to) {
  const Residual r = residual_args;
  const kernels::OutputArgs o = output;
  int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock) add_block(kBlock, sums + i, residual + i, r, o, low, to + i);
  if (i < n) add_block(n - i, sums + i, residual + i, r, o, low, to + i);
}

void limit(int64_t n, uint8_t lo, uint8_t hi, uint8_t flip, uint8_t* codes) {
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t raised = codes[i] < lo ? lo : codes[i];
    codes[i] = static_cast<uint8_t>((raised > hi ? hi : raised) ^ flip);
  }
}

}  // namespace

const Epilogue kEpilogue = {add_residual, limit};

}  // namespace octet::onednn::OCTET_ISA
