// SPDX-License-Identifier: Apache-2.0
// What lower() gives the kernels, number by number, against the formulas of docs/architecture.md 4 written out once more: the
// kernels' own tests start from these arguments and cannot see a wrong one.
#include <algorithm>
#include <cmath>

#include "engine/model.h"
#include "engine/module_check.h"
#include "engine/random.h"
#include "kernels/ref/ref16.h"
#include "tests/catch.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

constexpr Rounding kIntegers[] = {Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single};

QParams u8(float scale, int32_t zero) { return {{scale}, {zero}, -1, 0, 0, 255}; }
QParams i8(float scale, int32_t zero) { return {{scale}, {zero}, -1, 0, -128, 127}; }

/// x -> op with weights of these codes and parameters, all on codes.
Model layer(Op op, const Shape& x, const QParams& in, const QParams& out, Rounding rounding) {
  Model m;
  m.rounding = rounding;
  m.add("x", Input{x});
  m.add("op", std::move(op));
  m.modules[0].out_q = {in}, m.modules[1].out_q = {out};
  return m;
}

Tensor weights(const Shape& shape, const std::vector<int8_t>& codes, const QParams& q) {
  return Tensor::of<int8_t>(shape, codes).with(q);
}

Lowered lowered(const Model& m) {
  std::vector<Shape> in;
  for (const Wire& w : m.modules.back().inputs) in.push_back(m.modules[static_cast<size_t>(w.module)].nominal[0]);
  return lower(m, static_cast<int>(m.modules.size()) - 1, in);
}

float between(Generator& g, float lo, float hi) { return lo + (hi - lo) * g.uniform(); }

/// Mantissa of 31 bits, rounded half away, and exponent.
std::pair<int32_t, int32_t> multiplier_of(double real) {
  int exponent = 0;
  while (real >= 1) real /= 2, ++exponent;
  while (real < 0.5) real *= 2, --exponent;
  const double mantissa = std::floor(real * 2147483648.0 + 0.5);
  return mantissa == 2147483648.0 ? std::pair{1 << 30, exponent + 1} : std::pair{static_cast<int32_t>(mantissa), exponent};
}

}  // namespace

TEST_CASE("the bound of a sum counts the worse end of the input's codes, and the bias where it is an integer") {
  Generator g(1);
  for (const QParams& in : {u8(0.02F, 0), u8(0.02F, 255), u8(0.02F, 100), i8(0.02F, -128), i8(0.02F, 127), i8(0.02F, 5)})
    for (const Rounding rounding : {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single}) {
      Model m = layer(Linear{.in = 7, .out = 3}, {1, 7}, in, u8(0.1F, 3), rounding);
      std::vector<int8_t> w(21);
      for (int8_t& v : w) v = static_cast<int8_t>(g.integer(-128, 128));
      QParams q{{0.01F, 0.02F, 0.03F}, {0, -3, 5}, 0, 0, -128, 127};
      m.modules[1].params["weight"] = weights({3, 7}, w, q);
      const std::vector<float> bias{1, -20, 4};
      m.modules[1].params["bias"] = Tensor::of<float>({3}, bias);
      int64_t most = 0;
      for (size_t c = 0; c < 3; ++c) {
        int64_t bound = 0;
        for (size_t i = 0; i < 7; ++i) {
          const int64_t d = w[c * 7 + i] - q.zero_point[c];
          bound += std::max(std::abs(d * (in.qmin - in.zero_point[0])), std::abs(d * (in.qmax - in.zero_point[0])));
        }
        const double unit = static_cast<double>(in.scale[0]) * static_cast<double>(q.scale[c]);
        if (rounding != Rounding::real) bound += std::abs(std::llrint(static_cast<double>(bias[c]) / unit));
        most = std::max(most, bound);
      }
      CHECK(lowered(m).calls[0].blobs->accumulator_bound == most);
    }
}

