// SPDX-License-Identifier: Apache-2.0
// Per-tensor fake quantization and its straight-through gradient; the same bits on every instruction set. Codes relative to the
// zero point: clip(z + rne(v), qmin, qmax) - z = rne(clip(v, qmin - z, qmax - z)), because the limits are integers.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {
namespace {

/// Adding and subtracting it rounds to nearest even for |v| <= 2^22, and makes -0 into +0 as an integer code would.
constexpr float kRound = 12582912.0f;  // 1.5 * 2^23

void fake_quantize(int64_t n, const FakeQuant& q, const float* x, float* y) {
  const int64_t low = int64_t{q.qmin} - q.zero_point, high = int64_t{q.qmax} - q.zero_point;
  const auto lo = static_cast<float>(low), hi = static_cast<float>(high);
  const float scale = q.scale, inverse = q.inv_scale;
  parallel(n, kStreamGrain, [&](int, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float v = x[i] * inverse;
      v = v == v ? v : 0;  // as quantize: the zero point
      v = v < lo ? lo : v;
      v = v > hi ? hi : v;
      y[i] = ((v + kRound) - kRound) * scale;
    }
  });
}

void fake_quantize_grad(int64_t n, const FakeQuant& q, const float* x, const float* dy, float* dx) {
  const int64_t low = int64_t{q.qmin} - q.zero_point, high = int64_t{q.qmax} - q.zero_point;
  const auto lo = static_cast<float>(low), hi = static_cast<float>(high);
  const float inverse = q.inv_scale;
  parallel(n, kStreamGrain, [&](int, int64_t begin, int64_t end) {
    for_strips<1>(begin, end, [&]<int L, int>(int64_t i) {
      const Vec<L> v = limit<L>(load<L>(x + i) * inverse, splat<L>(lo - 1), splat<L>(hi + 1));
      const Vec<L> code = (v + kRound) - kRound;
      store<L>(dx + i, ((code >= lo) & (code <= hi)) ? load<L>(dy + i) : Vec<L>{});
    });
  });
}

}  // namespace

void fill_fake_quantize(Table& t) {
  t.fake_quantize = fake_quantize;
  t.fake_quantize_grad = fake_quantize_grad;
}

}  // namespace octet::f32::OCTET_ISA
