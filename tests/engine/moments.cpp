// SPDX-License-Identifier: Apache-2.0
// Running statistics of batch norms, alone and trained with a convolution, against sums in double written out here; and that a
// trained layer computes in eval what will be deployed, to the bit.
#include <cmath>
#include <cstring>

#include "engine/model.h"
#include "engine/random.h"
#include "quant/quantize.h"
#include "tests/catch.h"

using namespace octet;

namespace {

struct Running {
  std::vector<double> mean, variance;
};

/// next = (1 - momentum) * running + momentum * batch; the batch's variance over n - 1.
void follow(Running& e, const Tensor& x, double momentum) {
  const auto channels = static_cast<size_t>(x.shape().back());
  const auto n = static_cast<size_t>(x.numel()) / channels;
  for (size_t c = 0; c < channels; ++c) {
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; ++i) mean += x.data<double>()[i * channels + c];
    mean /= static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) squares += std::pow(x.data<double>()[i * channels + c] - mean, 2);
    e.mean[c] = (1 - momentum) * e.mean[c] + momentum * mean;
    e.variance[c] = (1 - momentum) * e.variance[c] + momentum * squares / static_cast<double>(n - 1);
  }
}

void check_near(const Tensor& got, const std::vector<double>& expected, double tolerance) {
  REQUIRE(got.numel() == static_cast<int64_t>(expected.size()));
  for (size_t c = 0; c < expected.size(); ++c) CHECK(got.data<double>()[c] == Approx(expected[c]).epsilon(tolerance));
}

Model conv_bn(bool bias, double momentum) {
  Model m;
  m.add("x", Input{{2, 5, 5, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 4, .padding = pad_all(1), .bias = bias});
  m.add("bn", BatchNorm{.channels = 4, .momentum = momentum});
  Generator g(3);
  initialize(m, g);
  return m;
}

}  // namespace

TEST_CASE("a batch norm's running statistics follow the batches, variance over n - 1, by its momentum") {
  for (const double momentum : {0.1, 0.3, 1.0}) {
    Model m;
    m.add("x", Input{{4, 3}});
    m.add("bn", BatchNorm{.channels = 3, .momentum = momentum});
    Generator g(1);
    initialize(m, g);
    m = cast(m, DType::f64);
    Running e{{0, 0, 0}, {1, 1, 1}};
    for (const int64_t n : {2, 3, 7, 4}) {
      Tensor x = rand(g, {n, 3}, DType::f64);
      for (double& v : x.mutable_data<double>()) v = 3 * v + 2;
      forward(m, {&x, 1}, Mode::train);
      follow(e, x, momentum);
      check_near(m["bn"].params.at("running_mean"), e.mean, 1e-12);
      check_near(m["bn"].params.at("running_var"), e.variance, 1e-12);
    }
  }
}

TEST_CASE("a convolution trained with its batch norm follows the statistics of its own output, bias included") {
  for (const bool bias : {true, false}) {
    const Model separate = cast(conv_bn(bias, 0.3), DType::f64);
    Model fused = fuse(separate, Aim::training);
    REQUIRE(std::holds_alternative<ConvBn2d>(fused["conv"].op));
    Model conv = separate;
    conv.outputs = {{1, 0}};
    Running e{{0, 0, 0, 0}, {1, 1, 1, 1}};
    Generator g(5);
    for (int step = 0; step < 3; ++step) {
      const Tensor x = rand(g, {2, 5, 5, 3}, DType::f64);
      follow(e, infer(conv, {&x, 1})[0], 0.3);
      forward(fused, {&x, 1}, Mode::train);
      check_near(fused["conv"].params.at("bn.running_mean"), e.mean, 1e-10);
      check_near(fused["conv"].params.at("bn.running_var"), e.variance, 1e-10);
    }
  }
}

TEST_CASE("statistics stay those of the convolution when gamma is tiny, denormal, zero or negative") {
  for (const float gamma : {1e-12F, 1e-16F, 1e-20F, 1e-39F, 1e-45F, 0.0F, -1e-20F, -0.5F}) {
    CAPTURE(gamma);
    Model separate = conv_bn(true, 0.5);
    separate["bn"].params["weight"] = Tensor::full({4}, static_cast<double>(gamma));
    Model fused = fuse(separate, Aim::training);
    Generator g(6);
    for (int step = 0; step < 2; ++step) {
      const Tensor x = randn(g, {2, 5, 5, 3});
      forward(separate, {&x, 1}, Mode::train);
      forward(fused, {&x, 1}, Mode::train);
    }
    for (const char* name : {"running_mean", "running_var"})
      for (size_t c = 0; c < 4; ++c) {
        const float a = separate["bn"].params.at(name).data<float>()[c];
        const float b = fused["conv"].params.at(std::string("bn.") + name).data<float>()[c];
        REQUIRE(std::isfinite(b));
        CHECK(b == Approx(a).epsilon(1e-4).margin(1e-5));
      }
  }
}

TEST_CASE("a trained convolution with batch norm gives in eval what fusing for inference deploys, to the bit") {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Model m = conv_bn(seed % 2 == 0, 0.1);
    Generator g(seed);
    for (const char* name : {"weight", "bias", "running_mean"}) m["bn"].params[name] = randn(g, {4});
    m["bn"].params["running_var"] = uniform(g, {4}, 0.1, 3);
    Model trained = fuse(m, Aim::training);
    const Model deployed = fuse(m, Aim::inference);
    const Tensor x = randn(g, {2, 5, 5, 3});
    const Tensor a = forward(trained, {&x, 1}, Mode::eval)[0].value(), b = infer(deployed, {&x, 1})[0];
    REQUIRE(a.shape() == b.shape());
    CHECK(std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
  }
}
