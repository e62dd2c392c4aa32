// SPDX-License-Identifier: Apache-2.0
// ConvTranspose2d against sums written the other way: every input element adds its kernel to the output. Codes against the float
// layer, derivatives by finite differences.
#include <cmath>

#include "engine/model.h"
#include "tests/catch.h"
#include "tests/engine/gradient_check.h"
#include "tests/kernels/fills.h"

using namespace octet;

namespace {

Model one_layer(const ConvTranspose2d& op, const Shape& x) {
  Model m;
  m.add("x", Input{x});
  m.add("f", op);
  return m;
}

/// y[n, i s + k d - p, o] += x[n, i, c] w[o, k, c], by group.
std::vector<double> scattered(const ConvTranspose2d& op, const Tensor& x, const Tensor& w, const Tensor& bias, const Shape& y) {
  std::vector<double> sums(static_cast<size_t>(numel(y)));
  const int64_t from = op.in / op.groups, own = op.out / op.groups;
  const auto px = x.data<float>(), pw = w.data<float>(), pb = bias.data<float>();
  const auto at = [](const Shape& s, int64_t a, int64_t b, int64_t c, int64_t d) {
    return static_cast<size_t>(((a * s[1] + b) * s[2] + c) * s[3] + d);
  };
  for (int64_t i = 0; i < numel(y); ++i) sums[static_cast<size_t>(i)] = static_cast<double>(pb[static_cast<size_t>(i % op.out)]);
  for (int64_t n = 0; n < x.size(0); ++n)
    for (int64_t h = 0; h < x.size(1); ++h)
      for (int64_t v = 0; v < x.size(2); ++v)
        for (int64_t o = 0; o < op.out; ++o)
          for (int64_t kh = 0; kh < op.kernel.h; ++kh)
            for (int64_t kw = 0; kw < op.kernel.w; ++kw) {
              const int64_t yh = h * op.stride.h + kh * op.dilation.h - op.padding.top;
              const int64_t yw = v * op.stride.w + kw * op.dilation.w - op.padding.left;
              if (yh < 0 || yh >= y[1] || yw < 0 || yw >= y[2]) continue;
              for (int64_t c = 0; c < from; ++c)
                sums[at(y, n, yh, yw, o)] += static_cast<double>(px[at(x.shape(), n, h, v, o / own * from + c)]) *
                                             static_cast<double>(pw[at(w.shape(), o, kh, kw, c)]);
            }
  return sums;
}

const ConvTranspose2d kLayers[] = {
    {.in = 3, .out = 4},
    {.in = 4, .out = 6, .kernel = {3, 2}, .stride = {2, 3}, .padding = {1, 0, 0, 1}, .output_padding = {1, 2}, .groups = 2},
    {.in = 4, .out = 4, .kernel = {4, 4}, .stride = {2, 2}, .padding = {1, 1, 1, 1}, .groups = 4},
    {.in = 2, .out = 3, .kernel = {3, 3}, .stride = {1, 2}, .dilation = {2, 2}, .padding = {5, 0, 0, 3}},
    {.in = 5, .out = 2, .kernel = {1, 1}, .stride = {3, 3}, .bias = false, .act = Activation::relu}};

}  // namespace

