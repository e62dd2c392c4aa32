// SPDX-License-Identifier: Apache-2.0
// 16-bit activations from observers to programs: parameters, fake quantization, crossings between widths, files, and what is
// refused with which words.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

#include "compile/program.h"
#include "engine/ops/wide.h"
#include "io/model_file.h"
#include "numeric_suite/compare.h"
#include "numeric_suite/statistics.h"
#include "quant/correct_bias.h"
#include "quant/observers/histogram.h"
#include "quant/observers/range.h"
#include "quant/prune.h"
#include "quant/quantize.h"
#include "tests/catch.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

constexpr ObserverSpec kWide{.dtype = DType::i16, .scheme = QScheme::per_tensor_symmetric};

Model network(Rounding rounding) {
  Model m;
  m.rounding = rounding;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("stem", Conv2d{.in = 3, .out = 8, .padding = pad_all(1), .act = Activation::relu});
  m.add("pool", Pool2d{.kind = Pool::max});
  const int body = m.add("body", Conv2d{.in = 8, .out = 8, .padding = pad_all(1)});
  m.add("sum", Binary{}, {{body, 0}, {2, 0}});
  m.add("gate", Unary{UnaryFn::sigmoid});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{8, 5});
  Generator g(3);
  initialize(m, g);
  return m;
}

Tensor pictures(int64_t n = 12) {
  Generator g(4);
  return randn(g, {n, 8, 8, 3});
}

Model converted(const Model& net, const QConfigMap& map) {
  Model prepared = prepare(fuse(net, Aim::inference, {.residual = false}), map);
  const Tensor data = pictures();
  calibrate(prepared, {&data, 1});
  return convert(prepared);
}

DType dtype_of(const Model& m, const std::string& path) { return code_dtype(*m[path].out_q[0]); }

}  // namespace

TEST_CASE("an int16 observer gives the largest magnitude the code 32767 and zero the code 0") {
  MinMaxObserver minmax(kWide);
  MovingAverageMinMaxObserver average(kWide, 1);
  HistogramObserver histogram(kWide);
  const Tensor x = Tensor::of<float>({4}, std::vector<float>{-3, 0.25F, 1.5F, 2});
  for (Observer* o : std::initializer_list<Observer*>{&minmax, &average}) {
    o->observe(x, "x");
    const QParams q = o->qparams();
    CHECK(q.scale[0] == 3.0F / 32767);
    CHECK(q.zero_point[0] == 0);
    CHECK(q.qmin == -32768);
    CHECK(q.qmax == 32767);
    CHECK(code_dtype(q) == DType::i16);
    const Tensor codes = quantize(x, q, Rounding::fixed_double);
    REQUIRE(codes.dtype() == DType::i16);
    CHECK(codes.data<int16_t>()[0] == -32767);
    CHECK(codes.data<int16_t>()[1] == static_cast<int16_t>(std::lround(0.25 * 32767 / 3)));
    CHECK(dequantize(codes).data<float>()[3] == Approx(2).margin(1e-4));
  }
  // Of 65,536 levels an outlier is worth its codes: trimming it would cost more.
  Generator g(1);
  Tensor many = randn(g, {1, 400000});
  many.mutable_data<float>()[0] = 12;
  histogram.observe(many, "x");
  CHECK(histogram.qparams().scale[0] == Approx(12.0 / 32767).epsilon(0.01));
  HistogramObserver narrow(ObserverSpec{.dtype = DType::i8, .scheme = QScheme::per_tensor_symmetric});
  narrow.observe(many, "x");
  CHECK(narrow.qparams().scale[0] < 6.0F / 127);
}

