// SPDX-License-Identifier: Apache-2.0
// Every convolution and linear description x types x fills on the oneDNN engine against the reference kernel, byte for byte. The
// executable is run once for every instruction set that ONEDNN_MAX_CPU_ISA can ask for.
#include <cstdlib>

#include "tests/cpu.h"
#include "tests/onednn/support.h"
#include "tests/skip.h"

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
    {"3x3 40x40x8 to 64, a residual in strips", 1, 40, 40, 8, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"1x1 20x20x16 to 64, a residual two images at a time", 5, 20, 20, 16, 64, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"four pads 3x5 16x14x16 to 32", 3, 16, 14, 16, 32, 3, 5, 1, 1, 1, 1, 0, 1, 2, 3, 1},
};

/// What is run on this instruction set, over all tests of this file.
Tally& total() {
  static Tally tally;
  return tally;
}

/// Zero points: one of the range's ends or a value inside, by `which`; ties need room on both sides.
int32_t zero_point(CodeType type, Fill fill, int which) {
  const int32_t lo = testing::lowest(type), hi = testing::highest(type), places[] = {lo, hi, (lo + hi) / 2, lo + 3};
  return fill == Fill::ties ? places[2] : places[which];
}

void convolution(const ConvShape& shape, uint32_t seed, CodeType in, CodeType out, Fill fill, bool residual, Tally& tally) {
  CaseLine line{.args = {}, .fill = fill, .seed = seed * 100 + static_cast<uint32_t>(fill)};
  Rng rng(line.seed);
  Conv2dArgs a = args_of(shape);
  a.rounding = Rounding::real, a.input_type = in, a.output_type = out;
  a.input_zero_point = zero_point(in, fill, uniform(rng, 0, 3));
  a.output = engine_output(rng, fill, out);
  if (residual) {
    a.residual_type = in == CodeType::u8 ? out : CodeType::u8;
    a.residual_zero_point = testing::lowest(a.residual_type) + uniform(rng, 0, 255);
    a.residual_scale = fill == Fill::ties ? 0.5f : fill == Fill::alternating ? 1.0f : uniform_real(rng, 0.01f, 0.1f);
  }
  line.args = a;
  INFO(shape.name);
  compare_engines(line, tally);
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
  total().add(small), total().add(large);
  check_acceptance(small, 0.5);
  check_acceptance(large, 0.9);
}

TEST_CASE("onednn convolution gives the reference's bytes for zero points at both ends of both ranges") {
  Tally tally;
  for (const uint32_t shape : {0u, 3u, 4u, 7u, 14u})
    for (const CodeType in : kTypes)
      for (const CodeType out : kTypes)
        for (int of_input = 0; of_input < 3; ++of_input)
          for (int of_output = 0; of_output < 3; ++of_output)
            for (const int32_t cut : {0, 40}) {
              CaseLine line{.args = {}, .seed = shape + static_cast<uint32_t>(3 * of_input + of_output)};
              Conv2dArgs a = args_of(kConvShapes[shape]);
              const int32_t lo = testing::lowest(out);
              a.input_type = in, a.output_type = out, a.input_zero_point = zero_point(in, line.fill, of_input);
              a.output = {7.3f, zero_point(out, line.fill, of_output), lo + cut, lo + 255 - cut};
              line.args = a;
              compare_engines(line, tally);
            }
  tally.print("conv2d, zero points");
  total().add(tally);
  check_acceptance(tally, 0.9);
}

TEST_CASE("onednn linear gives the reference's bytes for every size, type and fill") {
  constexpr int32_t kSizes[][3] = {{1, 1, 1},     {3, 7, 5},     {5, 16, 64}, {2, 33, 65},    {4, 128, 10},   {1, 576, 3},
                                   {2, 577, 130}, {1, 1500, 17}, {7, 8, 1},   {1, 512, 1000}, {64, 640, 128}, {33, 300, 100}};
  Tally tally;
  for (const auto& [rows, in_size, out_size] : kSizes)
    for (const CodeType in : kTypes)
      for (const CodeType out : kTypes)
        for (const Fill fill : kFills) {
          CaseLine line{.args = {}, .fill = fill, .seed = static_cast<uint32_t>(rows * 1000 + in_size + out_size)};
          Rng rng(line.seed + static_cast<uint32_t>(fill));
          LinearArgs a{};
          a.rows = rows, a.in = in_size, a.out = out_size, a.input_type = in, a.output_type = out;
          a.input_zero_point = zero_point(in, fill, uniform(rng, 0, 2));
          a.output = engine_output(rng, fill, out);
          line.args = a;
          compare_engines(line, tally);
        }
  tally.print("linear");
  total().add(tally);
  check_acceptance(tally, 0.5);
}

