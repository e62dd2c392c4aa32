// SPDX-License-Identifier: Apache-2.0
// Every layer shape of the networks that octet is measured on, one thread, batch 1, u8 with zero points: microseconds by engine,
// and which one automatic takes. Medians of many short samples, the engines taking turns. Prints a Markdown table for each network.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "engine/check.h"
#include "engine/random.h"
#include "kernels/kernel.h"
#include "kernels/parallel.h"
#include "tools/program.h"

using namespace octet;
using namespace octet::kernels;

namespace {

struct Layer {
  const char* name;
  int32_t times;  ///< in the network
  KernelArgs args;
};

KernelArgs conv(int32_t h, int32_t w, int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t groups = 1,
                bool residual = false, int32_t kernel_w = 0) {
  Conv2dArgs a{};
  a.batch = 1, a.in_h = h, a.in_w = w, a.in_c = in, a.out_c = out, a.groups = groups;
  a.kernel_h = kernel, a.kernel_w = kernel_w > 0 ? kernel_w : kernel, a.stride_h = a.stride_w = stride;
  a.dilation_h = a.dilation_w = 1;
  a.out_h = (h + stride - 1) / stride, a.out_w = (w + stride - 1) / stride;
  a.pad_top = std::max(0, (a.out_h - 1) * stride + a.kernel_h - h) / 2;
  a.pad_left = std::max(0, (a.out_w - 1) * stride + a.kernel_w - w) / 2;
  a.input_zero_point = 0;
  a.output = {20, 0, 0, 255};  // a relu
  if (residual) a.residual_scale = 0.03f, a.residual_zero_point = 7;
  return a;
}

KernelArgs dw(int32_t h, int32_t w, int32_t channels, int32_t stride) {
  return conv(h, w, channels, channels, 3, stride, channels);
}

KernelArgs fc(int32_t in, int32_t out) {
  LinearArgs a{};
  a.rows = 1, a.in = in, a.out = out, a.output = {20, 100, 0, 255};
  return a;
}

KernelArgs average(int32_t h, int32_t w, int32_t channels) {
  Pool2dArgs a{};
  a.batch = 1, a.in_h = h, a.in_w = w, a.channels = channels, a.out_h = a.out_w = 1, a.kind = PoolKind::adaptive_average;
  a.clamp_max = 255;
  return a;
}

KernelArgs max_pool(int32_t size, int32_t channels, int32_t kernel, int32_t stride, int32_t pad) {
  Pool2dArgs a{};
  a.batch = 1, a.in_h = a.in_w = size, a.channels = channels, a.kernel_h = a.kernel_w = kernel, a.stride_h = a.stride_w = stride;
  a.pad_top = a.pad_left = a.pad_bottom = a.pad_right = pad, a.out_h = a.out_w = (size + 2 * pad - kernel) / stride + 1;
  a.clamp_max = 255;
  return a;
}

KernelArgs sum(int32_t count) {
  AddArgs a{};
  a.count = count, a.a_zero_point = 3, a.b_zero_point = 120, a.a_scale = 0.02f, a.b_scale = 0.03f, a.output = {20, 100, 0, 255};
  return a;
}

KernelArgs quantize(int32_t count) {
  QuantizeArgs a{};
  a.count = count, a.output = {20, 100, 0, 255};
  return a;
}

KernelArgs dequantize(int32_t count) {
  DequantizeArgs a{};
  a.count = count, a.zero_point = 100, a.scale = 0.05f;
  return a;
}

/// The last layers before a sum have its residual fused.
const std::vector<std::pair<const char*, std::vector<Layer>>>& networks() {
  static const std::vector<std::pair<const char*, std::vector<Layer>>> all = {
      {"DS-CNN",
       {{"quantize 490", 1, quantize(490)},
        {"10x4/2 49x10x1 to 64", 1, conv(49, 10, 1, 64, 10, 2, 1, false, 4)},
        {"depthwise 25x5x64", 4, dw(25, 5, 64, 1)},
        {"1x1 25x5x64 to 64", 4, conv(25, 5, 64, 64, 1, 1)},
        {"average 25x5x64", 1, average(25, 5, 64)},
        {"linear 64 to 12", 1, fc(64, 12)},
        {"dequantize 12", 1, dequantize(12)}}},
      {"ResNet-8",
       {{"quantize 32x32x3", 1, quantize(3072)},
        {"3x3 32x32x3 to 16", 1, conv(32, 32, 3, 16, 3, 1)},
        {"3x3 32x32x16 to 16", 1, conv(32, 32, 16, 16, 3, 1)},
        {"3x3 32x32x16 to 16 + residual", 1, conv(32, 32, 16, 16, 3, 1, 1, true)},
        {"3x3/2 32x32x16 to 32", 1, conv(32, 32, 16, 32, 3, 2)},
        {"1x1/2 32x32x16 to 32", 1, conv(32, 32, 16, 32, 1, 2)},
        {"3x3 16x16x32 to 32 + residual", 1, conv(16, 16, 32, 32, 3, 1, 1, true)},
        {"3x3/2 16x16x32 to 64", 1, conv(16, 16, 32, 64, 3, 2)},
        {"1x1/2 16x16x32 to 64", 1, conv(16, 16, 32, 64, 1, 2)},
        {"3x3 8x8x64 to 64 + residual", 1, conv(8, 8, 64, 64, 3, 1, 1, true)},
        {"average 8x8x64", 1, average(8, 8, 64)},
        {"linear 64 to 10", 1, fc(64, 10)},
        {"dequantize 10", 1, dequantize(10)}}},
      {"MobileNetV1-0.25 at 96",
       {{"quantize 96x96x3", 1, quantize(27648)},       {"3x3/2 96x96x3 to 8", 1, conv(96, 96, 3, 8, 3, 2)},
        {"depthwise 48x48x8", 1, dw(48, 48, 8, 1)},     {"1x1 48x48x8 to 16", 1, conv(48, 48, 8, 16, 1, 1)},
        {"depthwise/2 48x48x16", 1, dw(48, 48, 16, 2)}, {"1x1 24x24x16 to 32", 1, conv(24, 24, 16, 32, 1, 1)},
        {"depthwise 24x24x32", 1, dw(24, 24, 32, 1)},   {"1x1 24x24x32 to 32", 1, conv(24, 24, 32, 32, 1, 1)},
        {"depthwise/2 24x24x32", 1, dw(24, 24, 32, 2)}, {"1x1 12x12x32 to 64", 1, conv(12, 12, 32, 64, 1, 1)},
        {"depthwise 12x12x64", 1, dw(12, 12, 64, 1)},   {"1x1 12x12x64 to 64", 1, conv(12, 12, 64, 64, 1, 1)},
        {"depthwise/2 12x12x64", 1, dw(12, 12, 64, 2)}, {"1x1 6x6x64 to 128", 1, conv(6, 6, 64, 128, 1, 1)},
        {"depthwise 6x6x128", 5, dw(6, 6, 128, 1)},     {"1x1 6x6x128 to 128", 5, conv(6, 6, 128, 128, 1, 1)},
        {"depthwise/2 6x6x128", 1, dw(6, 6, 128, 2)},   {"1x1 3x3x128 to 256", 1, conv(3, 3, 128, 256, 1, 1)},
        {"depthwise 3x3x256", 1, dw(3, 3, 256, 1)},     {"1x1 3x3x256 to 256", 1, conv(3, 3, 256, 256, 1, 1)},
        {"average 3x3x256", 1, average(3, 3, 256)},     {"linear 256 to 2", 1, fc(256, 2)}}},
      {"autoencoder",
       {{"quantize 640", 1, quantize(640)},
        {"linear 640 to 128", 1, fc(640, 128)},
        {"linear 128 to 128", 6, fc(128, 128)},
        {"linear 128 to 8", 1, fc(128, 8)},
        {"linear 8 to 128", 1, fc(8, 128)},
        {"linear 128 to 640", 1, fc(128, 640)},
        {"dequantize 640", 1, dequantize(640)}}},
      {"MobileNetV2",
       {{"quantize 224x224x3", 1, quantize(150528)},
        {"3x3/2 224x224x3 to 32", 1, conv(224, 224, 3, 32, 3, 2)},
        {"depthwise 112x112x32", 1, dw(112, 112, 32, 1)},
        {"1x1 112x112x32 to 16", 1, conv(112, 112, 32, 16, 1, 1)},
        {"1x1 112x112x16 to 96", 1, conv(112, 112, 16, 96, 1, 1)},
        {"depthwise/2 112x112x96", 1, dw(112, 112, 96, 2)},
        {"1x1 56x56x96 to 24", 1, conv(56, 56, 96, 24, 1, 1)},
        {"1x1 56x56x24 to 144", 2, conv(56, 56, 24, 144, 1, 1)},
        {"depthwise 56x56x144", 1, dw(56, 56, 144, 1)},
        {"1x1 56x56x144 to 24 + residual", 1, conv(56, 56, 144, 24, 1, 1, 1, true)},
        {"depthwise/2 56x56x144", 1, dw(56, 56, 144, 2)},
        {"1x1 28x28x144 to 32", 1, conv(28, 28, 144, 32, 1, 1)},
        {"1x1 28x28x32 to 192", 3, conv(28, 28, 32, 192, 1, 1)},
        {"depthwise 28x28x192", 2, dw(28, 28, 192, 1)},
        {"1x1 28x28x192 to 32 + residual", 2, conv(28, 28, 192, 32, 1, 1, 1, true)},
        {"depthwise/2 28x28x192", 1, dw(28, 28, 192, 2)},
        {"1x1 14x14x192 to 64", 1, conv(14, 14, 192, 64, 1, 1)},
        {"1x1 14x14x64 to 384", 4, conv(14, 14, 64, 384, 1, 1)},
        {"depthwise 14x14x384", 4, dw(14, 14, 384, 1)},
        {"1x1 14x14x384 to 64 + residual", 3, conv(14, 14, 384, 64, 1, 1, 1, true)},
        {"1x1 14x14x384 to 96", 1, conv(14, 14, 384, 96, 1, 1)},
        {"1x1 14x14x96 to 576", 3, conv(14, 14, 96, 576, 1, 1)},
        {"depthwise 14x14x576", 2, dw(14, 14, 576, 1)},
        {"1x1 14x14x576 to 96 + residual", 2, conv(14, 14, 576, 96, 1, 1, 1, true)},
        {"depthwise/2 14x14x576", 1, dw(14, 14, 576, 2)},
        {"1x1 7x7x576 to 160", 1, conv(7, 7, 576, 160, 1, 1)},
        {"1x1 7x7x160 to 960", 3, conv(7, 7, 160, 960, 1, 1)},
        {"depthwise 7x7x960", 3, dw(7, 7, 960, 1)},
        {"1x1 7x7x960 to 160 + residual", 2, conv(7, 7, 960, 160, 1, 1, 1, true)},
        {"1x1 7x7x960 to 320", 1, conv(7, 7, 960, 320, 1, 1)},
        {"1x1 7x7x320 to 1280", 1, conv(7, 7, 320, 1280, 1, 1)},
        {"average 7x7x1280", 1, average(7, 7, 1280)},
        {"linear 1280 to 1000", 1, fc(1280, 1000)},
        {"dequantize 1000", 1, dequantize(1000)}}},
      {"ResNet-18",
       {{"quantize 224x224x3", 1, quantize(150528)},
        {"7x7/2 224x224x3 to 64", 1, conv(224, 224, 3, 64, 7, 2)},
        {"max 3x3/2 112x112x64", 1, max_pool(112, 64, 3, 2, 1)},
        {"3x3 56x56x64 to 64", 2, conv(56, 56, 64, 64, 3, 1)},
        {"3x3 56x56x64 to 64 + residual", 2, conv(56, 56, 64, 64, 3, 1, 1, true)},
        {"3x3/2 56x56x64 to 128", 1, conv(56, 56, 64, 128, 3, 2)},
        {"1x1/2 56x56x64 to 128", 1, conv(56, 56, 64, 128, 1, 2)},
        {"3x3 28x28x128 to 128", 1, conv(28, 28, 128, 128, 3, 1)},
        {"3x3 28x28x128 to 128 + residual", 2, conv(28, 28, 128, 128, 3, 1, 1, true)},
        {"3x3/2 28x28x128 to 256", 1, conv(28, 28, 128, 256, 3, 2)},
        {"1x1/2 28x28x128 to 256", 1, conv(28, 28, 128, 256, 1, 2)},
        {"3x3 14x14x256 to 256", 1, conv(14, 14, 256, 256, 3, 1)},
        {"3x3 14x14x256 to 256 + residual", 2, conv(14, 14, 256, 256, 3, 1, 1, true)},
        {"3x3/2 14x14x256 to 512", 1, conv(14, 14, 256, 512, 3, 2)},
        {"1x1/2 14x14x256 to 512", 1, conv(14, 14, 256, 512, 1, 2)},
        {"3x3 7x7x512 to 512", 1, conv(7, 7, 512, 512, 3, 1)},
        {"3x3 7x7x512 to 512 + residual", 2, conv(7, 7, 512, 512, 3, 1, 1, true)},
        {"average 7x7x512", 1, average(7, 7, 512)},
        {"linear 512 to 1000", 1, fc(512, 1000)}}},
      {"ResNet-50, what ResNet-18 has not",
       {{"1x1 56x56x64 to 64", 1, conv(56, 56, 64, 64, 1, 1)},
        {"1x1 56x56x64 to 256 + residual", 3, conv(56, 56, 64, 256, 1, 1, 1, true)},
        {"1x1 56x56x256 to 64", 2, conv(56, 56, 256, 64, 1, 1)},
        {"1x1 56x56x256 to 128", 1, conv(56, 56, 256, 128, 1, 1)},
        {"1x1/2 56x56x256 to 512", 1, conv(56, 56, 256, 512, 1, 2)},
        {"1x1 28x28x128 to 512 + residual", 4, conv(28, 28, 128, 512, 1, 1, 1, true)},
        {"1x1 28x28x512 to 128", 3, conv(28, 28, 512, 128, 1, 1)},
        {"1x1 14x14x256 to 1024 + residual", 6, conv(14, 14, 256, 1024, 1, 1, 1, true)},
        {"1x1 14x14x1024 to 256", 5, conv(14, 14, 1024, 256, 1, 1)},
        {"1x1 7x7x512 to 2048 + residual", 3, conv(7, 7, 512, 2048, 1, 1, 1, true)},
        {"1x1 7x7x2048 to 512", 2, conv(7, 7, 2048, 512, 1, 1)},
        {"linear 2048 to 1000", 1, fc(2048, 1000)}}},
      {"without products",
       {{"add 56x56x64", 1, sum(200704)},
        {"add 7x7x512", 1, sum(25088)},
        {"max 2x2/2 28x28x16", 1, max_pool(28, 16, 2, 2, 0)},
        {"max 2x2/2 56x56x64", 1, max_pool(56, 64, 2, 2, 0)},
        {"clamp 56x56x64", 1, ClampArgs{200704, 20, 200, CodeType::u8, {}}},
        {"dequantize 56x56x64", 1, dequantize(200704)}}},
  };
  return all;
}

int32_t inputs_of(const KernelArgs& args) {
  const auto* c = std::get_if<Conv2dArgs>(&args);
  return std::holds_alternative<AddArgs>(args) || (c != nullptr && c->residual_scale != 0) ? 2 : 1;
}

std::shared_ptr<Blobs> blobs_of(const KernelArgs& args) {
  Generator g(1);
  auto blobs = std::make_shared<Blobs>();
  const auto* c = std::get_if<Conv2dArgs>(&args);
  const auto* l = std::get_if<LinearArgs>(&args);
  if (c == nullptr && l == nullptr) return blobs;
  const int64_t window = c != nullptr ? int64_t{c->kernel_h} * c->kernel_w * c->in_c / c->groups : l->in;
  const int32_t channels = c != nullptr ? c->out_c : l->out;
  std::vector<int8_t> weight;
  for (int64_t i = 0; i < window * channels; ++i) weight.push_back(static_cast<int8_t>(g.integer(-127, 128)));
  blobs->weight = std::move(weight);
  blobs->scale.assign(static_cast<size_t>(channels), 0.0001f), blobs->bias.assign(static_cast<size_t>(channels), 0.1f);
  return blobs;
}

struct Runner {
  std::unique_ptr<Kernel> kernel;
  std::unique_ptr<Kernel::State> state;
  std::vector<std::byte> scratch;
  std::vector<double> samples;  ///< microseconds a run
  int64_t runs = 1;

