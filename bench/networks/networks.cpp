// SPDX-License-Identifier: Apache-2.0
// The list of networks, and the way from a float network to what runs.
#include "bench/networks/networks.h"

#include <algorithm>

#include "bench/networks/mobilenet.h"
#include "bench/networks/resnet.h"
#include "bench/networks/small.h"
#include "bench/networks/unet.h"
#include "bench/networks/vit.h"
#include "examples/fashion_mnist/network.h"
#include "quant/quantize.h"

namespace octet::bench {
namespace {

const Module& input_of(const Model& m) {
  const auto found = std::ranges::find_if(m.modules, [](const Module& x) { return std::holds_alternative<Input>(x.op); });
  check(found != m.modules.end(), "a network without an input");
  return *found;
}

/// Pictures that settle and calibrate a network: many of a small one, a few of a large one.
int64_t batch_for(const Model& m) { return std::clamp<int64_t>(200'000 / numel(input_of(m).nominal[0]), 2, 32); }

constexpr int kPasses = 2;

}  // namespace

const std::vector<Network>& networks() {
  static const std::vector<Network> all = {
      {"floor", call_floor, 0},
      {"multiple_ops", multiple_ops, 3},
      {"autoencoder", autoencoder, 10},
      {"dscnn", dscnn, 10},
      {"demo", demo::network, 8, 64},
      {"resnet8", resnet8, 10},
      {"mobilenetv1_025_96", mobilenetv1_025_96, 28},
      {"small_cnn", small_cnn, 4, 64},
      {"mobilenetv3_small", mobilenetv3_small, 54},
      {"shufflenetv2", shufflenetv2, 57},
      {"unet", unet, 18},
      {"mobilenetv2", mobilenetv2, 53},
      {"resnet18_32", resnet18_32, 21, 32},
      {"efficientnet_b0", efficientnet_b0, 82},
      {"vit_tiny", vit_tiny, 50},
      {"resnet18", resnet18, 21},
      {"resnet50", resnet50, 54},
  };
  return all;
}

const Network& network(std::string_view name) {
  std::string names;
  for (const Network& n : networks()) {
    if (n.name == name) return n;
    names += (names.empty() ? "" : ", ");
    names += n.name;
  }
  fail("no network \"", name, "\"; there are ", names);
}

Tensor inputs_of(const Model& m, int64_t batch, uint64_t seed) {
  Shape shape = input_of(m).nominal[0];
  shape[0] = batch;
  Generator g(seed);
  return randn(g, shape);
}

Model settled(const Network& n) {
  Model m = n.build();
  Generator g(1);
  initialize(m, g);
  // Momentum 1, 1/2, …: the running statistics become the mean over the passes.
  std::vector<std::pair<BatchNorm*, double>> norms;
  for (Module& module : m.modules)
    if (auto* norm = std::get_if<BatchNorm>(&module.op)) norms.emplace_back(norm, norm->momentum);
  for (int pass = 1; pass <= kPasses && !norms.empty(); ++pass) {
    for (const auto& entry : norms) entry.first->momentum = 1.0 / pass;
    const Tensor x = inputs_of(m, batch_for(m), 100 + static_cast<uint64_t>(pass));
    forward(m, {&x, 1}, Mode::train);
  }
  for (const auto& [norm, momentum] : norms) norm->momentum = momentum;
  return m;
}

Model float_form(const Model& settled) { return fuse(settled, Aim::inference); }

Model int8_form(const Network& n, const Model& settled) {
  Model prepared = prepare(float_form(settled), {{"", octet_qconfig()}});
  calibrate(prepared, {kPasses, [&](int64_t i) { return inputs_of(settled, batch_for(settled), 200 + static_cast<uint64_t>(i)); }});
  Model int8 = convert(prepared);
  const QuantizationSummary s = summarize(int8);
  check(s.weighted == n.weighted && s.int8_kernels == n.weighted, n.name, ": ", s.int8_kernels, " int8 kernels of ", s.weighted,
        " weighted layers, expected ", n.weighted);
  return int8;
}

}  // namespace octet::bench
