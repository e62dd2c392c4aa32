// SPDX-License-Identifier: Apache-2.0
// Speed of the integer kernels, one thread: GMAC/s by layer; every rounding on the reference engine, and every engine.
#include <benchmark/benchmark.h>

#include "engine/random.h"
#include "kernels/kernel.h"
#include "kernels/parallel.h"

using namespace octet;

namespace {

struct Layer {
  const char* name;
  int32_t size, in, out, kernel, stride, groups;
};

constexpr Layer kLayers[] = {{"first 3x3 28x28x1 to 16", 28, 1, 16, 3, 1, 1},    {"first 3x3 32x32x3 to 16", 32, 3, 16, 3, 1, 1},
                             {"3x3 14x14x16 to 16", 14, 16, 16, 3, 1, 1},        {"3x3 14x14x64 to 64", 14, 64, 64, 3, 1, 1},
                             {"3x3/2 28x28x32 to 64", 28, 32, 64, 3, 2, 1},      {"1x1 14x14x64 to 64", 14, 64, 64, 1, 1, 1},
                             {"1x1 28x28x16 to 32", 28, 16, 32, 1, 1, 1},        {"depthwise 3x3 14x14x64", 14, 64, 64, 3, 1, 64},
                             {"depthwise 3x3/2 28x28x32", 28, 32, 32, 3, 2, 32}, {"3x3 56x56x64 to 64", 56, 64, 64, 3, 1, 1},
                             {"3x3 7x7x512 to 512", 7, 512, 512, 3, 1, 1},       {"1x1 14x14x256 to 1024", 14, 256, 1024, 1, 1, 1}};

void convolution(benchmark::State& state, const Layer& layer, Rounding rounding, QEngine engine) {
  const ThreadsScope one(1);
  const int32_t pad = layer.kernel / 2, out = (layer.size + 2 * pad - layer.kernel) / layer.stride + 1;
  kernels::Conv2dArgs a{};
  a.batch = 1, a.in_h = a.in_w = layer.size, a.in_c = layer.in, a.out_h = a.out_w = out, a.out_c = layer.out;
  a.kernel_h = a.kernel_w = layer.kernel, a.stride_h = a.stride_w = layer.stride, a.dilation_h = a.dilation_w = 1;
  a.pad_top = a.pad_left = pad, a.groups = layer.groups, a.input_zero_point = 3;
  a.rounding = rounding;
  a.output = {1 / 0.05F, 10, 0, 255};
  Generator g(1);
  auto blobs = std::make_shared<Blobs>();
  for (int64_t i = 0; i < int64_t{layer.out} * layer.kernel * layer.kernel * layer.in / layer.groups; ++i)
    blobs->weight.push_back(static_cast<int8_t>(g.integer(-127, 128)));
  blobs->scale.assign(layer.out, 0.0001F);
  blobs->bias.assign(layer.out, 0.1F);
  blobs->bias_codes.assign(layer.out, 1000);
  blobs->multiplier.assign(layer.out, 1 << 30);
  blobs->shift.assign(layer.out, -8);
  std::vector<uint8_t> input(static_cast<size_t>(layer.size) * layer.size * layer.in),
      output(static_cast<size_t>(out) * out * layer.out);
  for (uint8_t& v : input) v = static_cast<uint8_t>(g.integer(0, 256));
  const Made made = make(a, blobs, engine);
  if (made.kernel == nullptr) return state.SkipWithError(made.why_not.c_str());
  const Kernel* kernel = made.kernel.get();
  const void* in[] = {input.data()};
  for (auto _ : state) {
    kernel->run(in, output.data());
    benchmark::DoNotOptimize(output.data());
  }
  state.counters["GMAC/s"] = benchmark::Counter(static_cast<double>(macs(a)) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int argc, char** argv) {
  for (const Layer& layer : kLayers) {
    const auto add = [&](std::string_view column, Rounding rounding, QEngine engine) {
      benchmark::RegisterBenchmark((std::string(layer.name) + " " + std::string(column)).c_str(), convolution, layer, rounding,
                                   engine);
    };
    for (const Rounding r : {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single})
      add(to_string(r), r, QEngine::reference);
    for (const QEngineInfo& info : qengines())
      if (info.available && info.engine != QEngine::reference) add(to_string(info.engine), Rounding::real, info.engine);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