  void sample(std::span<const void* const> inputs, void* output) {
    auto* memory = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < runs; ++i) kernel->run(inputs, output, state.get(), memory);
    const double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    samples.push_back(us / static_cast<double>(runs));
  }
  double median() {
    std::ranges::nth_element(samples, samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2));
    return samples[samples.size() / 2];
  }
};

constexpr QEngine kEngines[] = {QEngine::native, QEngine::onednn, QEngine::reference};

void measure(const Layer& layer, std::map<QEngine, double>& sums, double& taken) {
  const auto blobs = blobs_of(layer.args);
  Generator g(2);
  std::vector<float> x(2'000'000), y(2'000'000), out(2'000'000);  // enough for every layer as codes or as floats
  auto* bytes = reinterpret_cast<uint8_t*>(x.data());
  if (std::holds_alternative<QuantizeArgs>(layer.args))
    for (float& v : x) v = static_cast<float>(g.integer(-100, 100)) * 0.1f;
  else
    for (size_t i = 0; i < 2'000'000; ++i) bytes[i] = static_cast<uint8_t>(g.integer(0, 256));
  const void* both[] = {x.data(), y.data()};
  const std::span<const void* const> inputs(both, static_cast<size_t>(inputs_of(layer.args)));
  std::map<QEngine, Runner> runners;
  for (const QEngine engine : kEngines) {
    Runner r;
    r.kernel = make(layer.args, blobs, engine).kernel;
    if (r.kernel == nullptr) continue;
    r.state = r.kernel->make_state();
    r.scratch.resize(static_cast<size_t>(r.kernel->scratch_bytes()) + 64);
    r.sample(inputs, out.data()), r.sample(inputs, out.data());
    r.runs = std::max<int64_t>(1, static_cast<int64_t>(100 / std::max(0.01, r.samples.back())));
    r.samples.clear();
    runners.emplace(engine, std::move(r));
  }
  for (int i = 0; i < 31; ++i)
    for (auto& [engine, r] : runners)
      if (engine != QEngine::reference || i < 5) r.sample(inputs, out.data());
  const QEngine chosen = *make(layer.args, blobs, QEngine::automatic).kernel->engine();
  std::printf("| %s | %d |", layer.name, layer.times);
  for (const QEngine engine : kEngines) {
    const auto found = runners.find(engine);
    if (found == runners.end()) {
      std::printf(" |");
      continue;
    }
    const double us = found->second.median();
    std::printf(" %.2f |", us);
    sums[engine] += us * layer.times;
    if (engine == chosen) taken += us * layer.times;
  }
  std::printf(" %s | %s |\n", std::string(to_string(chosen)).c_str(),
              runners.contains(QEngine::native) ? std::string(runners.at(QEngine::native).kernel->implementation()).c_str() : "");
}

}  // namespace

int main(int argc, char** argv) {
  std::string filter;
  CLI::App app("Times every layer of seven networks on every int8 engine, one thread, microseconds.", "bench_engines");
  app.add_option("network", filter, "part of a network's name; all of them otherwise");
  return tools::run_program(app, argc, argv, [&] {
    const ThreadsScope one(1);
    bool found = false;
    for (const auto& [name, layers] : networks()) {
      if (std::strstr(name, filter.c_str()) == nullptr) continue;
      found = true;
      std::printf(
          "\n%s\n\n| layer | times | native µs | onednn µs | reference µs | automatic | |\n|---|---:|---:|---:|---:|---|---|\n",
          name);
      tools::require_output();
      std::map<QEngine, double> sums;
      double taken = 0;
      for (const Layer& layer : layers) measure(layer, sums, taken);
      std::printf("| **sum** | | %.1f | %.1f | %.1f | %.1f | |\n", sums[QEngine::native], sums[QEngine::onednn],
                  sums[QEngine::reference], taken);
    }
    check(found, "no network's name contains \"", filter, "\"");
    return tools::kDone;
  });
}