TEST_CASE("a sum that only its bias takes beyond 32 bits is refused, one that just fits is not") {
  for (const Rounding rounding : kIntegers)
    for (const float bias : {2147400000.0F, -2147400000.0F}) {
      Model m = layer(Linear{.in = 8, .out = 1}, {1, 8}, u8(1, 0), u8(1e7F, 3), rounding);
      m.modules[1].params["bias"] = Tensor::of<float>({1}, std::vector<float>{bias});
      const QParams q{{1}, {0}, -1, 0, -128, 127};
      m.modules[1].params["weight"] = weights({1, 8}, std::vector<int8_t>(8, 10), q);  // sums up to 20,400
      CHECK(lowered(m).calls[0].blobs->accumulator_bound == std::llrint(std::abs(bias)) + 20400);
      m.modules[1].params["weight"] = weights({1, 8}, std::vector<int8_t>(8, 127), q);  // up to 259,080
      CHECK_THROWS_WITH(lowered(m), Contains("op: the sum of channel 0 can reach"));
    }
}

TEST_CASE("an activation's limit is the code that its rounding gives that number, ties included") {
  struct Row {
    Rounding rounding;
    bool sum;  // an addition rounds before it adds the zero point in every rounding
    float scale;
    int32_t zero, six;
  };
  // 6/4 = 1.5 and 6/12 = 0.5. "real" layers round after the zero point is added: 1.5 + 1 -> 2, 1.5 + 2 -> 4.
  constexpr Row kRows[] = {{Rounding::real, false, 4, 1, 2},          {Rounding::real, false, 4, 2, 4},
                           {Rounding::real, true, 4, 1, 3},           {Rounding::real, true, 4, 2, 4},
                           {Rounding::int_bias, false, 4, 1, 3},      {Rounding::int_bias, false, 12, 7, 7},
                           {Rounding::int_bias, true, 12, 7, 7},      {Rounding::fixed_double, false, 4, 1, 3},
                           {Rounding::fixed_double, false, 12, 7, 8}, {Rounding::fixed_single, false, 12, 7, 8},
                           {Rounding::fixed_double, true, 12, 7, 8},  {Rounding::fixed_single, true, 12, 7, 8}};
  for (const Row& row : kRows)
    for (const Activation act : {Activation::none, Activation::relu, Activation::relu6})
      for (const bool linear : {true, false}) {
        CAPTURE(to_string(row.rounding), row.sum, row.scale, row.zero, act.hi, linear);
        const QParams out = u8(row.scale, row.zero);
        Model m;
        if (row.sum) {
          m = layer(Unary{}, {1, 4}, u8(1, 0), out, row.rounding);
          m.modules[1] = {.path = "op", .op = Binary{.act = act}, .inputs = {{0, 0}, {0, 0}}, .nominal = {{1, 4}}};
          m.modules[1].out_q = {out};
        } else if (linear) {
          m = layer(Linear{.in = 4, .out = 1, .bias = false, .act = act}, {1, 4}, u8(1, 0), out, row.rounding);
          m.modules[1].params["weight"] = weights({1, 4}, {1, 2, 3, 4}, {{1}, {0}, -1, 0, -128, 127});
        } else {
          m = layer(Conv2d{.in = 4, .out = 1, .kernel = {1, 1}, .bias = false, .act = act}, {1, 1, 1, 4}, u8(1, 0), out,
                    row.rounding);
          m.modules[1].params["weight"] = weights({1, 1, 1, 4}, {1, 2, 3, 4}, {{1}, {0}, -1, 0, -128, 127});
        }
        const kernels::OutputArgs o = std::visit(
            [](const auto& a) -> kernels::OutputArgs {
              if constexpr (requires { a.output; }) return a.output;
              return {};
            },
            lowered(m).calls[0].args);
        CHECK(o.zero_point == row.zero);
        CHECK(o.clamp_min == (act == Activation::none ? 0 : row.zero));
        CHECK(o.clamp_max == (act == Activation::relu6 ? row.six : 255));
      }
}

