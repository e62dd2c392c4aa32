// SPDX-License-Identifier: Apache-2.0
// Convolution: descriptions (dense, pointwise, strided, depthwise, grouped, dilated, unevenly padded, large) x types x roundings x
// fills against a seven-loop convolution in 64-bit integers.
#include <cstdio>

#include "kernels/kernel.h"
#include "tests/kernels/weighted.h"

namespace octet::testing {
namespace {

using kernels::Conv2dArgs;

struct Shape {
  const char* name;
  int32_t batch, h, w, c, out_c, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left, bottom, right, groups;
};

constexpr Shape kShapes[] = {
    {"dense 3x3 same", 2, 6, 5, 8, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"dense 3x3, odd channels", 1, 5, 7, 5, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"first layer, one channel", 1, 7, 9, 1, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"first layer, three channels, stride 2", 1, 9, 8, 3, 16, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 1},
    {"1x1", 1, 4, 5, 17, 9, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1 stride 2", 2, 5, 5, 8, 4, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {"valid, tall kernel, strides 2 and 3", 1, 11, 10, 2, 5, 5, 2, 2, 3, 1, 1, 0, 0, 0, 0, 1},
    {"four different pads", 1, 5, 6, 3, 4, 4, 5, 1, 1, 1, 1, 3, 1, 2, 4, 1},
    {"padding beyond the kernel", 1, 2, 2, 3, 4, 2, 2, 1, 1, 1, 1, 3, 4, 3, 4, 1},
    {"stride jumps over the input's end", 1, 3, 3, 4, 4, 3, 3, 4, 4, 1, 1, 2, 2, 3, 3, 1},
    {"dilated 2x3", 1, 9, 11, 4, 6, 3, 3, 1, 1, 2, 3, 2, 3, 2, 3, 1},
    {"dilated and strided, uneven", 1, 10, 9, 3, 2, 3, 2, 2, 1, 3, 2, 4, 1, 0, 3, 1},
    {"grouped", 1, 5, 5, 12, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},
    {"grouped, dilated, stride 2", 1, 9, 9, 6, 9, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 3},
    {"depthwise 3x3", 1, 6, 5, 24, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 24},
    {"depthwise 3x3 stride 2, 70 channels", 1, 5, 4, 70, 70, 3, 3, 2, 2, 1, 1, 0, 1, 1, 0, 70},
    {"depthwise 5x4 dilated, uneven", 1, 9, 9, 13, 13, 5, 4, 1, 1, 2, 1, 4, 0, 3, 2, 13},
    {"depthwise 9x9 in small blocks", 1, 10, 4, 19, 19, 9, 9, 1, 1, 1, 1, 4, 4, 4, 4, 19},
    {"depthwise 25x25, beyond the stack block", 1, 26, 25, 3, 3, 25, 25, 1, 1, 1, 1, 0, 1, 0, 0, 3},
    {"depthwise with multiplier 3", 1, 5, 5, 4, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},
    {"one group of one", 1, 5, 5, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"window larger than the patch", 1, 4, 4, 80, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"channels larger than the patch", 1, 2, 2, 700, 3, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1},
    {"more output channels than a block", 1, 2, 3, 6, 131, 2, 2, 1, 1, 1, 1, 0, 1, 1, 0, 1},
    {"one output pixel", 1, 3, 3, 4, 7, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1},
};

int32_t extent(int32_t in, int32_t before, int32_t after, int32_t kernel, int32_t stride, int32_t dilation) {
  return (in + before + after - dilation * (kernel - 1) - 1) / stride + 1;
}

Conv2dArgs args_of(const Shape& s) {
  Conv2dArgs a{};
  a.batch = s.batch, a.in_h = s.h, a.in_w = s.w, a.in_c = s.c, a.out_c = s.out_c;
  a.kernel_h = s.kernel_h, a.kernel_w = s.kernel_w, a.stride_h = s.stride_h, a.stride_w = s.stride_w;
  a.dilation_h = s.dilation_h, a.dilation_w = s.dilation_w, a.pad_top = s.top, a.pad_left = s.left, a.groups = s.groups;
  a.out_h = extent(s.h, s.top, s.bottom, s.kernel_h, s.stride_h, s.dilation_h);
  a.out_w = extent(s.w, s.left, s.right, s.kernel_w, s.stride_w, s.dilation_w);
  return a;
}

std::vector<int64_t> accumulators(const Conv2dArgs& a, const std::vector<uint8_t>& x, const std::vector<int8_t>& w,
                                  const std::vector<int32_t>& weight_zero) {
  const int32_t in_group = a.in_c / a.groups, out_group = a.out_c / a.groups;
  std::vector<int64_t> acc;
  for (int32_t n = 0; n < a.batch; ++n)
    for (int32_t oy = 0; oy < a.out_h; ++oy)
      for (int32_t ox = 0; ox < a.out_w; ++ox)
        for (int32_t o = 0; o < a.out_c; ++o) {
          int64_t sum = 0;
          for (int32_t ky = 0; ky < a.kernel_h; ++ky)
            for (int32_t kx = 0; kx < a.kernel_w; ++kx)
              for (int32_t i = 0; i < in_group; ++i) {
                const int32_t y = oy * a.stride_h - a.pad_top + ky * a.dilation_h;
                const int32_t xx = ox * a.stride_w - a.pad_left + kx * a.dilation_w;
                if (y < 0 || y >= a.in_h || xx < 0 || xx >= a.in_w) continue;
                const int32_t c = o / out_group * in_group + i;
                const auto xi = static_cast<size_t>(((n * a.in_h + y) * a.in_w + xx) * a.in_c + c);
                const auto wi = static_cast<size_t>(((o * a.kernel_h + ky) * a.kernel_w + kx) * in_group + i);
                const int64_t zero = weight_zero.empty() ? 0 : weight_zero[static_cast<size_t>(o)];
                sum += int64_t{code_at(x.data(), xi, a.input_type) - a.input_zero_point} * (w[wi] - zero);
              }
          acc.push_back(sum);
        }
  return acc;
}

struct Counts {
  size_t outputs = 0, ties = 0;
};

void check_case(const Shape& shape, Rounding r, CodeType in, CodeType out, Fill fill, bool residual, bool weight_zero,
                Counts& counts) {
  Rng rng(static_cast<uint32_t>(&shape - kShapes) * 100 + static_cast<uint32_t>(fill));
  Conv2dArgs a = args_of(shape);
  a.rounding = r, a.input_type = in, a.output_type = out;
  const int32_t lo = testing::lowest(in), hi = testing::highest(in), ends[] = {lo, hi, (lo + hi) / 2, lo + 3};
  a.input_zero_point = fill == Fill::ties ? ends[2] : ends[uniform(rng, 0, 3)];
  a.output = output_args(rng, fill, out);
  INFO(shape.name << ", " << name(r) << ", " << name(in) << " to " << name(out) << ", " << name(fill) << ", residual " << residual
                  << ", weight zero points " << weight_zero << ", input zero point " << a.input_zero_point << ", output "
                  << a.output.zero_point << " [" << a.output.clamp_min << ", " << a.output.clamp_max << "]");
  const auto size = [](int32_t n) { return static_cast<size_t>(n); };
  const auto x = codes(rng, fill, size(a.batch * a.in_h * a.in_w * a.in_c), lo, hi, a.input_zero_point);
  const auto raw = codes(rng, fill, size(a.out_c * a.kernel_h * a.kernel_w * (a.in_c / a.groups)), -128, 127, 0);
  const std::vector<int8_t> w(raw.begin(), raw.end());
  std::vector<int32_t> zeros;
  for (int32_t c = 0; weight_zero && c < a.out_c; ++c)
    zeros.push_back(fill == Fill::ties ? c % 2 : c % 3 == 0 ? -128 : c % 3 == 1 ? 127 : 5);
  const auto acc = accumulators(a, x, w, zeros);
  Tables t(rng, r, fill, a.out_c, acc, a.output.inv_scale);
  t.weight_zero_point = zeros;

  std::vector<uint8_t> other;
  if (residual) {
    a.residual_type = in == CodeType::u8 ? out : CodeType::u8;
    a.residual_zero_point = testing::lowest(a.residual_type) + uniform(rng, 0, 255);
    a.residual_scale = fill == Fill::ties ? 0.5f : uniform_real(rng, 0.01f, 0.1f);
    other = codes(rng, Fill::random, acc.size(), testing::lowest(a.residual_type), testing::highest(a.residual_type), 0);
  }
  std::vector<uint8_t> expected;
  for (size_t i = 0; i < acc.size(); ++i) {
    float add = 0;
    if (residual)
      add = oracle::mul(oracle::f32(code_at(other.data(), i, a.residual_type) - a.residual_zero_point), a.residual_scale);
    expected.push_back(
        static_cast<uint8_t>(oracle::requantize(r, acc[i], t.at(i % size(a.out_c)), a.output, out, residual ? &add : nullptr)));
  }
  counts.outputs += acc.size();
  if (fill == Fill::ties) counts.ties += count_ties(acc, t, size(a.out_c));
  with_rounding(r, [&]<Rounding R>() {
    check_kernel(kernels::units(a), expected, [&](uint8_t* y, int32_t begin, int32_t end) {
      kernels::conv2d<R>(a, {x.data(), w.data(), residual ? other.data() : nullptr, y, t.channels(r)}, begin, end);
    });
  });
}

TEST_CASE("conv2d equals seven loops in 64-bit integers for every description, type, rounding and fill") {
  Counts counts;
  for (const Shape& shape : kShapes)
    for (const Rounding r : kRoundings)
      for (const CodeType in : kTypes)
        for (const CodeType out : kTypes)
          for (const Fill fill : kFills) check_case(shape, r, in, out, fill, false, false, counts);
  std::printf("conv2d: %zu outputs compared, %zu exact ties, 0 mismatches\n", counts.outputs, counts.ties);
  CHECK(counts.ties > counts.outputs / 30);
}

TEST_CASE("conv2d adds a residual in real units before the activation") {
  Counts counts;
  for (const Shape& shape : kShapes)
    for (const CodeType in : kTypes)
      for (const CodeType out : kTypes)
        for (const Fill fill : kFills) check_case(shape, Rounding::real, in, out, fill, true, false, counts);
  CHECK(counts.outputs > 10000);
}

TEST_CASE("conv2d subtracts weight zero points at both ends of their range") {
  Counts counts;
  for (const Shape& shape : kShapes)
    for (const Rounding r : kRoundings)
      for (const Fill fill : kFills) check_case(shape, r, CodeType::u8, CodeType::i8, fill, false, true, counts);
  CHECK(counts.outputs > 10000);
}

TEST_CASE("conv2d in real mode gives i8 codes that are the u8 codes minus 128") {
  Rng rng(5);
  Conv2dArgs a = args_of(kShapes[0]);
  a.input_zero_point = 100;
  a.output = {1.0f, 3, 0, 255};  // odd zero point: ties would move if it were added after rounding
  std::vector<uint8_t> x(static_cast<size_t>(a.batch * a.in_h * a.in_w * a.in_c));
  for (auto& v : x) v = static_cast<uint8_t>(100 + uniform(rng, -2, 2));
  std::vector<int8_t> w(static_cast<size_t>(a.out_c * 9 * a.in_c));
  for (auto& v : w) v = static_cast<int8_t>(uniform(rng, -1, 1));
  const std::vector<float> scale(static_cast<size_t>(a.out_c), 0.5f), bias(static_cast<size_t>(a.out_c), 20.0f);
  const size_t n = static_cast<size_t>(output_bytes(a));
  std::vector<uint8_t> u8(n), i8(n);
  kernels::conv2d<Rounding::real>(a, {x.data(), w.data(), nullptr, u8.data(), {scale.data(), bias.data(), {}, {}, {}, {}}}, 0,
                                  kernels::units(a));
  for (auto& v : x) v = static_cast<uint8_t>(v - 128);
  a.input_type = a.output_type = CodeType::i8;
  a.input_zero_point -= 128;
  a.output = {1.0f, 3 - 128, -128, 127};
  kernels::conv2d<Rounding::real>(a, {x.data(), w.data(), nullptr, i8.data(), {scale.data(), bias.data(), {}, {}, {}, {}}}, 0,
                                  kernels::units(a));
  for (auto& v : i8) v = static_cast<uint8_t>(v + 128);
  CHECK(u8 == i8);
}

}  // namespace
}  // namespace octet::testing
