// SPDX-License-Identifier: Apache-2.0
// Every convolution and linear description x types x fills on the oneDNN engine against the reference kernel, byte for byte. The
// executable is run once for every instruction set that ONEDNN_MAX_CPU_ISA can ask for.
#include "tests/onednn/support.h"

namespace octet::testing {
namespace {

using kernels::Conv2dArgs;
using kernels::LinearArgs;

/// Layers of the sizes that oneDNN's faster kernels take, several slices for 2 and 3 threads.
constexpr ConvShape kLarge[] = {
    {"3x3 14x14x64 to 64", 1, 14, 14, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"3x3/2 15x13x32 to 48, two images", 2, 15, 13, 32, 48, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1},
    {"1x1 14x14x64 to 96, five images", 5, 14, 14, 64, 96, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1/2 13x13x32 to 64", 4, 13, 13, 32, 64, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {"first 7x7/2 33x31x3 to 32", 1, 33, 31, 3, 32, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1},
    {"first 3x3 28x28x1 to 16", 2, 28, 28, 1, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"depthwise 3x3 28x28x64", 2, 28, 28, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 64},
    {"depthwise 5x5/2 29x29x48", 1, 29, 29, 48, 48, 5, 5, 2, 2, 1, 1, 2, 2, 2, 2, 48},
    {"grouped 3x3 14x14x64 to 64", 1, 14, 14, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},
    {"dilated 3x3 15x15x32 to 32", 1, 15, 15, 32, 32, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1},
    {"four pads 3x5 16x14x16 to 32", 3, 16, 14, 16, 32, 3, 5, 1, 1, 1, 1, 0, 1, 2, 3, 1},
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
    a.residual_scale = fill == Fill::ties ? 0.5f : uniform_real(rng, 0.01f, 0.1f);
    other = codes(rng, Fill::random, size(a.batch * a.out_h * a.out_w * a.out_c), testing::lowest(a.residual_type),
                  testing::highest(a.residual_type), 0);
  }
  INFO(shape.name << ", " << name(in) << " to " << name(out) << ", " << name(fill) << ", residual " << residual
                  << ", input zero point " << a.input_zero_point << ", output " << a.output.zero_point << " [" << a.output.clamp_min
                  << ", " << a.output.clamp_max << "]");
  const void* inputs[] = {x.data(), other.data()};
  compare_engines(a, blobs_of(t, w), std::span(inputs, residual ? 2 : 1), tally);
}

/// With VNNI most cases must be accepted (declining everything is no engine), without it none may be.
void check_acceptance(const Tally& tally, double share) {
  CHECK(tally.mismatches == 0);
  if (onednn_info().available)
    CHECK(static_cast<double>(tally.accepted) >= share * static_cast<double>(tally.cases));
  else
    CHECK(tally.accepted == 0);
}

TEST_CASE("onednn convolution gives the reference's bytes for every description, type and fill") {
  Tally small, large;
  for (const bool residual : {false, true})
    for (const CodeType in : kTypes)
      for (const CodeType out : kTypes)
        for (const Fill fill : kFills) {
          for (uint32_t i = 0; i < std::size(kConvShapes); ++i) convolution(kConvShapes[i], i, in, out, fill, residual, small);
          if (in != out && residual) continue;  // enough of the large ones
          for (uint32_t i = 0; i < std::size(kLarge); ++i) convolution(kLarge[i], 50 + i, in, out, fill, residual, large);
        }
  small.print("conv2d, small");
  large.print("conv2d, large");
  check_acceptance(small, 0.5);
  check_acceptance(large, 0.9);
}

TEST_CASE("onednn linear gives the reference's bytes for every size, type and fill") {
  constexpr int32_t kSizes[][3] = {{1, 1, 1},     {3, 7, 5},     {5, 16, 64}, {2, 33, 65},    {4, 128, 10},   {1, 576, 3},
                                   {2, 577, 130}, {1, 1500, 17}, {7, 8, 1},   {1, 512, 1000}, {64, 640, 128}, {33, 300, 100}};
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
          INFO("linear " << rows << "x" << in_size << "x" << out_size << ", " << name(in) << " to " << name(out) << ", "
                         << name(fill) << ", input zero point " << a.input_zero_point);
          const void* inputs[] = {x.data()};
          compare_engines(a, blobs_of(t, w), inputs, tally);
        }
  tally.print("linear");
  check_acceptance(tally, 0.5);
}

TEST_CASE("kernels of the same tables share their packed weights, whatever their batch and number of threads") {
  const WithoutNative guard;
  Conv2dArgs a = args_of(kLarge[0]);
  a.output = {1, 0, 0, 255};
  auto blobs = std::make_shared<Blobs>();
  blobs->weight.assign(64 * 9 * 64, 1), blobs->scale.assign(64, 1.0f);
  CHECK(blobs->packed.bytes() == 0);
  std::vector<std::unique_ptr<Kernel>> kernels;
  int64_t once = 0;
  for (const int threads : {1, 2, 3})
    for (const int32_t batch : {1, 4}) {
      const ThreadsScope scope(threads);
      a.batch = batch;
      kernels.push_back(make(a, blobs, QEngine::automatic).kernel);
      if (once == 0) once = blobs->packed.bytes();
      CHECK(blobs->packed.bytes() == once);
    }
  CHECK((once >= 64 * 9 * 64) == onednn_info().available);
  CHECK(Blobs(*blobs).packed.bytes() == 0);  // a copy may be edited, so it packs anew
}

TEST_CASE("onednn declines with a reason what it cannot do exactly") {
  Conv2dArgs conv = args_of(kLarge[0]);
  conv.output = {1, 0, 0, 255};
  auto blobs = std::make_shared<Blobs>();
  blobs->weight.assign(64 * 9 * 64, 1), blobs->scale.assign(64, 1.0f);
  const auto why = [&](const KernelArgs& args) {
    const Made made = make(args, blobs, QEngine::onednn);
    CHECK((made.kernel == nullptr) == !made.why_not.empty());
    return made.why_not;
  };
  const bool can = onednn_info().available;
  CHECK(why(conv).empty() == can);
  for (const Rounding r : {Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single}) {
    conv.rounding = r;
    CHECK(why(conv).find(can ? std::string(to_string(r)) : "onednn") != std::string::npos);
  }
  conv.rounding = Rounding::real;
  blobs->weight_zero_point.assign(64, 0);
  CHECK(why(conv).empty() == can);
  blobs->weight_zero_point[5] = 1;
  CHECK(why(conv).find(can ? "zero points" : "onednn") != std::string::npos);
  CHECK(why(kernels::ClampArgs{64, 7, 255, CodeType::u8, {}}).find("only convolution and linear") != std::string::npos);
  conv.batch = 0;
  blobs->weight_zero_point.clear();
  CHECK_FALSE(why(conv).empty());
}

TEST_CASE("automatic takes onednn where it accepts and else says why another engine computes") {
  Conv2dArgs conv = args_of(kLarge[0]);
  conv.output = {1, 0, 0, 255};
  auto blobs = std::make_shared<Blobs>();
  blobs->weight.assign(64 * 9 * 64, 1), blobs->scale.assign(64, 1.0f);
  const WithoutNative guard;
  const Made first = make(conv, blobs, QEngine::automatic);
  REQUIRE(first.kernel != nullptr);
  CHECK(first.kernel->engine() == (onednn_info().available ? QEngine::onednn : QEngine::reference));
  CHECK(first.why_not.empty() == onednn_info().available);
  conv.rounding = Rounding::int_bias;
  blobs->bias_codes.assign(64, 0);
  const Made second = make(conv, blobs, QEngine::automatic);
  REQUIRE(second.kernel != nullptr);
  CHECK(second.kernel->engine() == QEngine::reference);
  CHECK(second.why_not.find("onednn: ") == 0);
  CHECK(second.why_not.find("; native: ") != std::string::npos);
}

TEST_CASE("qengines lists what is built in and what is missing") {
  const std::vector<QEngineInfo> all = qengines();
  REQUIRE(all.size() == 3);
  CHECK(all[0].engine == QEngine::native);
  CHECK(all[1].engine == QEngine::onednn);
  CHECK(all[2].engine == QEngine::reference);
  for (const QEngineInfo& info : all) CHECK(info.available == info.why_not.empty());
  CHECK(all[2].available);
  CHECK(all[1].version.empty() == (all[1].why_not.find("not built in") != std::string::npos));
  CHECK(to_string(QEngine::onednn) == "onednn");
  CHECK(to_string(QEngine::automatic) == "automatic");
}

}  // namespace
}  // namespace octet::testing
