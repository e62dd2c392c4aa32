// SPDX-License-Identifier: Apache-2.0
// Convolution: descriptions (dense, pointwise, strided, depthwise, grouped, dilated, unevenly padded, large) x types x roundings x
// fills against a seven-loop convolution in 64-bit integers.
#include <cstdio>

#include "kernels/kernel.h"
#include "tests/kernels/conv2d_cases.h"
#include "tests/kernels/weighted.h"

namespace octet::testing {
namespace {

using kernels::Conv2dArgs;
using Shape = ConvShape;
constexpr const auto& kShapes = kConvShapes;

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
    t.add_residual(a, fill == Fill::ties ? 0.5f : uniform_real(rng, 0.04f, 0.4f));
    other = codes(rng, Fill::random, acc.size(), testing::lowest(a.residual_type), testing::highest(a.residual_type), 0);
  }
  std::vector<uint8_t> expected;
  for (size_t i = 0; i < acc.size(); ++i) {
    oracle::Residual add{0, a.residual_scale, a.residual_multiplier, a.residual_shift};
    if (residual) add.difference = code_at(other.data(), i, a.residual_type) - a.residual_zero_point;
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

TEST_CASE("conv2d adds a residual before it rounds, in every rounding") {
  Counts counts;
  for (const Shape& shape : kShapes)
    for (const Rounding r : kRoundings)
      for (const CodeType in : kTypes)
        for (const CodeType out : kTypes)
          for (const Fill fill : kFills) check_case(shape, r, in, out, fill, true, false, counts);
  std::printf("conv2d with a residual: %zu outputs compared, 0 mismatches\n", counts.outputs);
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