TEST_CASE("fake quantization to 16 bits is what 16-bit codes give, with the straight-through gradient") {
  Generator g(2);
  const Tensor x = randn(g, {500});
  const QParams q{{1.5F / 32767}, {0}, -1, 0, -32768, 32767};
  const Tensor expected = dequantize(quantize(x, q, Rounding::fixed_double)), got = fake_quantize(Var(x), q).value();
  size_t clipped = 0;
  for (size_t i = 0; i < 500; ++i) {
    CHECK(got.data<float>()[i] == expected.data<float>()[i]);
    clipped += std::abs(x.data<float>()[i]) > 1.6F ? 1 : 0;
  }
  CHECK(clipped > 20);
}

TEST_CASE("codes of 16 bits lie around zero: another zero point, an affine scheme and 17 bits are refused by name") {
  const Tensor x = Tensor::zeros({2});
  CHECK_THROWS_WITH(quantize(x, {{1}, {5}, -1, 0, -32768, 32767}, Rounding::fixed_double),
                    Contains("zero point 0 is 5, 16-bit codes have 0; observe them with a symmetric scheme"));
  CHECK_THROWS_WITH(quantize(x, {{1}, {0}, -1, 0, -32769, 32767}), Contains("fit neither u8, i8 nor i16"));
  CHECK_THROWS_WITH(quantize(x, {{1}, {0}, -1, 0, -32768, 32767}, Rounding::int_bias), Contains("int_bias has no 16-bit codes"));
  CHECK_THROWS_WITH(MinMaxObserver(ObserverSpec{.dtype = DType::i16}), Contains("they need a symmetric scheme"));
  CHECK_THROWS_WITH(MinMaxObserver(ObserverSpec{.dtype = DType::i32}), Contains("dtype must be u8, i8 or i16, got i32"));
}

TEST_CASE("a network at 16 bits runs in the fixed roundings on both engines, and far closer to float than at 8") {
  for (const Rounding rounding : {Rounding::fixed_double, Rounding::fixed_single}) {
    CAPTURE(to_string(rounding));
    const Model net = network(rounding);
    const Model wide = converted(net, {{"", octet_16x8_qconfig()}}), narrow = converted(net, {{"", octet_device_qconfig()}});
    for (const Module& module : wide.modules) CHECK(dtype_of(wide, module.path) == DType::i16);
    for (const char* layer : {"stem", "body", "head"}) CHECK(wide[layer].params.at("weight").dtype() == DType::i8);
    CHECK(wide["gate"].out_q[0]->scale[0] == 0x1p-15F);
    CHECK(wide["gate"].out_q[0]->zero_point[0] == 0);
    const Tensor x = pictures(5);
    // Against floats that compute with the weights' own error, what is left is the activations'.
    Model real = fuse(net, Aim::inference, {.residual = false}), other = real;
    for (const char* layer : {"stem", "body", "head"}) {
      real[layer].params["weight"] = dequantize(wide[layer].params.at("weight"));
      other[layer].params["weight"] = dequantize(narrow[layer].params.at("weight"));
    }
    const double at16 = sqnr(infer(real, {&x, 1})[0], infer(wide, {&x, 1})[0]);
    const double at8 = sqnr(infer(other, {&x, 1})[0], infer(narrow, {&x, 1})[0]);
    std::printf("SQNR of activations alone, %s: %.2f dB at 8 bits, %.2f at 16\n", std::string(to_string(rounding)).c_str(), at8,
                at16);
    REQUIRE(std::isfinite(at16));
    CHECK(at16 > at8 + 30);
    for (const QEngine engine : {QEngine::reference, QEngine::native, QEngine::automatic}) {
      Session session(Program::bind(wide, engine), {x.shape()});
      const Tensor y = session.run({&x, 1})[0], expected = infer(wide, {&x, 1})[0];
      REQUIRE(y.dtype() == DType::i16);
      REQUIRE(y.bytes() == expected.bytes());
      CHECK(std::memcmp(y.raw(), expected.raw(), y.bytes()) == 0);
    }
  }
}