TEST_CASE("the cases of this instruction set, in one line") {
  std::string declined;
  for (const auto& [why, n] : total().declined) declined += "; " + std::to_string(n) + " declined: " + why;
  std::printf("onednn, isa %s: %zu cases, %zu mismatches%s\n", onednn_info().isa.c_str(), total().cases, total().mismatches,
              declined.c_str());
  CHECK(total().mismatches == 0);
}

TEST_CASE("oneDNN computes with the instruction set that it is held to") {
  // What ONEDNN_MAX_CPU_ISA can name, and what a CPU must have for it.
  const struct {
    const char* cap;
    const char* isa;
    std::initializer_list<const char*> flags;
  } levels[] = {{"SSE41", "sse41", {"sse4_1"}},
                {"AVX2", "avx2", {"avx2"}},
                {"AVX2_VNNI", "avx2_vnni", {"avx2", "avx_vnni"}},
                {"AVX512_CORE", "avx512_core", {"avx512f", "avx512bw", "avx512vl", "avx512dq"}},
                {"AVX512_CORE_VNNI", "avx512_core_vnni", {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"}}};
  const std::string isa = onednn_info().isa;
  if (isa.empty()) OCTET_SKIP_CASE(onednn_info().why_not);
  if (onednn_info().available) std::printf("compared: oneDNN on %s\n", isa.c_str());
  const char* cap = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (cap == nullptr) {
    CHECK((isa.starts_with("avx512") == cpu_has({"avx512f", "avx512bw", "avx512vl", "avx512dq"})));
    return;
  }
  for (const auto& level : levels)
    if (level.cap == std::string(cap)) {
      if (!cpu_has(level.flags)) OCTET_SKIP_CASE("this CPU has no " + std::string(cap) + ", " + isa + " was compared again");
      CHECK(isa == level.isa);
      return;
    }
  FAIL("no expectation for ONEDNN_MAX_CPU_ISA=" << cap);
}

TEST_CASE("the sums of a residual stay small however large the layer, and the scratch memory with them") {
  if (!onednn_info().available) OCTET_SKIP_CASE(onednn_info().why_not);
  const ThreadsScope one(1);
  Conv2dArgs a = args_of({"", 1, 56, 56, 8, 256, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1});
  a.output = {1, 0, 0, 255}, a.residual_scale = 0.5f;
  for (a.batch = 1; a.batch <= 8; a.batch *= 8) {
    const auto kernel = make(a, case_data({.args = a}).blobs, QEngine::onednn).kernel;
    REQUIRE(kernel != nullptr);
    CHECK(kernel->may_overwrite(1));
    CHECK_FALSE(kernel->may_overwrite(0));
    CHECK(kernel->scratch_bytes() > 100'000);
    CHECK(kernel->scratch_bytes() < 400'000);  // all of them: 3.2 MB an image
  }
  a.residual_scale = 0;
  CHECK_FALSE(make(a, case_data({.args = a}).blobs, QEngine::onednn).kernel->may_overwrite(1));
}

TEST_CASE("kernels of the same tables share their packed weights, whatever their batch and number of threads") {
  const WithoutNative guard;
  Conv2dArgs a = args_of(kLarge[0]);
  a.output = {1, 0, 0, 255};
  auto blobs = std::make_shared<Blobs>();
  blobs->weight = std::vector<int8_t>(64 * 9 * 64, 1), blobs->scale.assign(64, 1.0f);
  CHECK(blobs->weight.packed_bytes() == 0);
  std::vector<std::unique_ptr<Kernel>> kernels;
  int64_t once = 0;
  for (const int threads : {1, 2, 3})
    for (const int32_t batch : {1, 4}) {
      const ThreadsScope scope(threads);
      a.batch = batch;
      kernels.push_back(make(a, blobs, QEngine::automatic).kernel);
      if (once == 0) once = blobs->weight.packed_bytes();
      CHECK(blobs->weight.packed_bytes() == once);
    }
  CHECK((once >= 64 * 9 * 64) == onednn_info().available);
  CHECK(Blobs(*blobs).weight.packed_bytes() == 0);  // a copy may be edited, so it packs anew
}

TEST_CASE("onednn declines with a reason what it cannot do exactly") {
  Conv2dArgs conv = args_of(kLarge[0]);
  conv.output = {1, 0, 0, 255};
  auto blobs = std::make_shared<Blobs>();
  blobs->weight = std::vector<int8_t>(64 * 9 * 64, 1), blobs->scale.assign(64, 1.0f);
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
  blobs->weight = std::vector<int8_t>(64 * 9 * 64, 1), blobs->scale.assign(64, 1.0f);
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
