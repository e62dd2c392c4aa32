// SPDX-License-Identifier: Apache-2.0
// Fully connected layer: sizes around the kernel's blocks x types x roundings x fills against 64-bit sums.
#include <cstdio>

#include "tests/kernels/weighted.h"

namespace octet::testing {
namespace {

using kernels::LinearArgs;

struct LinearShape {
  int32_t rows, in, out;
};
constexpr LinearShape kLinears[] = {{1, 1, 1},   {3, 7, 5},     {5, 16, 64},   {2, 33, 65}, {4, 128, 10},
                                    {1, 576, 3}, {2, 577, 130}, {1, 1500, 17}, {7, 8, 1}};

void check_case(const LinearShape& shape, Rounding r, CodeType in, CodeType out, Fill fill, bool weight_zero, size_t& outputs,
                size_t& ties) {
  Rng rng(static_cast<uint32_t>(&shape - kLinears) * 100 + static_cast<uint32_t>(fill));
  LinearArgs a{};
  a.rows = shape.rows, a.in = shape.in, a.out = shape.out, a.input_type = in, a.output_type = out, a.rounding = r;
  const int32_t lo = testing::lowest(in), hi = testing::highest(in), ends[] = {lo, hi, (lo + hi) / 2};
  a.input_zero_point = fill == Fill::ties ? ends[2] : ends[uniform(rng, 0, 2)];
  a.output = output_args(rng, fill, out);
  INFO("linear " << a.rows << "x" << a.in << "x" << a.out << ", " << name(r) << ", " << name(in) << " to " << name(out) << ", "
                 << name(fill) << ", weight zero points " << weight_zero << ", input zero point " << a.input_zero_point);
  const auto size = [](int32_t n) { return static_cast<size_t>(n); };
  const auto x = codes(rng, fill, size(a.rows * a.in), lo, hi, a.input_zero_point);
  const auto raw = codes(rng, fill, size(a.out * a.in), -128, 127, 0);
  const std::vector<int8_t> w(raw.begin(), raw.end());
  std::vector<int32_t> zeros;
  for (int32_t c = 0; weight_zero && c < a.out; ++c) zeros.push_back(c * 89 % 256 - 128);  // no period of a block

  std::vector<int64_t> acc;
  for (int32_t row = 0; row < a.rows; ++row)
    for (int32_t o = 0; o < a.out; ++o) {
      int64_t sum = 0;
      for (int32_t i = 0; i < a.in; ++i)
        sum += int64_t{code_at(x.data(), size(row * a.in + i), in) - a.input_zero_point} *
               (w[size(o * a.in + i)] - (weight_zero ? zeros[size(o)] : 0));
      acc.push_back(sum);
    }
  Tables t(rng, r, fill, a.out, acc, a.output.inv_scale);
  t.weight_zero_point = zeros;
  std::vector<uint8_t> expected;
  for (size_t i = 0; i < acc.size(); ++i)
    expected.push_back(static_cast<uint8_t>(oracle::requantize(r, acc[i], t.at(i % size(a.out)), a.output, out)));
  outputs += acc.size();
  if (fill == Fill::ties) ties += count_ties(acc, t, size(a.out));
  with_rounding(r, [&]<Rounding R>() {
    check_kernel(kernels::units(a), expected, [&](uint8_t* y, int32_t begin, int32_t end) {
      kernels::linear<R>(a, {x.data(), w.data(), nullptr, y, t.channels(r)}, begin, end);
    });
  });
}

TEST_CASE("linear equals 64-bit sums for every size, type, rounding and fill") {
  size_t outputs = 0, ties = 0;
  for (const LinearShape& shape : kLinears)
    for (const Rounding r : kRoundings)
      for (const CodeType in : kTypes)
        for (const CodeType out : kTypes)
          for (const Fill fill : kFills)
            for (const bool weight_zero : {false, true}) check_case(shape, r, in, out, fill, weight_zero, outputs, ties);
  std::printf("linear: %zu outputs compared, %zu exact ties, 0 mismatches\n", outputs, ties);
  CHECK(ties > outputs / 30);
}

TEST_CASE("linear stays exact at the largest u8 x s8 sum that int32 holds") {
  constexpr int32_t kIn = 65793;  // * 255 * 128 < 2^31, one more would not be
  static_assert(int64_t{kIn} * 255 * 128 <= INT32_MAX && int64_t{kIn + 1} * 255 * 128 > INT32_MAX);
  const std::vector<uint8_t> x(kIn, 255);
  const std::vector<int8_t> w(kIn, -128);
  LinearArgs a{};
  a.rows = 1, a.in = kIn, a.out = 1, a.rounding = Rounding::fixed_single;
  a.output = {1, 255, 0, 255};
  const int32_t bias = 0, multiplier = 1 << 30, shift = -22;
  const oracle::Channel c{0, 0, bias, multiplier, shift};
  uint8_t y = 0;
  kernels::linear<Rounding::fixed_single>(
      a, {x.data(), w.data(), nullptr, &y, {nullptr, nullptr, &bias, &multiplier, &shift, nullptr}}, 0, 1);
  CHECK(int{y} == oracle::requantize(Rounding::fixed_single, int64_t{kIn} * 255 * -128, c, a.output, CodeType::u8));
}

}  // namespace
}  // namespace octet::testing
