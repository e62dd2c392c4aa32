// SPDX-License-Identifier: Apache-2.0
// Quantized arithmetic a second time, from its definition: binary32 results are rounded from exact 128-bit integers, fixed-point
// ones come from exact division. Shares no formula with kernels/qmath.h; slow on purpose.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/args.h"

namespace octet::oracle {

__extension__ typedef __int128 int128;

inline int128 magnitude(int128 x) { return x < 0 ? -x : x; }

/// floor(n / d), d > 0
inline int128 floor_divide(int128 n, int128 d) { return n >= 0 ? n / d : -((-n + d - 1) / d); }

enum class Ties { even, up, away };

/// n / d to the nearest integer, d > 0.
inline int128 divide(int128 n, int128 d, Ties ties) {
  const int128 floor = floor_divide(n, d);
  const int128 twice = 2 * (n - floor * d);
  if (twice != d) return twice > d ? floor + 1 : floor;
  if (ties == Ties::even) return floor % 2 == 0 ? floor : floor + 1;
  if (ties == Ties::up) return floor + 1;
  return n > 0 ? floor + 1 : floor;
}

/// A number m * 2^e, exactly.
struct Exact {
  int128 m;
  int e;
};

inline Exact exact(float f) {
  int e = 0;
  const float fraction = std::frexp(f, &e);
  return {static_cast<int128>(std::ldexp(fraction, 24)), e - 24};
}

/// Nearest binary32 (normal range), ties to even. The lowest bit of m may stand for anything below it if m has over 27 bits.
inline float to_f32(Exact x) {
  if (x.m == 0) return 0.0f;
  int bits = 0;
  for (int128 m = magnitude(x.m); m != 0; m >>= 1) ++bits;
  if (bits > 24) {
    const int128 rounded = divide(x.m, int128{1} << (bits - 24), Ties::even);
    return static_cast<float>(std::ldexp(static_cast<double>(rounded), x.e + bits - 24));
  }
  return static_cast<float>(std::ldexp(static_cast<double>(x.m), x.e));
}

/// Sum of two exact numbers of at most 50 bits; a far smaller one becomes a sticky bit.
inline Exact sum(Exact a, Exact b) {
  if (a.m == 0) return b;
  if (b.m == 0) return a;
  if (a.e < b.e) {
    const Exact t = a;
    a = b;
    b = t;
  }
  if (a.e - b.e <= 70) return {(a.m << (a.e - b.e)) + b.m, b.e};
  return {(a.m << 70) + (b.m < 0 ? -1 : 1), a.e - 70};
}

inline float f32(int64_t i) { return to_f32({i, 0}); }
inline float mul(float a, float b) {
  const Exact x = exact(a), y = exact(b);
  return to_f32({x.m * y.m, x.e + y.e});
}
inline float add(float a, float b) { return to_f32(sum(exact(a), exact(b))); }
inline float fma(float a, float b, float c) {
  const Exact x = exact(a), y = exact(b);
  return to_f32(sum({x.m * y.m, x.e + y.e}, exact(c)));
}
inline float div(float a, float b) {
  const Exact x = exact(a), y = exact(b);
  const int128 n = magnitude(x.m) << 60, d = magnitude(y.m);
  const int128 q = 2 * (n / d) + (n % d != 0 ? 1 : 0);
  return to_f32({(x.m < 0) != (y.m < 0) ? -q : q, x.e - y.e - 61});
}

/// Nearest integer, ties to even, limited to ±2^40.
inline int64_t rne(float f) {
  constexpr int64_t kLimit = int64_t{1} << 40;
  if (f >= 1e12f) return kLimit;
  if (f <= -1e12f) return -kLimit;
  const Exact x = exact(f);
  if (x.e >= 0) return static_cast<int64_t>(x.m << x.e);
  if (x.e < -60) return 0;
  return static_cast<int64_t>(divide(x.m, int128{1} << -x.e, Ties::even));
}

inline int32_t clamp(int128 q, const kernels::OutputArgs& o) {
  return q < o.clamp_min ? o.clamp_min : q > o.clamp_max ? o.clamp_max : static_cast<int32_t>(q);
}

inline int128 saturate32(int128 x) { return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x; }

/// x * multiplier * 2^(shift - 31) as the two fixed modes define it.
inline int128 multiply_fixed(Rounding r, int64_t x, int64_t multiplier, int shift) {
  const int128 one = 1;
  if (r == Rounding::fixed_single) return saturate32(divide(int128{x} * multiplier, one << (31 - shift), Ties::up));
  const int128 shifted = saturate32(int128{x} * (one << (shift > 0 ? shift : 0)));
  return divide(divide(shifted * multiplier, one << 31, Ties::up), one << (shift < 0 ? -shift : 0), Ties::away);
}

struct Channel {
  float scale = 0, bias = 0;
  int32_t bias_codes = 0, multiplier = 0, shift = 0;
};

/// What a fused addition adds: a code's difference from its zero point.
struct Residual {
  int64_t difference = 0;
  float scale = 0;
  int32_t multiplier = 0, shift = 0;
};

/// acc to a code; `residual`: of a fused addition.
inline int32_t requantize(Rounding r, int64_t acc, const Channel& c, const kernels::OutputArgs& o, kernels::CodeType type,
                          const Residual* residual = nullptr) {
  if (r == Rounding::real) {
    const int32_t lo = type == kernels::CodeType::i8 ? -128 : 0;
    float v = add(mul(f32(acc), c.scale), c.bias);
    if (residual != nullptr) v = add(v, mul(f32(residual->difference), residual->scale));
    return clamp(int128{rne(add(mul(v, o.inv_scale), f32(o.zero_point - lo)))} + lo, o);
  }
  if (r == Rounding::int_bias) {
    float v = mul(f32(acc + c.bias_codes), c.scale);
    if (residual != nullptr) v = add(v, mul(f32(residual->difference), residual->scale));
    return clamp(int128{rne(v)} + o.zero_point, o);
  }
  if (residual != nullptr) {
    const int128 sum = int128{acc + c.bias_codes} * c.multiplier + int128{residual->difference} * (1 << 20) * residual->multiplier;
    return clamp(divide(sum, int128{1} << residual->shift, Ties::up) + o.zero_point, o);
  }
  return clamp(multiply_fixed(r, acc + c.bias_codes, c.multiplier, c.shift) + o.zero_point, o);
}

inline int32_t quantize(Rounding r, float x, const kernels::OutputArgs& o) {
  if (std::isnan(x)) return o.zero_point;
  if (std::isinf(x)) return x > 0 ? o.clamp_max : o.clamp_min;
  if (r == Rounding::real) return clamp(int128{rne(mul(x, o.inv_scale))} + o.zero_point, o);
  const float scaled = div(x, o.inv_scale);
  if (r == Rounding::int_bias) return clamp(int128{rne(scaled)} + o.zero_point, o);
  if (std::abs(scaled) > 1e9F) return scaled > 0 ? o.clamp_max : o.clamp_min;
  return clamp(int128{std::llround(static_cast<double>(scaled))} + o.zero_point, o);  // halves away from zero
}

/// Mean of `cells` differences summing to `difference`, over a divisor that may count padding.
inline int32_t average(const kernels::Pool2dArgs& a, int64_t difference, int64_t divisor) {
  const kernels::OutputArgs o{0, a.zero_point, a.clamp_min, a.clamp_max};
  if (a.rounding == Rounding::real) return clamp(int128{rne(mul(f32(difference), div(1.0f, f32(divisor))))} + a.zero_point, o);
  if (a.rounding == Rounding::int_bias)
    return clamp(int128{rne(mul(f32(difference), div(a.input_scale, mul(a.output_scale, f32(divisor)))))} + a.zero_point, o);
  return clamp(divide(difference + a.zero_point * divisor, divisor, Ties::away), o);
}

}  // namespace octet::oracle