TEST_CASE("a fused residual of 16-bit codes is refused when a model is prepared") {
  Model m;
  m.rounding = Rounding::fixed_double;
  const int x = m.add("x", Input{{1, 4, 4, 2}}), conv = m.add("conv", Conv2d{.in = 2, .out = 2, .padding = pad_all(1)});
  m.add("sum", Binary{}, {conv, x});
  Generator g(1);
  initialize(m, g);
  CHECK_THROWS_WITH(prepare(fuse(m, Aim::inference), {{"", octet_16x8_qconfig()}}),
                    Contains("conv: a residual fused into a convolution of 16-bit codes; fuse without residuals"));
  CHECK_NOTHROW(static_cast<void>(prepare(fuse(m, Aim::inference, {.residual = false}), {{"", octet_16x8_qconfig()}})));
}

TEST_CASE("other roundings refuse 16 bits by module when a model is prepared, converted and bound") {
  for (const Rounding rounding : {Rounding::real, Rounding::int_bias}) {
    const std::string words = "16-bit activations need rounding \"fixed_double\" or \"fixed_single\", the model has \"" +
                              std::string(to_string(rounding)) + "\"; set Model::rounding before fuse and prepare";
    CHECK_THROWS_WITH(prepare(network(rounding), {{"body", octet_16x8_qconfig()}}), Contains("body: " + words));
    Model prepared = prepare(network(Rounding::fixed_double), {{"", octet_16x8_qconfig()}});
    const Tensor data = pictures();
    calibrate(prepared, {&data, 1});
    Model late = convert(prepared);
    prepared.rounding = rounding;
    CHECK_THROWS_WITH(convert(prepared), Contains("x: " + words));
    late.rounding = rounding;
    CHECK_THROWS_WITH(Program::bind(late), Contains(words));
    CHECK_THROWS_WITH(infer(late, {&data, 1}),
                      Contains(rounding == Rounding::real ? words : "x: quantize: rounding int_bias has no 16-bit codes"));
  }
}

TEST_CASE("where codes of one width meet a module of another, prepare puts an observed requantization") {
  const Model net = network(Rounding::fixed_double);
  const Model mixed =
      converted(net, {{"", octet_device_qconfig()}, {"body", octet_16x8_qconfig()}, {"gate", octet_16x8_qconfig()}});
  CHECK(dtype_of(mixed, "stem") == DType::i8);
  CHECK(dtype_of(mixed, "pool") == DType::i8);
  CHECK(dtype_of(mixed, "pool.quant") == DType::i16);
  CHECK(dtype_of(mixed, "body") == DType::i16);
  CHECK(dtype_of(mixed, "body.quant") == DType::i8);  // the sum is at 8 bits, and reads the pool as it is
  CHECK(dtype_of(mixed, "sum") == DType::i8);
  CHECK(dtype_of(mixed, "sum.quant") == DType::i16);
  CHECK(dtype_of(mixed, "gate") == DType::i16);
  CHECK(dtype_of(mixed, "mean") == DType::i8);
  CHECK(mixed["sum"].inputs[1].module == mixed.index("pool"));
  for (const char* path : {"pool.quant", "body.quant", "sum.quant"}) {
    const int index = mixed.index(path);
    REQUIRE(runs_quantized(mixed, index));
    const Lowered lowered = lower(mixed, index, {&mixed[path].nominal[0], 1});
    REQUIRE(lowered.calls.size() == 1);
    CHECK(name_of(lowered.calls[0].args) == "requantize");
  }
  const Tensor x = pictures(3);
  const Tensor y = infer(mixed, {&x, 1})[0];
  CHECK(std::isfinite(sqnr(infer(net, {&x, 1})[0], y)));
  CHECK(sqnr(infer(net, {&x, 1})[0], y) > 20);
  Session session(Program::bind(mixed, QEngine::native), {x.shape()});
  const Tensor got = session.run({&x, 1})[0];
  REQUIRE(got.bytes() == y.bytes());
  CHECK(std::memcmp(got.raw(), y.raw(), y.bytes()) == 0);
  // Made by hand without a crossing it is refused, not computed.
  Model wrong = mixed;
  wrong["sum"].inputs[0] = {wrong.index("body"), 0};
  CHECK_THROWS_WITH(infer(wrong, {&x, 1}), Contains("sum: ") && Contains("codes of 8 bits and of 16"));
}

