// SPDX-License-Identifier: Apache-2.0
// Biases of integer codes: what a file of an integer model holds comes back code by code, beyond what a float32 holds, and whoever
// looks at a bias understands them.
#include <cmath>

#include "engine/module_check.h"
#include "io/model_file.h"
#include "numeric_suite/compare.h"
#include "numeric_suite/diagnose.h"
#include "quant/correct_bias.h"
#include "quant/prune.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;

namespace {

constexpr Rounding kIntegers[] = {Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single};

Model converted(const Model& floats, Rounding rounding) {
  Generator g(3);
  Model prepared = floats;
  prepared.rounding = rounding;
  prepared = prepare(prepared, {{"", octet_device_qconfig()}});
  const Tensor x = randn(g, {8, 5, 5, 4});
  calibrate(prepared, {&x, 1});
  return convert(prepared);
}

Model layers() {
  Model m;
  m.add("x", Input{{1, 5, 5, 4}});
  m.add("conv", Conv2d{.in = 4, .out = 6, .act = Activation::relu});
  m.add("depthwise", Conv2d{.in = 6, .out = 6, .groups = 6});
  m.add("flat", Reshape{{0, -1}});
  m.add("fc", Linear{6, 3});
  Generator g(2);
  initialize(m, g);
  return m;
}

/// The unit of a layer's bias by output channel.
std::vector<float> units(const Model& m, std::string_view path) {
  const Module& module = m[path];
  const float x = m.modules[static_cast<size_t>(module.inputs[0].module)].out_q[0]->scale[0];
  std::vector<float> unit = weight_of(module.params)->qparams()->scale;
  for (float& u : unit) u *= x;
  return unit;
}

/// Every layer's bias as codes in its own unit times `times`.
Model with_codes(Model m, float times = 1) {
  for (Module& module : m.modules) {
    if (!is_weighted(module.op)) continue;
    std::vector<float> unit = units(m, module.path);
    for (float& u : unit) u *= times;
    Tensor& bias = *bias_of(module.params);
    std::vector<int32_t> codes;
    for (int64_t c = 0; c < bias.numel(); ++c)
      codes.push_back(static_cast<int32_t>(std::nearbyint(
          static_cast<double>(bias.data<float>()[c]) / static_cast<double>(unit[unit.size() == 1 ? 0 : static_cast<size_t>(c)]))));
    bias = Tensor::of<int32_t>({bias.numel()}, codes).with(bias_qparams(unit));
  }
  return m;
}

std::vector<int32_t> lowered_codes(const Model& m, std::string_view path) { return lower_tables(m, m.index(path))[0]->bias_codes; }

}  // namespace

TEST_CASE("codes of a bias reach the kernels as they are, in every integer rounding and through a file") {
  for (const Rounding rounding : kIntegers) {
    Model m = with_codes(converted(layers(), rounding));
    // None but the first is a float32, and a double of the unit holds them all.
    const std::vector<int32_t> codes{1 << 24, (1 << 24) + 1, -(1 << 25) - 1, (1 << 30) - 1, 1 - (1 << 30), 77777777};
    Tensor& bias = *bias_of(m["conv"].params);
    bias = Tensor::of<int32_t>({6}, codes).with(*bias.qparams());
    CHECK(lowered_codes(m, "conv") == codes);
    const Model back = parse_model(model_bytes(m, "m"), "m").model;
    REQUIRE(bias_of(back["conv"].params)->dtype() == DType::i32);
    CHECK(lowered_codes(back, "conv") == codes);
    // A float bias cannot say it: the codes of what it can say differ.
    Model floats = m;
    floats["conv"].params["bias"] = dequantize(bias);
    CHECK(lowered_codes(floats, "conv") != codes);
  }
}

TEST_CASE("a model says the same with its biases as floats and as their codes") {
  Generator g(5);
  const Tensor x = randn(g, {3, 5, 5, 4});
  for (const Rounding rounding : kIntegers) {
    const Model floats = converted(layers(), rounding), codes = with_codes(floats);
    CHECK(parameter_bytes(floats) == parameter_bytes(codes));
    for (const char* path : {"conv", "depthwise", "fc"}) {
      REQUIRE(bias_of(codes[path].params)->dtype() == DType::i32);
      CHECK(lowered_codes(floats, path) == lowered_codes(codes, path));
    }
    CHECK(same(infer(floats, {&x, 1})[0], infer(codes, {&x, 1})[0]));
  }
  // Elsewhere a bias is a real number: the nearest float to code times unit.
  const Model real = with_codes(converted(layers(), Rounding::real));
  const std::vector<float> unit = units(real, "conv");
  const Tensor& bias = *bias_of(real["conv"].params);
  for (size_t c = 0; c < 6; ++c)
    CHECK(lower_tables(real, real.index("conv"))[0]->bias[c] ==
          static_cast<float>(bias.data<int32_t>()[c] * static_cast<double>(unit[c])));
}