TEST_CASE("integer roundings: bias codes, multipliers and scales from the products their runtimes form") {
  Generator g(2);
  int float_differs = 0;
  for (int i = 0; i < 200; ++i)
    for (const bool linear : {true, false})
      for (const bool per_channel : {true, false})
        for (const Rounding rounding : kIntegers) {
          const float sx = between(g, 0.01F, 0.1F), so = between(g, 0.01F, 0.1F);
          const QParams q{{between(g, 0.001F, 0.01F)}, {0}, per_channel ? 0 : -1, 0, -128, 127};
          const float bias = between(g, -1, 1);
          Model m = linear ? layer(Linear{.in = 3, .out = 1}, {1, 3}, u8(sx, 3), u8(so, 4), rounding)
                           : layer(Conv2d{.in = 3, .out = 1, .kernel = {1, 1}}, {1, 1, 1, 3}, u8(sx, 3), u8(so, 4), rounding);
          m.modules[1].params["weight"] = weights(linear ? Shape{1, 3} : Shape{1, 1, 1, 3}, {1, -2, 3}, q);
          m.modules[1].params["bias"] = Tensor::of<float>({1}, std::vector<float>{bias});
          const Lowered all = lowered(m);
          const Blobs& b = *all.calls[0].blobs;
          const float single = sx * q.scale[0];
          const double exact = static_cast<double>(sx) * static_cast<double>(q.scale[0]);
          CHECK(b.bias_codes == std::vector<int32_t>{static_cast<int32_t>(std::llrint(static_cast<double>(bias) / exact))});
          if (rounding == Rounding::int_bias) {
            CHECK(b.scale == std::vector<float>{single / so});
            CHECK(b.multiplier.empty());
            continue;
          }
          // TensorFlow Lite multiplies the scales of a per-tensor dense layer in float32, all others in double.
          const bool in_float = linear && !per_channel;
          const auto [m31, shift] = multiplier_of((in_float ? static_cast<double>(single) : exact) / static_cast<double>(so));
          CHECK(b.multiplier == std::vector<int32_t>{m31});
          CHECK(b.shift == std::vector<int32_t>{shift});
          CHECK(b.scale.empty());
          float_differs += in_float && multiplier_of(exact / static_cast<double>(so)).first != m31;
        }
  CHECK(float_differs > 100);  // the two ways are told apart
}

TEST_CASE("additions: one fused offset for int_bias, one unit of twice the larger scale for the fixed roundings") {
  Generator g(3);
  int fused_differs = 0;
  for (int i = 0; i < 400; ++i) {
    const float sa = between(g, 0.01F, 0.1F), sb = between(g, 0.01F, 0.1F), so = between(g, 0.01F, 0.1F);
    const auto za = static_cast<int32_t>(g.integer(0, 256)), zb = static_cast<int32_t>(g.integer(0, 256));
    for (const Rounding rounding : kIntegers) {
      Model m;
      m.rounding = rounding;
      m.add("a", Input{{1, 4}}), m.add("b", Input{{1, 4}}), m.add("op", Binary{}, {0, 1});
      m.modules[0].out_q = {u8(sa, za)}, m.modules[1].out_q = {u8(sb, zb)}, m.modules[2].out_q = {u8(so, 9)};
      const auto a = std::get<kernels::AddArgs>(lowered(m).calls[0].args);
      CHECK(a.a_zero_point == za);
      CHECK(a.b_zero_point == zb);
      if (rounding == Rounding::int_bias) {
        const float ra = sa / so, rb = sb / so, shifted = rb * static_cast<float>(zb);
        CHECK(a.a_scale == ra);
        CHECK(a.b_scale == rb);
        // 24 x 8 bits are exact in double, and so is their sum with a float in long double.
        const auto sum =
            static_cast<float>(static_cast<long double>(static_cast<double>(ra) * za) + static_cast<long double>(shifted));
        CHECK(a.offset == 9 - sum);
        fused_differs += 9 - (ra * static_cast<float>(za) + shifted) != a.offset;
        continue;
      }
      const double unit = 2.0 * static_cast<double>(std::max(sa, sb));
      CHECK(std::pair{a.a_multiplier, a.a_shift} == multiplier_of(static_cast<double>(sa) / unit));
      CHECK(std::pair{a.b_multiplier, a.b_shift} == multiplier_of(static_cast<double>(sb) / unit));
      CHECK(std::pair{a.output_multiplier, a.output_shift} == multiplier_of(unit / (1048576.0 * static_cast<double>(so))));
    }
  }
  CHECK(fused_differs > 10);
}

TEST_CASE("a part of a concatenation is copied only where its codes mean the same in every respect") {
  const QParams out = u8(0.5F, 10);
  QParams scale = out, zero = out, range = out;
  scale.scale[0] = 0.25F, zero.zero_point[0] = 11, range.qmax = 254;
  for (const auto& [in, copy] : {std::pair{out, true}, {scale, false}, {zero, false}, {range, false}, {i8(0.5F, 10), false}}) {
    Model m;
    m.add("a", Input{{1, 4}}), m.add("b", Input{{1, 3}}), m.add("op", Concat{1}, {0, 1});
    m.modules[0].out_q = {out}, m.modules[1].out_q = {in}, m.modules[2].out_q = {out};
    const Lowered all = lowered(m);
    REQUIRE(all.calls.size() == 2);
    CHECK(std::get<kernels::RequantizeArgs>(all.calls[0].args).copy == 1);
    CHECK(std::get<kernels::RequantizeArgs>(all.calls[1].args).copy == (copy ? 1 : 0));
    CHECK(all.calls[1].outputs[0].offset == 4);
  }
}

