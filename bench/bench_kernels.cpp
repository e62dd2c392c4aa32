// SPDX-License-Identifier: Apache-2.0
// Speed of the integer kernels, one thread: layers of real networks by engine, every rounding on the reference engine. With --case
// it times the very case that a failing kernel test printed, after comparing it with the reference kernel.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>

#include "kernels/parallel.h"
#include "tests/kernels/case_line.h"
#include "tools/program.h"

using namespace octet;
using testing::CaseLine;

namespace {

constexpr const char* kUsage =
    "usage: bench_kernels [--case LINE]… [--benchmark_…]\n"
    "  --case LINE   compare this kernel case with the reference kernel and time it, instead of the table of layers; LINE is\n"
    "                what a kernel test prints, for instance\n"
    "                \"linear rows=1 in=64 out=10 inv_scale=10 clamp_max=255 fill=ties seed=7 engine=onednn threads=2\"\n"
    "Options of Google Benchmark:\n";

struct Layer {
  const char* name;
  int32_t size, in, out, kernel, stride, groups;
};

constexpr Layer kLayers[] = {
    {"first 3x3 28x28x1 to 16", 28, 1, 16, 3, 1, 1},      {"first 3x3 32x32x3 to 16", 32, 3, 16, 3, 1, 1},
    {"first 7x7/2 224x224x3 to 64", 224, 3, 64, 7, 2, 1}, {"3x3 14x14x16 to 16", 14, 16, 16, 3, 1, 1},
    {"3x3 14x14x64 to 64", 14, 64, 64, 3, 1, 1},          {"3x3/2 28x28x32 to 64", 28, 32, 64, 3, 2, 1},
    {"1x1 14x14x64 to 64", 14, 64, 64, 1, 1, 1},          {"1x1 28x28x16 to 32", 28, 16, 32, 1, 1, 1},
    {"depthwise 3x3 14x14x64", 14, 64, 64, 3, 1, 64},     {"depthwise 3x3/2 28x28x32", 28, 32, 32, 3, 2, 32},
    {"3x3 56x56x64 to 64", 56, 64, 64, 3, 1, 1},          {"3x3 7x7x512 to 512", 7, 512, 512, 3, 1, 1},
    {"1x1 14x14x256 to 1024", 14, 256, 1024, 1, 1, 1}};

CaseLine case_of(const Layer& layer, Rounding rounding, QEngine engine) {
  const int32_t pad = layer.kernel / 2, out = (layer.size + 2 * pad - layer.kernel) / layer.stride + 1;
  kernels::Conv2dArgs a{};
  a.batch = 1, a.in_h = a.in_w = layer.size, a.in_c = layer.in, a.out_h = a.out_w = out, a.out_c = layer.out;
  a.kernel_h = a.kernel_w = layer.kernel, a.stride_h = a.stride_w = layer.stride, a.dilation_h = a.dilation_w = 1;
  a.pad_top = a.pad_left = pad, a.groups = layer.groups, a.input_zero_point = 3;
  a.rounding = rounding;
  a.output = {1 / 0.05F, 10, 0, 255};
  CaseLine line{.args = a};
  line.engine = engine;
  return line;
}

/// Items are multiply-accumulates, or output codes where there are none.
void time_case(benchmark::State& state, const CaseLine& line) {
  const ThreadsScope scope(line.threads);
  const testing::CaseData data = testing::case_data(line);
  const Made made = make(line.args, data.blobs, line.engine);
  if (made.kernel == nullptr) return state.SkipWithError(made.why_not.c_str());
  const std::vector<const void*> inputs = data.pointers();
  std::vector<std::byte> output(static_cast<size_t>(output_bytes(line.args)));
  for (auto _ : state) {
    made.kernel->run(inputs, output.data());
    benchmark::DoNotOptimize(output.data());
  }
  const auto products = static_cast<double>(macs(line.args));
  if (products > 0)
    state.counters["GMAC/s"] = benchmark::Counter(products * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  else
    state.counters["GB/s"] =
        benchmark::Counter(static_cast<double>(output.size()) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void add_layers() {
  for (const Layer& layer : kLayers) {
    const auto add = [&](std::string_view column, Rounding rounding, QEngine engine) {
      benchmark::RegisterBenchmark((std::string(layer.name) + " " + std::string(column)).c_str(), time_case,
                                   case_of(layer, rounding, engine));
    };
    for (const Rounding r : {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single})
      add(to_string(r), r, QEngine::reference);
    for (const QEngineInfo& info : qengines())
      if (info.available && info.engine != QEngine::reference) add(to_string(info.engine), Rounding::real, info.engine);
  }
}

/// False: the bytes are not the reference's.
bool add_case(const char* text) {
  const CaseLine line = testing::parse_case_line(text);
  const testing::CaseResult result = testing::run_case(line);
  if (!result.accepted)
    std::printf("declined: %s\n", result.why_not.c_str());
  else if (result.report.empty())
    std::printf("%s: %lld bytes, all as the reference kernel gives them\n", result.implementation.c_str(),
                static_cast<long long>(result.outputs));
  else
    std::printf("DIFFERS FROM THE REFERENCE KERNEL: %s\n", result.report.c_str());
  benchmark::RegisterBenchmark(testing::to_string(line).c_str(), time_case, line);
  return result.report.empty();
}

int run(int argc, char** argv) {
  bool cases = false, equal = true;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const bool here = std::strncmp(argv[i], "--case=", 7) == 0;
    if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) std::fputs(kUsage, stdout);
    if (!here && std::strcmp(argv[i], "--case") != 0) {
      argv[kept++] = argv[i];
      continue;
    }
    if (!here && i + 1 == argc) throw std::invalid_argument("--case: expected a line behind it");
    equal = add_case(here ? argv[i] + 7 : argv[++i]) && equal;
    cases = true;
  }
  argc = kept;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  if (!cases) add_layers();
  octet::tools::require_output();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return equal ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return octet::tools::run_program("bench_kernels", [&] { return run(argc, argv); });
}