TEST_CASE("16-bit models and prepared ones survive their files") {
  const Model net = network(Rounding::fixed_single);
  const Model wide = converted(net, {{"", octet_16x8_qconfig()}});
  Model prepared = prepare(net, {{"", octet_16x8_qat_qconfig()}});
  const Tensor x = pictures(2);
  calibrate(prepared, {&x, 1});
  const std::string file = std::string(std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp") + "/octet_wide_test.octet";
  save_model(file, wide);
  const Model loaded = load_model(file, make_hook).model;
  CHECK(*loaded["head"].out_q[0] == *wide["head"].out_q[0]);
  const Tensor a = infer(wide, {&x, 1})[0], b = infer(loaded, {&x, 1})[0];
  REQUIRE(a.dtype() == DType::i16);
  CHECK(std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
  save_model(file, prepared);
  const Model again = convert(load_model(file, make_hook).model);
  CHECK(dtype_of(again, "gate") == DType::i16);
  CHECK(*again["head"].out_q[0] == *convert(prepared)["head"].out_q[0]);
  std::remove(file.c_str());
}

TEST_CASE("biases of 16-bit layers have 48 bits, and what leaves them is refused with its channel") {
  Model net;
  net.rounding = Rounding::fixed_double;
  net.add("x", Input{{1, 4}});
  net.add("head", Linear{4, 2});
  net["head"].params["weight"] = Tensor::of<float>({2, 4}, std::vector<float>{1e-3F, -1e-3F, 5e-4F, 1e-4F, 1, 1, 1, 1});
  net["head"].params["bias"] = Tensor::of<float>({2}, std::vector<float>{3, 0.5F});
  Model prepared = prepare(net, {{"", octet_16x8_qconfig()}});
  Generator g(9);
  const Tensor x = rand(g, {64, 4});
  Tensor small = x;
  for (float& v : small.mutable_data<float>()) v *= 1e-3F;
  calibrate(prepared, {&small, 1});
  Model wide = convert(prepared);
  // Made by hand: convert gives small weights a larger scale.
  QParams scales = *wide["head"].params.at("weight").qparams();
  scales.scale[0] = 1e-3F / 127;
  wide["head"].params["weight"] = quantize(net["head"].params.at("weight"), scales);
  const double unit =
      static_cast<double>(wide["x"].out_q[0]->scale[0]) * static_cast<double>(wide["head"].params.at("weight").qparams()->scale[0]);
  REQUIRE(3 / unit > 2147483648.0);  // int32 would not hold it
  const Tensor y = infer(wide, {&small, 1})[0];
  CHECK(sqnr(infer(net, {&small, 1})[0], y) > 60);
  Model steep = wide;
  steep["head"].out_q[0]->scale[0] = 1e-20F;
  CHECK_THROWS_WITH(Program::bind(steep), Contains("head: its scales multiply sums by ") && Contains("less than 2^14"));
  wide["head"].params["bias"].mutable_data<float>()[0] = 3e6F;
  CHECK_THROWS_WITH(Program::bind(wide), Contains("head: bias ") && Contains(" of channel 0 does not fit 48 bits"));
}

TEST_CASE("the table of a function has 512 steps over the codes, moved by half the error in the middle, and one value more") {
  const float sx = 8.0F / 32768, sy = 1.0F / 32768;
  const auto f = [](double x) { return std::tanh(x); };
  const std::vector<int16_t> table = interpolated_table(sx, 0, sy, 0, f);
  REQUIRE(table.size() == 513);
  const double from = -8, to = 8 * 32767.0 / 32768, step = (to - from) / 512, units = 65536 / (65535.0 / 32768);
  int moved = 0;
  for (size_t i = 0; i < 512; ++i) {
    const double x = from + static_cast<double>(i) * step, value = std::round(f(x) * units);
    const double between = std::round((f(x + step) * units + value) / 2),
                 bias = std::round((between - std::round(f(x + step / 2) * units)) / 2);
    CHECK(std::abs(table[i] - (value - bias)) <= 1);  // float32 against binary64
    moved += bias != 0 ? 1 : 0;
  }
  CHECK(moved > 20);
  CHECK(table[512] == 32767);
}

TEST_CASE("a function that jumps between the entries of a table is refused at 16 bits by its place, not computed as a ramp") {
  for (const UnaryFn fn : {UnaryFn::sign, UnaryFn::round, UnaryFn::reciprocal}) {
    Model net;
    net.rounding = Rounding::fixed_double;
    net.add("x", Input{{1, 8, 8, 3}});
    net.add("f", Unary{fn});
    Model prepared = prepare(net, {{"", octet_16x8_qconfig()}});
    const Tensor x = pictures(4);
    calibrate(prepared, {&x, 1});
    CHECK_THROWS_WITH(Program::bind(convert(prepared)),
                      Contains("f: between the entries of its 16-bit table it would be off by ") && Contains("give it 8 bits"));
    Model narrow = prepare(net, {{"", octet_16x8_qconfig()}, {"f", octet_device_qconfig()}});
    calibrate(narrow, {&x, 1});
    CHECK(infer(convert(narrow), {&x, 1})[0].dtype() == DType::i8);
  }
}

TEST_CASE("metrics of 16-bit codes are those of the reals they stand for") {
  Generator g(6);
  const Tensor x = randn(g, {40, 25});
  const QParams q{{2.0F / 32767}, {0}, -1, 0, -32768, 32767};
  const Tensor codes = quantize(x, q, Rounding::fixed_double), reals = dequantize(codes);
  Statistics by_codes, by_reals;
  by_codes.add(x, codes, "x"), by_reals.add(x, reals, "x");
  const Metrics a = by_codes.metrics(), b = by_reals.metrics();
  CHECK(a.sqnr_db == b.sqnr_db);
  CHECK(a.max_abs_error == b.max_abs_error);
  REQUIRE(std::isfinite(a.sqnr_db));
  int ends = 0, beyond = 0;
  std::set<int> used;
  for (const int16_t code : codes.data<int16_t>()) {
    ends += code == 32767 || code == -32768 ? 1 : 0;
    used.insert(code >> 8);
  }
  for (const float v : x.data<float>()) beyond += std::abs(v) > 2.0001F ? 1 : 0;
  CHECK(ends > 20);
  CHECK(a.at_limits == Approx(ends / 1000.0));
  CHECK(a.saturated_low + a.saturated_high == Approx(beyond / 1000.0).margin(0.002));
  CHECK(a.codes_used == Approx(static_cast<double>(used.size()) / 256));
  int64_t counted = 0;
  for (const int64_t n : a.histogram.test) counted += n;
  CHECK(counted == 1000);
}

TEST_CASE("dead channels of 16-bit layers are found by the layers' own arithmetic and taken out without a code changing") {
  Model net = network(Rounding::fixed_double);
  const auto weights = net["stem"].params["weight"].mutable_data<float>(), bias = net["stem"].params["bias"].mutable_data<float>();
  const size_t row = weights.size() / bias.size();
  for (size_t i = 0; i < row; ++i) weights[2 * row + i] = 0, weights[5 * row + i] *= 1e-3F;
  bias[2] = -1, bias[5] = -4;  // below zero whatever comes, and then a relu
  net.modules.resize(4);       // input, stem, pool, body
  const Model wide = converted(net, {{"", octet_16x8_qconfig()}});
  PruneReport report;
  const Model pruned = prune_exact(wide, &report);
  REQUIRE(report.layers.size() == 1);
  CHECK(report.layers[0].removed == 2);
  CHECK(pruned["stem"].params.at("weight").size(0) == 6);
  const Tensor x = pictures(4), a = infer(wide, {&x, 1})[0], b = infer(pruned, {&x, 1})[0];
  REQUIRE(a.dtype() == DType::i16);
  REQUIRE(a.bytes() == b.bytes());
  CHECK(std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

TEST_CASE("operators with parameters, several outputs or no integer form take their place among 16-bit layers") {
  Model net;
  net.rounding = Rounding::fixed_single;
  net.add("x", Input{{1, 6, 5, 8}});
  net.add("slope", PRelu{8});
  net.add("up", ConvTranspose2d{.in = 8, .out = 6, .kernel = {3, 3}, .stride = {2, 2}, .padding = pad_all(1)});
  net.add("leaky", Unary{UnaryFn::leaky_relu, 0.2});
  net.add("norm", LayerNorm{6});  // computes in float
  net.add("mix", Conv2d{.in = 6, .out = 6, .kernel = {1, 1}});
  const int halves = net.add("halves", Split{3, {2, 4}});
  net.add("joined", Concat{3}, {{halves, 1}, {halves, 0}});
  Generator g(12);
  initialize(net, g);
  const Tensor data = randn(g, {8, 6, 5, 8});
  Model prepared = prepare(net, {{"", octet_16x8_qconfig()}});
  calibrate(prepared, {&data, 1});
  const Model wide = convert(prepared);
  for (const char* path : {"slope", "up", "leaky", "norm.quant", "mix", "halves", "joined"}) {
    CAPTURE(path);
    CHECK(dtype_of(wide, path) == DType::i16);
    CHECK(runs_quantized(wide, wide.index(path)) == (std::string(path) != "norm.quant"));
  }
  CHECK(wide["norm"].out_q.empty());
  Model real = net;
  for (const char* layer : {"up", "mix"}) real[layer].params["weight"] = dequantize(wide[layer].params.at("weight"));
  const Tensor y = infer(wide, {&data, 1})[0];
  const double db = sqnr(infer(real, {&data, 1})[0], y);
  REQUIRE(std::isfinite(db));
  CHECK(db > 65);
  for (const QEngine engine : {QEngine::reference, QEngine::native}) {
    Session session(Program::bind(wide, engine), {data.shape()});
    const Tensor got = session.run({&data, 1})[0];
    REQUIRE(got.bytes() == y.bytes());
    CHECK(std::memcmp(got.raw(), y.raw(), y.bytes()) == 0);
  }
}

TEST_CASE("what a network trained at 16 bits predicts is what it computes, and its biases can be corrected") {
  Model net = network(Rounding::fixed_double);
  const Tensor data = pictures();
  Model trained = prepare(fuse(net, Aim::training, {.residual = false}), {{"", octet_16x8_qat_qconfig()}});
  static_cast<void>(forward(trained, {&data, 1}, Mode::train));
  disable_observer(trained);
  const Model wide = convert(trained);
  for (const Module& module : wide.modules) REQUIRE(dtype_of(wide, module.path) == DType::i16);
  CHECK(sqnr(infer(trained, {&data, 1})[0], infer(wide, {&data, 1})[0]) > 70);
  const Model fused = fuse(net, Aim::inference, {.residual = false});
  Model posttrained = converted(net, {{"", octet_16x8_qconfig()}});
  const Model corrected = correct_bias(fused, posttrained, {&data, 1});
  const Tensor real = infer(fused, {&data, 1})[0];
  CHECK(sqnr(real, infer(corrected, {&data, 1})[0]) > sqnr(real, infer(posttrained, {&data, 1})[0]) - 0.5);
  CHECK(dtype_of(corrected, "head") == DType::i16);
}
