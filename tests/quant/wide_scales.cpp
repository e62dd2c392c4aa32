// SPDX-License-Identifier: Apache-2.0
// Scales of 16-bit codes where they are hard to choose: tiny weights beside ordinary biases, wires that are always 0, calls of two
// widths, and whole pipelines whose configuration has 16 bits.
#include <cmath>

#include "engine/ops/wide.h"
#include "quant/data_free.h"
#include "quant/observers/range.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/quant/support.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace octet::wide_scales {
namespace {

Tensor pictures(const Shape& shape, uint64_t seed = 1) {
  Generator g(seed);
  return randn(g, shape);
}

Model converted(const Model& m, const Tensor& data, const QConfig& config) {
  Model prepared = prepare(m, {{"", config}});
  calibrate(prepared, {&data, 1});
  return convert(prepared);
}

double largest_error(const Model& real, const Model& codes, const Tensor& x) {
  const Tensor a = infer(real, {&x, 1})[0], b = dequantize(infer(codes, {&x, 1})[0]);
  double worst = 0;
  for (int64_t i = 0; i < a.numel(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i])));
  return worst;
}

Model convolution(float weight, float bias) {
  Model m;
  m.rounding = Rounding::fixed_double;
  m.add("x", Input{{1, 4, 4, 2}});
  m.add("conv", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}});
  m["conv"].params["weight"] = Tensor::of<float>({2, 1, 1, 2}, std::vector<float>{0.5F, -0.25F, weight / 2, -weight / 4});
  m["conv"].params["bias"] = of({0, bias});
  return m;
}

/// A layer that gives 0 whatever it reads, a function of it, and a layer behind.
Model dead(const Op& function) {
  Model m;
  m.rounding = Rounding::fixed_double;
  m.add("x", Input{{1, 1, 1, 2}});
  m.add("dead", Conv2d{.in = 2, .out = 2, .kernel = {1, 1}, .act = Activation::relu});
  m.add("f", function);
  m.add("last", Conv2d{.in = 2, .out = 1, .kernel = {1, 1}});
  Generator g(1);
  initialize(m, g);
  m["dead"].params["weight"] = Tensor::zeros({2, 1, 1, 2}), m["dead"].params["bias"] = of({-1, -1});
  m["last"].params["weight"] = Tensor::full({1, 1, 1, 2}, 0.5), m["last"].params["bias"] = of({2});
  return m;
}

}  // namespace

TEST_CASE("a channel of tiny weights keeps its bias at 16 bits as at 8") {
  const Tensor x = pictures({1, 4, 4, 2});
  for (const float weight : {1e-3F, 1e-6F, 1e-8F, 1e-10F, 1e-12F, 1e-20F})
    for (const bool wide : {false, true}) {
      CAPTURE(weight, wide);
      const Model m = convolution(weight, 0.15F);
      const Model q = converted(m, x, wide ? octet_16x8_qconfig() : octet_device_qconfig());
      CHECK(largest_error(m, q, x) < (wide ? 5e-3 : 2e-2));
      const ModuleTables tables = lower_tables(q, 1);
      REQUIRE(tables.size() == 1);
      CHECK(tables[0]->multiplier[1] > 0);
    }
}

