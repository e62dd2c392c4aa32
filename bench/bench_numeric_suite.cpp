// SPDX-License-Identifier: Apache-2.0
// What a full comparison costs against the two forward passes it cannot do without, on a network of ResNet-18's size, and what
// memory.
#include <cstdio>
#include <string>

#include "compile/program.h"
#include "numeric_suite/diagnose.h"
#include "tools/program.h"
#include "tools/progress.h"

using namespace octet;

namespace {

constexpr int64_t kBatch = 10;

int conv(Model& m, const std::string& path, int64_t in, int64_t out, int64_t kernel, int64_t stride, int from, bool relu) {
  const int y = m.add(
      path, Conv2d{.in = in, .out = out, .kernel = {kernel, kernel}, .stride = {stride, stride}, .padding = pad_all(kernel / 2)},
      {from});
  return relu ? m.add(path + ".relu", Unary{UnaryFn::relu}) : y;
}

Model resnet18(int64_t side) {
  Model m;
  int x = m.add("image", Input{{1, side, side, 3}});
  conv(m, "stem", 3, 64, 7, 2, x, true);
  x = m.add("pool", Pool2d{.kind = Pool::max, .kernel = {3, 3}, .stride = {2, 2}, .padding = pad_all(1)});
  int64_t in = 64;
  for (int stage = 0; stage < 4; ++stage)
    for (int block = 0; block < 2; ++block) {
      const int64_t out = int64_t{64} << stage, stride = stage > 0 && block == 0 ? 2 : 1;
      const std::string path = "layer" + std::to_string(stage + 1) + "." + std::to_string(block);
      const int skip = stride == 1 ? x : conv(m, path + ".down", in, out, 1, 2, x, false);
      const int a = conv(m, path + ".a", in, out, 3, stride, x, true);
      const int b = conv(m, path + ".b", out, out, 3, 1, a, false);
      m.add(path + ".add", Binary{BinaryFn::add}, {b, skip});
      x = m.add(path + ".relu", Unary{UnaryFn::relu});
      in = out;
    }
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("fc", Linear{512, 1000});
  return m;
}

}  // namespace

int main(int argc, char** argv) {
  int64_t images = 1000, side = 112;
  CLI::App app("Times the numeric suite on a network of ResNet-18's size against the two forward passes.", "bench_numeric_suite");
  app.add_option("images", images, "pictures")->check(CLI::Range(int64_t{40}, int64_t{1'000'000}))->capture_default_str();
  app.add_option("side", side, "height and width of a picture")->check(CLI::Range(32, 1024))->capture_default_str();
  return tools::run_program(app, argc, argv, [&] {
    std::printf("numeric suite on %lld pictures of %lldx%lld\n", static_cast<long long>(images), static_cast<long long>(side),
                static_cast<long long>(side));
    tools::require_output();
    Model model = resnet18(side);
    Generator g(1);
    initialize(model, g);
    const Tensor x = rand(g, {kBatch, side, side, 3});
    const Model fused = fuse(model, Aim::inference);
    Model prepared = prepare(fused, {{"", octet_qconfig()}});
    calibrate(prepared, {&x, 1});
    const Model int8 = convert(prepared);
    const int64_t count = images / kBatch;
    // Batches are drawn beforehand in a ring: drawing would be the larger part.
    std::vector<Tensor> ring;
    for (int i = 0; i < 4; ++i) ring.push_back(rand(g, {kBatch, side, side, 3}));
    const auto batch = [&](int64_t i) { return ring[i % 4]; };
    const auto timed = [&](const Model& m) {
      Session session(Program::bind(m), {x.shape()});
      session.run({&x, 1});
      const double begin = tools::now();
      for (int64_t i = 0; i < count; ++i) {
        const Tensor in = batch(i);
        session.run({&in, 1});
      }
      return tools::now() - begin;
    };
    const double real = timed(fused), quantized = timed(int8);
    compare(model, int8, {&x, 1});
    const int64_t before = tools::peak_memory();
    compare(model, int8, {4, batch});
    const int64_t few = tools::peak_memory();
    double begin = tools::now();
    compare(model, int8, {count, batch});
    const double all = tools::now() - begin;
    const int64_t many = tools::peak_memory();
    std::printf("%lld images of %lldx%lld: float %.2f s, int8 %.2f s; outputs, shadows and weights %.2f s = %.2f x the two\n",
                static_cast<long long>(images), static_cast<long long>(side), static_cast<long long>(side), real, quantized, all,
                all / (real + quantized));
    std::printf("peak memory %lld MiB, after 40 images %lld MiB, after %lld %lld MiB\n", static_cast<long long>(before >> 20),
                static_cast<long long>(few >> 20), static_cast<long long>(images), static_cast<long long>(many >> 20));
    begin = tools::now();
    const Diagnosis d = diagnose(model, int8, {&x, 1});
    const double one = (real + quantized) / static_cast<double>(count);
    std::printf("diagnosis of %zu layers on %lld images %.2f s = %.1f x the two forward passes\n", d.layers.size(),
                static_cast<long long>(kBatch), tools::now() - begin, (tools::now() - begin) / one);
    return tools::kDone;
  });
}