TEST_CASE("a transposed convolution adds the kernel of every input element, in floats and in codes") {
  Generator g(9);
  for (const ConvTranspose2d& op : kLayers) {
    Model m = one_layer(op, {2, 4, 5, op.in});
    initialize(m, g);
    const Tensor x = randn(g, {2, 4, 5, op.in});
    const Shape y = m.modules[1].nominal[0];
    const int64_t long_h = 3 * op.stride.h - op.padding.top - op.padding.bottom + op.dilation.h * (op.kernel.h - 1) + 1;
    REQUIRE(y[1] == long_h + op.output_padding.h);
    const Params& params = m.modules[1].params;
    const Tensor bias = op.bias ? params.at("bias") : Tensor::zeros({op.out}, DType::f32);
    const std::vector<double> sums = scattered(op, x, params.at("weight"), bias, y);
    const Tensor got = infer(m, {{x}})[0];
    for (size_t i = 0; i < sums.size(); ++i)
      REQUIRE(static_cast<double>(got.data<float>()[i]) ==
              Approx(op.act == Activation::relu ? std::max(sums[i], 0.0) : sums[i]).margin(1e-5));

    for (const Rounding rounding : octet::testing::kRoundings)
      for (const bool i8 : {false, true}) {
        Model int8 = m;
        int8.rounding = rounding;
        const QParams qx{{0.03F}, {i8 ? -20 : 100}, -1, 0, i8 ? -128 : 0, i8 ? 127 : 255};
        const QParams qw{std::vector<float>(static_cast<size_t>(op.out), 0.004F),
                         std::vector<int32_t>(static_cast<size_t>(op.out), 0),
                         0,
                         0,
                         -128,
                         127};
        const QParams qy{{0.02F}, {5}, -1, 0, -128, 127};
        Tensor& weight = int8.modules[1].params["weight"];
        weight = quantize(weight, qw);
        int8.modules[0].out_q = {qx}, int8.modules[1].out_q = {qy};
        REQUIRE(runs_quantized(int8, 1));
        const Tensor codes = quantize(x, qx);
        const Tensor integers = infer(int8, {{codes}})[0];
        const std::vector<double> exact = scattered(op, dequantize(codes), dequantize(weight), bias, y);
        for (int64_t i = 0; i < integers.numel(); ++i) {
          double real = exact[static_cast<size_t>(i)];
          if (op.act == Activation::relu) real = std::max(real, 0.0);
          const double want = std::clamp(real / 0.02 + 5, -128.0, 127.0);
          REQUIRE(std::abs(integers.data<int8_t>()[i] - want) < 0.8);
        }
      }
  }
}

TEST_CASE("derivatives of a transposed convolution are those of finite differences") {
  for (const ConvTranspose2d& op : kLayers) gradient_check::check_op(op, {{2, 3, 4, op.in}});
}

TEST_CASE("a transposed convolution of stride 1 is the convolution turned, and draws PyTorch's numbers") {
  Generator g(4), again(4);
  Model m = one_layer({.in = 2, .out = 3, .kernel = {1, 2}}, {1, 2, 2, 2});
  initialize(m, g);
  // PyTorch draws [in, out, kH, kW] in order.
  const double bound = 1 / std::sqrt(3.0 * 2);
  const Tensor drawn = uniform(again, {2, 3, 1, 2}, -bound, bound);
  const auto w = m.modules[1].params.at("weight").data<float>();
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t o = 0; o < 3; ++o)
      for (int64_t k = 0; k < 2; ++k)
        CHECK(w[static_cast<size_t>((o * 2 + k) * 2 + i)] == Approx(drawn.data<float>()[static_cast<size_t>((i * 3 + o) * 2 + k)]));
}

TEST_CASE("a transposed convolution refuses impossible attributes by name") {
  const auto with = [](ConvTranspose2d op) {
    op.in = 4, op.out = 4;
    return op;
  };
  CHECK_THROWS_WITH(one_layer(with({.stride = {0, 1}}), {1, 3, 3, 4}), "f: kernel, stride and dilation must be positive");
  CHECK_THROWS_WITH(one_layer(with({.output_padding = {1, 0}}), {1, 3, 3, 4}),
                    "f: output padding 1x0 must be less than stride or dilation");
  CHECK_THROWS_WITH(one_layer(with({.padding = {3, 0, 3, 0}}), {1, 3, 3, 4}), "f: padding takes the whole output away");
  CHECK_THROWS_WITH(one_layer(with({.groups = 3}), {1, 3, 3, 4}), "f: groups 3 must divide the channels 4 and 4");
  CHECK_THROWS_WITH(one_layer(with({}), {1, 3, 3, 5}), Catch::Matchers::StartsWith("f: expected 4 input channels, got 5"));
}