TEST_CASE("a 16-bit channel whose sums would all be rescaled to 0 is refused by name, but for a file's integer biases") {
  const Tensor x = pictures({1, 4, 4, 2});
  Model q = converted(convolution(1, 0.15F), x, octet_16x8_qconfig());
  Tensor& weight = q["conv"].params.at("weight");
  QParams tiny = *weight.qparams();
  tiny.scale[1] = 4e-11F;
  weight = Tensor(weight).with(tiny);
  CHECK_THROWS_WITH(lower_tables(q, 1),
                    Contains("conv: channel 1 would be 0 whatever it reads") && Contains("keep this layer float"));
  // A bias that adds less than half a code is lost in no other way than by rounding.
  Model small = q;
  small["conv"].params["bias"] = of({0, 1e-8F});
  CHECK(lower_tables(small, 1)[0]->multiplier[1] == 0);
  Model codes = q;
  codes["conv"].params["bias"] =
      Tensor::of<int32_t>({2}, std::vector<int32_t>{0, 1'000'000'000}).with({tiny.scale, {0, 0}, 0, 0, INT32_MIN, INT32_MAX});
  CHECK_NOTHROW(static_cast<void>(lower_tables(codes, 1)));
}

TEST_CASE("a wire that is always 0 has the scale of values up to 1 at 16 bits, and PyTorch's 1 at 8") {
  const std::vector<float> zero{0};
  ObserverSpec spec{.dtype = DType::i16, .scheme = QScheme::per_tensor_symmetric, .eps = 0};
  CHECK(calculate_qparams(zero, zero, spec).scale[0] == 0x1p-15F);
  spec.quant_range = {-100, 100};  // codes of 8 bits after all
  CHECK(calculate_qparams(zero, zero, spec).scale[0] == 1);
  CHECK(calculate_qparams(zero, zero, {.dtype = DType::i8, .eps = 0}).scale[0] == 1);
  CHECK(calculate_qparams(zero, zero, {.dtype = DType::u8, .eps = 0}).scale[0] == 1);
  const std::vector<float> two{0, 3};
  ObserverSpec each{.dtype = DType::i8, .scheme = QScheme::per_channel_symmetric, .eps = 0};
  const QParams q = calculate_qparams(std::vector<float>{0, 0}, two, each);
  CHECK(q.scale[0] == q.scale[1]);

  const Tensor x = pictures({1, 1, 1, 2});
  for (const Op& function : {Op(PRelu{1}), Op(Unary{UnaryFn::neg}), Op(Unary{UnaryFn::abs})})
    for (const bool wide : {false, true}) {
      CAPTURE(name_of(function), wide);
      const Model m = dead(function);
      CHECK(largest_error(m, converted(m, x, wide ? octet_16x8_qconfig() : octet_device_qconfig()), x) < (wide ? 1e-3 : 0.02));
    }
}

TEST_CASE("a call that shares its owner's codes has their width, or is refused by name") {
  Model m;
  m.rounding = Rounding::fixed_double;
  m.add("x", Input{{1, 4, 4, 3}});
  m.add("a", Conv2d{.in = 3, .out = 3, .kernel = {1, 1}});
  m.add_tied("b", "a");
  m.add("c", Conv2d{.in = 3, .out = 2});
  Generator g(1);
  initialize(m, g);
  const Tensor x = pictures({2, 4, 4, 3}, 2);
  for (const char* wide : {"a", "b"}) {
    const QConfigMap map{{"", octet_device_qconfig()}, {wide, octet_16x8_qconfig()}};
    CHECK_THROWS_WITH(prepare(m, map, Ties::shared),
                      Contains("b: a call of a that shares its codes, with a configuration of another width; give both the same"));
    Model own = prepare(m, map, Ties::own);
    calibrate(own, {&x, 1});
    CHECK(largest_error(m, convert(own), x) < 0.1);
  }
  Model shared = prepare(m, {{"", octet_device_qconfig()}, {"a", octet_16x8_qconfig()}, {"b", octet_16x8_qconfig()}}, Ties::shared);
  calibrate(shared, {&x, 1});
  CHECK(largest_error(m, convert(shared), x) < 0.1);
}

TEST_CASE("the width of an observer's codes is the width of the codes it gives") {
  Model m;
  m.rounding = Rounding::fixed_double;
  m.add("x", Input{{1, 4}});
  m.add("fc", Linear{4, 3});
  m.add("fd", Linear{3, 3});
  Generator g(1);
  initialize(m, g);
  QConfig odd = octet_16x8_qconfig();  // neither u8 nor i8 holds these
  odd.activation.emplace(std::make_unique<MinMaxObserver>(ObserverSpec{
                             .dtype = DType::i16, .scheme = QScheme::per_tensor_symmetric, .quant_range = std::pair{-100, 200}}),
                         true, false);
  CHECK(code_bits(*odd.activation) == 16);
  CHECK(code_bits(*octet_qconfig().activation) == 8);
  CHECK(code_bits(*octet_16x8_qconfig().activation) == 16);
  const Tensor x = pictures({8, 4});
  Model prepared = prepare(m, {{"", octet_device_qconfig()}, {"fc", odd}});
  calibrate(prepared, {&x, 1});
  const Model q = convert(prepared);
  CHECK(has_wide_codes(*q["fc"].out_q[0]));
  CHECK(q.find("x.quant").has_value());
  CHECK_NOTHROW(static_cast<void>(infer(q, {&x, 1})));
  m.rounding = Rounding::real;
  CHECK_THROWS_WITH(prepare(m, {{"fc", odd}}), Contains("fc: 16-bit activations need rounding"));
}

TEST_CASE("data-free quantization at 16 bits takes a network with a residual") {
  Model m;
  m.rounding = Rounding::fixed_double;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("c1", Conv2d{.in = 3, .out = 8, .padding = pad_all(1), .bias = false});
  m.add("b1", BatchNorm{8});
  const int a = m.add("r1", Unary{UnaryFn::relu});
  m.add("c2", Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .bias = false});
  const int b = m.add("b2", BatchNorm{8});
  m.add("sum", Binary{}, {b, a});
  m.add("c3", Conv2d{.in = 8, .out = 4, .bias = false});
  m.add("b3", BatchNorm{4});
  Generator g(1);
  initialize(m, g);
  Tensor x = pictures({16, 8, 8, 3}, 5);
  for (float& v : x.mutable_data<float>()) v = std::clamp(0.5F + 0.2F * v, 0.0F, 1.0F);
  for (int i = 0; i < 60; ++i) static_cast<void>(forward(m, {&x, 1}, Mode::train));
  const auto quantized = [&](const QConfig& config) {
    return data_free(m, {.input = {0, 1, 0.5, 0.2}, .qconfig = config}).quantized;
  };
  const Model wide = quantized(octet_16x8_qconfig());
  CHECK(has_wide_codes(*wide["sum"].out_q[0]));
  CHECK(largest_error(m, wide, x) < 0.5);
  const Model narrow = quantized(octet_device_qconfig());
  CHECK_FALSE(narrow.find("sum").has_value());
}

}  // namespace octet::wide_scales
