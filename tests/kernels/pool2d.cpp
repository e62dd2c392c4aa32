// SPDX-License-Identifier: Apache-2.0
// Max, average and adaptive average pooling: windows with uneven padding, overlap and gaps x types x roundings x fills against
// straightforward loops; halves in every average mode.
#include <algorithm>
#include <cstdio>

#include "kernels/ref/ref.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/oracle.h"

namespace octet::testing {
namespace {

using kernels::Pool2dArgs;
using kernels::PoolKind;

struct PoolShape {
  int32_t batch, h, w, channels, out_h, out_w, kernel_h, kernel_w, stride_h, stride_w, top, left, bottom, right;
};
constexpr PoolShape kPools[] = {
    {2, 6, 4, 5, 3, 2, 2, 2, 2, 2, 0, 0, 0, 0},     // the usual one
    {1, 7, 6, 130, 4, 3, 3, 3, 2, 2, 1, 1, 1, 0},   // overlap, more channels than summed at once
    {1, 5, 6, 3, 5, 5, 3, 4, 1, 1, 1, 2, 1, 0},     // uneven padding
    {1, 4, 5, 4, 4, 3, 3, 2, 2, 3, 2, 1, 3, 2},     // padding on all sides, last windows wholly in it
    {1, 4, 6, 4, 3, 3, 3, 2, 2, 3, 2, 1, 2, 0},     // last window reaches past the padding
    {1, 9, 9, 2, 3, 3, 2, 2, 3, 3, 0, 0, 0, 0},     // gaps
    {1, 25, 5, 64, 1, 1, 25, 5, 1, 1, 0, 0, 0, 0},  // global
};
struct Adaptive {
  int32_t h, w, channels, out_h, out_w;
};
constexpr Adaptive kAdaptive[] = {{6, 4, 3, 3, 2}, {7, 5, 4, 3, 2}, {3, 2, 5, 5, 7}, {8, 9, 70, 1, 1}, {10, 11, 2, 10, 4}};

struct Cells {
  int32_t begin, end, divisor;
};
/// Walks the window cell by cell.
Cells cells(const Pool2dArgs& a, bool vertical, int32_t i) {
  const int32_t in = vertical ? a.in_h : a.in_w, out = vertical ? a.out_h : a.out_w;
  if (a.kind == PoolKind::adaptive_average) {
    const int32_t begin = static_cast<int32_t>(std::floor(double{1} * i * in / out));
    const int32_t end = static_cast<int32_t>(std::ceil(double{1} * (i + 1) * in / out));
    return {begin, end, end - begin};
  }
  const int32_t kernel = vertical ? a.kernel_h : a.kernel_w, stride = vertical ? a.stride_h : a.stride_w;
  const int32_t before = vertical ? a.pad_top : a.pad_left, after = vertical ? a.pad_bottom : a.pad_right;
  Cells c{in, 0, 0};
  for (int32_t k = 0; k < kernel; ++k) {
    const int32_t at = i * stride - before + k;
    const bool real = at >= 0 && at < in;
    if (real) c.begin = std::min(c.begin, at), c.end = at + 1;
    if (real || (a.count_include_pad != 0 && at >= -before && at < in + after)) ++c.divisor;
  }
  return c;
}

size_t check_case(const Pool2dArgs& a, Fill fill, uint32_t seed) {
  Rng rng(seed);
  const int32_t lo = testing::lowest(a.type), hi = testing::highest(a.type);
  const auto x = codes(rng, fill, static_cast<size_t>(a.batch * a.in_h * a.in_w * a.channels), lo, hi, a.zero_point);
  INFO("pool kind " << int(a.kind) << ", " << name(a.rounding) << ", " << name(a.type) << ", " << name(fill) << ", include_pad "
                    << int{a.count_include_pad} << ", zero point " << a.zero_point << ", in " << a.in_h << "x" << a.in_w << "x"
                    << a.channels << " out " << a.out_h << "x" << a.out_w << " kernel " << a.kernel_h << "x" << a.kernel_w);
  std::vector<uint8_t> expected;
  for (int32_t n = 0; n < a.batch; ++n)
    for (int32_t oy = 0; oy < a.out_h; ++oy)
      for (int32_t ox = 0; ox < a.out_w; ++ox)
        for (int32_t c = 0; c < a.channels; ++c) {
          const Cells ys = cells(a, true, oy), xs = cells(a, false, ox);
          int64_t sum = 0;
          int32_t best = -1000;
          for (int32_t y = ys.begin; y < ys.end; ++y)
            for (int32_t xx = xs.begin; xx < xs.end; ++xx) {
              const int32_t q = code_at(x.data(), static_cast<size_t>(((n * a.in_h + y) * a.in_w + xx) * a.channels + c), a.type);
              sum += q - a.zero_point;
              best = std::max(best, q);
            }
          const int32_t q = a.kind == PoolKind::max ? std::min(std::max(best, a.clamp_min), a.clamp_max)
                                                    : oracle::average(a, sum, std::max(1, ys.divisor * xs.divisor));
          expected.push_back(static_cast<uint8_t>(q));
        }
  if (a.kind == PoolKind::max) {
    check_kernel(kernels::units(a), expected,
                 [&](uint8_t* y, int32_t begin, int32_t end) { kernels::max_pool2d(a, x.data(), y, begin, end); });
  } else {
    with_rounding(a.rounding, [&]<Rounding R>() {
      check_kernel(kernels::units(a), expected,
                   [&](uint8_t* y, int32_t begin, int32_t end) { kernels::average_pool2d<R>(a, x.data(), y, begin, end); });
    });
  }
  return expected.size();
}

void set_codes(Pool2dArgs& a, Rounding r, CodeType type, int variant) {
  const int32_t lo = testing::lowest(type), zeros[] = {lo, testing::highest(type), lo + 128, lo + 77};
  a.rounding = r, a.type = type, a.zero_point = zeros[variant % 4];
  a.clamp_min = variant % 3 == 2 ? std::max(lo, a.zero_point) : lo,
  a.clamp_max = testing::highest(type) - (variant % 5 == 4 ? 20 : 0);
  a.clamp_max = std::max(a.clamp_max, a.zero_point);
  a.input_scale = a.output_scale = 0.0371f;
}

TEST_CASE("max and average pooling equal plain loops for every window, type, rounding and fill") {
  size_t compared = 0;
  for (const PoolShape& s : kPools)
    for (const PoolKind kind : {PoolKind::max, PoolKind::average})
      for (const Rounding r : kRoundings)
        for (const CodeType type : kTypes)
          for (const Fill fill : kFills)
            for (int variant = 0; variant < 8; ++variant) {
              Pool2dArgs a{s.batch,
                           s.h,
                           s.w,
                           s.channels,
                           s.out_h,
                           s.out_w,
                           s.kernel_h,
                           s.kernel_w,
                           s.stride_h,
                           s.stride_w,
                           s.top,
                           s.left,
                           s.bottom,
                           s.right,
                           0,
                           0,
                           0,
                           0,
                           0,
                           kind,
                           type,
                           r,
                           static_cast<uint8_t>(variant % 2)};
              set_codes(a, r, type, variant);
              compared += check_case(a, fill, static_cast<uint32_t>(variant));
            }
  std::printf("pool2d: %zu outputs compared, 0 mismatches\n", compared);
}

TEST_CASE("adaptive average pooling covers floor(i*I/O) to ceil((i+1)*I/O)") {
  for (const Adaptive& s : kAdaptive)
    for (const Rounding r : kRoundings)
      for (const CodeType type : kTypes)
        for (const Fill fill : kFills)
          for (int variant = 0; variant < 4; ++variant) {
            Pool2dArgs a{};
            a.batch = 2, a.in_h = s.h, a.in_w = s.w, a.channels = s.channels, a.out_h = s.out_h, a.out_w = s.out_w;
            a.kind = PoolKind::adaptive_average;
            set_codes(a, r, type, variant);
            check_case(a, fill, static_cast<uint32_t>(variant));
          }
}

TEST_CASE("a pooled half goes to the even difference in real mode and away from code zero in the fixed modes") {
  const auto pool = [](Rounding r, int32_t zero, int8_t first, int8_t second) {
    Pool2dArgs a{};
    a.batch = a.in_h = a.channels = a.out_h = a.out_w = a.kernel_h = a.stride_h = a.stride_w = 1;
    a.in_w = a.kernel_w = 2;
    a.zero_point = zero, a.clamp_min = -128, a.clamp_max = 127, a.input_scale = a.output_scale = 0.25f;
    a.kind = PoolKind::average, a.type = CodeType::i8, a.rounding = r;
    const int8_t x[2] = {first, second};
    int8_t y = 0;
    with_rounding(r, [&]<Rounding R>() { kernels::average_pool2d<R>(a, x, &y, 0, 1); });
    return int{y};
  };
  for (const Rounding r : {Rounding::real, Rounding::int_bias}) {
    CHECK(pool(r, 0, 1, 2) == 2);  // 1.5
    CHECK(pool(r, 0, 2, 3) == 2);  // 2.5
    CHECK(pool(r, 1, 2, 3) == 3);  // difference 1.5 -> 2
    CHECK(pool(r, 0, -2, -3) == -2);
  }
  for (const Rounding r : {Rounding::fixed_double, Rounding::fixed_single}) {
    CHECK(pool(r, 0, 2, 3) == 3);
    CHECK(pool(r, 1, 2, 3) == 3);
    CHECK(pool(r, 0, -2, -3) == -3);
    CHECK(pool(r, 7, -2, -3) == -3);
  }
}

}  // namespace
}  // namespace octet::testing