TEST_CASE("codes of another unit are rounded to the layer's own") {
  for (const Rounding rounding : kIntegers) {
    const Model floats = converted(layers(), rounding);
    const Model fine = with_codes(floats, 0x1p-6F), coarse = with_codes(floats, 5);
    const Tensor &f = *bias_of(fine["conv"].params), &c = *bias_of(coarse["conv"].params);
    for (size_t i = 0; i < 6; ++i) {
      CHECK(lowered_codes(fine, "conv")[i] == std::nearbyint(f.data<int32_t>()[i] / 64.0));
      CHECK(std::abs(lowered_codes(coarse, "conv")[i] - 5.0 * c.data<int32_t>()[i]) <=
            0.5 + 1e-6 * std::abs(5.0 * c.data<int32_t>()[i]));
    }
  }
  Model far = with_codes(converted(layers(), Rounding::fixed_double));
  Tensor& bias = *bias_of(far["fc"].params);
  QParams q = *bias.qparams();
  for (float& s : q.scale) s *= 1e6F;
  bias = Tensor::full({3}, 1e6, DType::i32).with(q);
  CHECK_THROWS_WITH(lower_tables(far, far.index("fc")), Contains("fc: bias ") && Contains("does not fit 32 bits"));
}

TEST_CASE("correction, comparison, diagnosis and pruning read codes of a bias") {
  const Model floats = layers();
  Generator g(6);
  const Tensor x = randn(g, {16, 5, 5, 4});
  const std::vector<Tensor> data{x};
  Model off = with_codes(converted(floats, Rounding::fixed_double));
  Tensor& bias = *bias_of(off["conv"].params);
  const std::vector<float> unit = units(off, "conv");
  for (size_t c = 0; c < 6; ++c) bias.mutable_data<int32_t>()[c] += static_cast<int32_t>(0.5F / unit[c]);
  const auto worst = [&](const Model& m) {
    double most = 0;
    for (const MeanError& e : own_mean_errors(floats, m, data)) most = std::max(most, e.worst());
    return most;
  };
  CHECK(worst(off) > 0.05);
  const Model corrected = correct_bias(floats, off, data);
  REQUIRE(bias_of(corrected["conv"].params)->dtype() == DType::i32);
  CHECK(bias_of(corrected["conv"].params)->qparams()->scale == unit);
  CHECK(worst(corrected) < 1e-4);
  CHECK(compare(floats, corrected, data).output.sqnr_db > compare(floats, off, data).output.sqnr_db + 6);
  const Diagnosis d = diagnose(floats, off, data);
  CHECK(d.layers.size() > 0);
  CHECK_NOTHROW(prune_exact(off));
}

TEST_CASE("what are no codes of a bias is refused by name") {
  const Model m = with_codes(converted(layers(), Rounding::fixed_double));
  const auto refused = [&](const QParams& q, DType dtype, const std::string& why) {
    Model bad = m;
    Tensor t = Tensor::zeros({6}, dtype).with(q);
    bad["conv"].params["bias"] = t;
    CHECK_THROWS_WITH(check_model(bad), Contains("conv.bias: ") && Contains(why));
    CHECK_THROWS_WITH(infer(bad, std::vector{Tensor::zeros({1, 5, 5, 4})}), Contains("conv") && Contains("bias"));
  };
  refused({{1.0F}, {0}, -1, 0, -128, 127}, DType::i8, "codes of all 32 bits around zero");
  refused({{1.0F}, {1}, -1, 0, INT32_MIN, INT32_MAX}, DType::i32, "around zero");
  refused({{1.0F}, {0}, -1, 0, -1000, 1000}, DType::i32, "codes of all 32 bits");
  Model bare = m;
  bare["conv"].params["bias"] = Tensor::zeros({6}, DType::i32);
  CHECK_THROWS_WITH(check_model(bare), Contains("conv: expected bias of floats or codes, got i32"));
  Model sixteen = m;  // 16 bits an activation's
  sixteen["fc"].params["weight"] = Tensor::zeros({3, 6}, DType::i16).with({{1}, {0}, -1, 0, -32768, 32767});
  CHECK_THROWS_WITH(check_module(sixteen["fc"], "fc"), Contains("fc.weight: weights have 8 bits, got codes -32768..32767"));
  Model weight = m;  // 32 bits are a bias's alone
  weight["fc"].params["weight"] = Tensor::zeros({3, 6}, DType::i32).with(bias_qparams({1.0F}));
  CHECK_THROWS_WITH(check_model(weight), Contains("fc.weight: ") && Contains("fit neither u8, i8 nor i16"));
}