TEST_CASE("a layer whose weights are floats does not run on codes, whatever lies around it") {
  Model m = layer(Linear{.in = 3, .out = 2}, {1, 3}, u8(0.1F, 3), u8(0.1F, 4), Rounding::real);
  Generator g(4);
  initialize(m, g);
  CHECK(!runs_quantized(m, 1));
  m.modules[1].params["weight"] = quantize(m.modules[1].params["weight"], {{0.01F}, {0}, -1, 0, -128, 127});
  CHECK(runs_quantized(m, 1));
  const Tensor x = Tensor::full({1, 3}, 0.4);
  CHECK(infer(m, {&x, 1})[0].dtype() == DType::u8);
  const Model wide = cast(m, DType::f64);  // floats alone change their type
  CHECK(wide["op"].params.at("weight").dtype() == DType::i8);
  CHECK(wide["op"].params.at("weight").qparams() == m["op"].params.at("weight").qparams());
  CHECK(wide["op"].params.at("bias").dtype() == DType::f64);
}

TEST_CASE("a residual keeps bits enough for every channel, or its layer is refused by name") {
  // M = 0.1 * sw / 0.2; the sums are of 3 weights of 100, and reach 300 * 128.
  const auto made = [](const std::vector<float>& sw, float sr, float bias) {
    Model m;
    m.rounding = Rounding::fixed_double;
    const int x = m.add("x", Input{{1, 2, 2, 3}}), r = m.add("r", Input{{1, 2, 2, 3}});
    m.add("op", Conv2d{.in = 3, .out = 3, .kernel = {1, 1}, .residual = true}, {x, r});
    m.modules[0].out_q = {i8(0.1F, 0)}, m.modules[1].out_q = {i8(sr, 0)}, m.modules[2].out_q = {i8(0.2F, 0)};
    m.modules[2].params["weight"] = weights({3, 1, 1, 3}, std::vector<int8_t>(9, 100), {sw, {0, 0, 0}, 0, 0, -127, 127});
    m.modules[2].params["bias"] = Tensor::of<float>({3}, std::vector<float>{bias, 0, 0});
    return m;
  };
  const auto shift = [&](const Model& m) { return std::get<kernels::Conv2dArgs>(lowered(m).calls[0].args).residual_shift; };
  CHECK(shift(made({0.01F, 0.01F, 0.02F}, 0.3F, 1)) == 37);
  CHECK(shift(made({0.01F, 0.01F, 3.9F}, 0.3F, 0)) == 30);
  CHECK_THROWS_WITH(
      lowered(made({0.01F, 0.01F, 4.1F}, 0.3F, 0)),
      Contains(
          "is too small for a sum of weights of scale 4.0999999 with a residual of scale 0.300000012; fuse without residuals"));
  CHECK_THROWS_WITH(lowered(made({0.01F, 0.01F, 0.02F}, 1e6F, 0)),
                    Contains("with a residual of scale 1000000; fuse without residuals"));
  // At 30 bits a sum of up to 2^28 is off by an eighth of a code: 38,400 and the bias.
  const float unit = 0.1F * 0.01F, most = static_cast<float>((1 << 28) - 38'400 - 100);
  CHECK_NOTHROW(lowered(made({0.01F, 0.01F, 3.9F}, 0.3F, most * unit)));
  CHECK_THROWS_WITH(lowered(made({0.01F, 0.01F, 3.9F}, 0.3F, (most + 200) * unit)),
                    Contains("op: the sum of channel 0 can reach 268") &&
                        Contains("too much for the 30 bits that the largest weight scale leaves; fuse without residuals"));
  CHECK_NOTHROW(lowered(made({0.01F, 0.01F, 0.02F}, 0.3F, (most + 200) * unit)));
}

TEST_CASE("a residual of 16-bit codes is refused by name wherever its layer's own have 8") {
  for (const Rounding rounding : {Rounding::fixed_double, Rounding::fixed_single}) {
    Model m;
    m.rounding = rounding;
    const int x = m.add("x", Input{{1, 2, 2, 3}}), wide = m.add("wide", Unary{UnaryFn::identity}, {x});
    m.add("op", Conv2d{.in = 3, .out = 3, .kernel = {1, 1}, .residual = true}, {x, wide});
    m.modules[0].out_q = {i8(0.05F, 0)}, m.modules[1].out_q = {{{{2e-4F}, {0}, -1, 0, -32768, 32767}}};
    m.modules[2].out_q = {i8(0.08F, 0)};
    m.modules[2].params["weight"] = weights({3, 1, 1, 3}, std::vector<int8_t>(9, 1), {{0.01F}, {0}, -1, 0, -127, 127});
    m.modules[2].params["bias"] = Tensor::zeros({3});
    CHECK_THROWS_WITH(lowered(m), Contains("op: a residual of 16-bit codes fused into a convolution of 8-bit codes"));
    m.modules[1].out_q = m.modules[0].out_q;
    CHECK_NOTHROW(lowered(m));
  }
}

TEST_CASE("a concatenation whose rows have more bytes than a kernel counts is refused by name") {
  for (const bool wide : {false, true}) {
    Model m;
    m.rounding = Rounding::fixed_double;
    m.add("a", Input{{1, 4}}), m.add("b", Input{{1, 4}}), m.add("op", Concat{0}, {0, 1});
    const QParams q = wide ? QParams{{1e-4F}, {0}, -1, 0, -32768, 32767} : i8(0.1F, 0);
    for (Module& module : m.modules) module.out_q = {q};
    const auto rows = [&](int64_t n) {
      const std::vector<Shape> in{{n - 1, 1 << 12}, {1, 1 << 12}};
      return lower(m, 2, in);
    };
    const int64_t most = (int64_t{1} << (wide ? 18 : 19)) - 1;
    const Lowered fits = rows(most);
    CHECK(fits.calls[1].outputs[0].offset == (most - 1) * (wide ? 8192 : 4096));
    CHECK_THROWS_WITH(rows(most + 1),
                      Contains("op: ") && Contains(wide ? "too many bytes for one kernel call" : "too large for one kernel call"));
  }
}

TEST_CASE("the largest of many codes has no limit that only their sum needs") {
  const int64_t many = kernels::kMostSummed16 + 1;
  for (const ReduceFn fn : {ReduceFn::max, ReduceFn::min, ReduceFn::mean, ReduceFn::sum}) {
    const bool sums = fn == ReduceFn::mean || fn == ReduceFn::sum;
    const QParams q{{1e-3F}, {0}, -1, 0, -32768, 32767};
    Model m = layer(Reduce{fn, {1}}, {1, many}, q, q, Rounding::fixed_double);
    CAPTURE(static_cast<int>(fn));
    if (sums) {
      CHECK_THROWS_WITH(lowered(m), Contains("op: the sum of 65536 cells"));
      continue;
    }
    Tensor x = Tensor({1, many}, DType::i16).with(q);
    std::ranges::fill(x.mutable_data<int16_t>(), int16_t{7});
    x.mutable_data<int16_t>()[40'000] = fn == ReduceFn::max ? 1234 : -1234;
    CHECK(int{infer(m, {&x, 1})[0].data<int16_t>()[0]} == (fn == ReduceFn::max ? 1234 : -1234));
  }
}

TEST_CASE("slopes may be codes of 16 bits: what a model's check accepts is computed") {
  for (const Rounding rounding : {Rounding::real, Rounding::fixed_double, Rounding::fixed_single}) {
    Model m = layer(PRelu{1}, {1, 4}, i8(0.1F, 0), i8(0.1F, 0), rounding);
    m.modules[1].params["weight"] =
        Tensor::of<int16_t>({1}, std::vector<int16_t>{8192}).with({{0x1p-15F}, {0}, -1, 0, -32768, 32767});
    check_module(m.modules[1], "op");
    const Tensor x = Tensor::of<int8_t>({1, 4}, std::vector<int8_t>{40, 0, -40, -80}).with(i8(0.1F, 0));
    const Tensor y = infer(m, {&x, 1})[0];
    CHECK(std::ranges::equal(y.data<int8_t>(), std::vector<int8_t>{40, 0, -10, -20}));
  }
}
