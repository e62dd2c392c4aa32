// SPDX-License-Identifier: Apache-2.0
// Convolution and linear on the native engine: descriptions x types x fills x residual, zero points at both ends, against the
// reference kernel, byte for byte.
#include "tests/kernels/conv2d_cases.h"
#include "tests/kernels/matmul_cases.h"
#include "tests/kernels/weighted.h"
#include "tests/native/support.h"

namespace octet::testing {
namespace {

using kernels::Conv2dArgs;
using kernels::LinearArgs;

/// Block sizes of the VNNI kernels and what is left over, every kind of source copy, several threads' worth of lines.
constexpr ConvShape kShapes[] = {
    {"1x1 7x9x12 to 24", 1, 7, 9, 12, 24, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1 24x24x8 to 16", 1, 24, 24, 8, 16, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1 13x11x64 to 100, three images", 3, 13, 11, 64, 100, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1 40x40x24 to 144", 1, 40, 40, 24, 144, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1/2 13x13x32 to 48", 2, 13, 13, 32, 48, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {"1x1 5x7x17 to 33, odd", 2, 5, 7, 17, 33, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1 padded 5x5x8 to 8", 1, 5, 5, 8, 8, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1},
    {"3x3 32x32x16 to 16", 1, 32, 32, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"3x3 8x8x64 to 64", 1, 8, 8, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"3x3/2 17x15x16 to 32, two images", 2, 17, 15, 16, 32, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1},
    {"3x3 valid 12x12x8 to 40", 1, 12, 12, 8, 40, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"first 10x4/2 49x10x1 to 64", 1, 49, 10, 1, 64, 10, 4, 2, 2, 1, 1, 4, 1, 5, 1, 1},
    {"first 3x3/2 48x48x3 to 8", 1, 48, 48, 3, 8, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 1},
    {"first 7x7/2 33x31x3 to 32", 1, 33, 31, 3, 32, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1},
    {"dilated 3x3 15x15x32 to 32", 1, 15, 15, 32, 32, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1},
    {"depthwise 3x3 25x5x64", 1, 25, 5, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 64},
    {"depthwise 3x3 48x48x8", 1, 48, 48, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 8},
    {"depthwise 3x3/2 48x48x16", 1, 48, 48, 16, 16, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 16},
    {"depthwise 3x3/2 13x12x32, two images", 2, 13, 12, 32, 32, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 32},
    {"depthwise 3x3/2 12x12x64", 1, 12, 12, 64, 64, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 64},
    {"depthwise 3x3 56x56x144", 1, 56, 56, 144, 144, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 144},
    {"depthwise 3x3/2 14x14x96", 1, 14, 14, 96, 96, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 96},
    {"depthwise 3x3 3x3x256, two images", 2, 3, 3, 256, 256, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 256},
    {"depthwise 3x3 valid 9x9x24", 2, 9, 9, 24, 24, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 24},
    {"depthwise 3x3/2 11x9x40", 1, 11, 9, 40, 40, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 40},
    {"depthwise 3x3 9x9x37, every pixel alone", 1, 9, 9, 37, 37, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 37},
    {"depthwise 3x3/2 dilated 17x19x72", 1, 17, 19, 72, 72, 3, 3, 2, 2, 2, 3, 2, 3, 2, 3, 72},
    {"depthwise 5x5/2 15x14x48", 1, 15, 14, 48, 48, 5, 5, 2, 2, 1, 1, 2, 2, 2, 2, 48},
    {"depthwise 7x3/3 21x20x16", 1, 21, 20, 16, 16, 7, 3, 3, 3, 1, 1, 3, 1, 3, 1, 16},
    {"depthwise 3x3 dilated 11x13x16", 1, 11, 13, 16, 16, 3, 3, 1, 1, 2, 3, 2, 3, 2, 3, 16},
    {"depthwise 1x3 and 2 rows 6x9x8", 1, 6, 9, 8, 8, 2, 3, 1, 1, 1, 1, 1, 0, 0, 2, 8},
    {"1x1 7x9x8 to 8, a row below", 2, 7, 9, 8, 8, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1},
    {"1x1 7x9x16 to 24, columns on the right", 2, 7, 9, 16, 24, 1, 1, 1, 1, 1, 1, 0, 0, 0, 2, 1},
    {"3x3 9x8x4 to 16, padded on the right alone", 2, 9, 8, 4, 16, 3, 3, 1, 1, 1, 1, 0, 0, 0, 2, 1},
    {"3x3/2 9x9x8 to 16, padded below and right", 2, 9, 9, 8, 16, 3, 3, 2, 2, 1, 1, 0, 0, 2, 2, 1},
    {"3x3 6x62x1 to 8, rows of whole vectors", 1, 6, 62, 1, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"depthwise 4x3 9x9x16, one full group of rows", 1, 9, 9, 16, 16, 4, 3, 1, 1, 1, 1, 1, 1, 2, 1, 16},
    {"depthwise 8x2/2 15x9x24, two full groups", 1, 15, 9, 24, 24, 8, 2, 2, 2, 1, 1, 3, 0, 4, 1, 24},
    {"2x2 6x7x3 to 8, valid", 1, 6, 7, 3, 8, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 1},
};

void convolution(const ConvShape& shape, uint32_t seed, CodeType in, CodeType out, Fill fill, bool residual, Tally& tally) {
  Rng rng(seed * 100 + static_cast<uint32_t>(fill));
  Conv2dArgs a = args_of(shape);
  a.rounding = Rounding::real, a.input_type = in, a.output_type = out;
  const int32_t lo = testing::lowest(in), hi = testing::highest(in), ends[] = {lo, hi, (lo + hi) / 2, lo + 3};
  a.input_zero_point = fill == Fill::ties ? ends[2] : ends[uniform(rng, 0, 3)];
  a.output = engine_output(rng, fill, out);
  const auto size = [](int32_t n) { return static_cast<size_t>(n); };
  const auto x = codes(rng, fill, size(a.batch * a.in_h * a.in_w * a.in_c), lo, hi, a.input_zero_point);
  const auto raw = codes(rng, fill, size(a.out_c * a.kernel_h * a.kernel_w * (a.in_c / a.groups)), -128, 127, 0);
  const std::vector<int8_t> w(raw.begin(), raw.end());
  const Tables t(rng, Rounding::real, fill, a.out_c, accumulators(a, x, w, {}), a.output.inv_scale);
  std::vector<uint8_t> other;
  if (residual) {
    a.residual_type = in == CodeType::u8 ? out : CodeType::u8;
    a.residual_zero_point = testing::lowest(a.residual_type) + uniform(rng, 0, 255);
    a.residual_scale = fill == Fill::ties ? 0.5f : fill == Fill::alternating ? 1.0f : uniform_real(rng, 0.01f, 0.1f);
    other = codes(rng, Fill::random, size(a.batch * a.out_h * a.out_w * a.out_c), testing::lowest(a.residual_type),
                  testing::highest(a.residual_type), 0);
  }
  INFO("reproduce: test_native, " << shape.name << ", " << name(in) << " to " << name(out) << ", " << name(fill) << ", residual "
                                  << residual << ", seed " << seed << ", input zero point " << a.input_zero_point << ", output "
                                  << a.output.zero_point << " [" << a.output.clamp_min << ", " << a.output.clamp_max << "]");
  const void* inputs[] = {x.data(), other.data()};
  const size_t sizes[] = {x.size(), other.size()};
  compare(a, blobs_of(t, w), std::span(inputs, residual ? 2 : 1), sizes, tally);
}

TEST_CASE("native convolution gives the reference's bytes for every description, type and fill") {
  Tally small, large;
  for (const bool residual : {false, true})
    for (const CodeType in : kTypes)
      for (const CodeType out : kTypes)
        for (const Fill fill : kFills) {
          for (uint32_t i = 0; i < std::size(kConvShapes); ++i) convolution(kConvShapes[i], i, in, out, fill, residual, small);
          if (in != out && residual) continue;  // enough of the large ones
          for (uint32_t i = 0; i < std::size(kShapes); ++i) convolution(kShapes[i], 50 + i, in, out, fill, residual, large);
        }
  small.print("conv2d, small");
  large.print("conv2d, large");
  // A few fills make scales so large that the plan cannot prove its integer limits.
  const size_t own = large.implementations["native avx512-vnni dense"] + large.implementations["native avx512-vnni depthwise"];
  if (const IsaScope vnni("avx512-vnni"); vnni.set()) CHECK(own * 100 >= large.cases * 95);
}

TEST_CASE("native linear gives the reference's bytes for every size, type and fill") {
  constexpr int32_t kSizes[][3] = {{1, 1, 1},     {3, 7, 5},     {5, 16, 64}, {2, 33, 65},    {4, 128, 10},   {1, 576, 3},
                                   {2, 577, 130}, {1, 1500, 17}, {7, 8, 1},   {1, 512, 1000}, {64, 640, 128}, {33, 300, 100},
                                   {1, 640, 128}, {1, 64, 12},   {1, 8, 128}, {1, 102, 48}};
  Tally tally;
  for (const auto& [rows, in_size, out_size] : kSizes)
    for (const CodeType in : kTypes)
      for (const CodeType out : kTypes)
        for (const Fill fill : kFills) {
          Rng rng(static_cast<uint32_t>(rows * 1000 + in_size + out_size) + static_cast<uint32_t>(fill));
          LinearArgs a{};
          a.rows = rows, a.in = in_size, a.out = out_size, a.input_type = in, a.output_type = out;
          const int32_t lo = testing::lowest(in), hi = testing::highest(in), ends[] = {lo, hi, (lo + hi) / 2};
          a.input_zero_point = fill == Fill::ties ? ends[2] : ends[uniform(rng, 0, 2)];
          a.output = engine_output(rng, fill, out);
          const auto x = codes(rng, fill, static_cast<size_t>(rows * in_size), lo, hi, a.input_zero_point);
          const auto raw = codes(rng, fill, static_cast<size_t>(out_size * in_size), -128, 127, 0);
          const std::vector<int8_t> w(raw.begin(), raw.end());
          std::vector<int64_t> acc;
          for (int32_t r = 0; r < rows; ++r)
            for (int32_t o = 0; o < out_size; ++o) {
              int64_t sum = 0;
              for (int32_t i = 0; i < in_size; ++i)
                sum += int64_t{code_at(x.data(), static_cast<size_t>(r * in_size + i), in) - a.input_zero_point} *
                       w[static_cast<size_t>(o * in_size + i)];
              acc.push_back(sum);
            }
          const Tables t(rng, Rounding::real, fill, out_size, acc, a.output.inv_scale);
          INFO("reproduce: test_native, linear " << rows << "x" << in_size << "x" << out_size << ", " << name(in) << " to "
                                                 << name(out) << ", " << name(fill) << ", input zero point " << a.input_zero_point);
          const void* inputs[] = {x.data()};
          const size_t sizes[] = {x.size()};
          compare(a, blobs_of(t, w), inputs, sizes, tally);
        }
  tally.print("linear");
}

TEST_CASE("native products of matrices give the reference's bytes in every order of axes") {
  Tally tally;
  each_matmul_case([&](const MatMulCase& c) {
    const void* inputs[] = {c.a.data(), c.b.data()};
    const size_t sizes[] = {c.a.size(), c.b.size()};
    compare(c.args, nullptr, inputs, sizes, tally);
  });
  tally.print("matmul");
}

TEST_CASE("native says why a layer has no VNNI kernel, and still runs it") {
  const IsaScope scope("avx512-vnni");
  if (!scope.set()) OCTET_SKIP_CASE(kNotHere);
  Conv2dArgs conv = args_of(kShapes[8]);
  conv.output = {1, 0, 0, 255};
  auto blobs = std::make_shared<Blobs>();
  blobs->weight = std::vector<int8_t>(64 * 9 * 64, 1), blobs->scale.assign(64, 1.0f), blobs->bias_codes.assign(64, 0);
  const auto why = [&](const KernelArgs& args) {
    const Made made = make(args, blobs, QEngine::native);
    REQUIRE(made.kernel != nullptr);
    CHECK((made.kernel->implementation() == "native avx512") == !made.why_not.empty());
    return made.why_not;
  };
  CHECK(why(conv).empty());
  conv.rounding = Rounding::int_bias;
  CHECK(why(conv) == "native: no VNNI kernel for rounding int_bias");
  conv.rounding = Rounding::real;
  blobs->weight_zero_point.assign(64, 0);
  CHECK(why(conv).empty());
  blobs->weight_zero_point[5] = 1;
  CHECK(why(conv).find("weights with zero points") != std::string::npos);
  blobs->weight_zero_point.clear();
  conv.groups = 4;
  CHECK(why(conv).find("groups of several channels") != std::string::npos);
  conv.groups = 1;
  blobs->scale[7] = 1e8f;
  CHECK(why(conv).find("leave int32") != std::string::npos);
  blobs->scale[7] = 1;
  conv.residual_scale = 1e3f;
  CHECK(why(conv).empty());
  conv.residual_scale = 1e8f;
  CHECK(why(conv).find("leave int32") != std::string::npos);
}

}  // namespace
}  // namespace octet::testing
