// SPDX-License-Identifier: Apache-2.0
// Scales, floors and what observers propose: a network's units do not matter, absurd values do not win, what cannot be codes is
// refused by name, and what deserves attention is said.
#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>

#include "compile/program.h"
#include "engine/loss.h"
#include "engine/optimizer.h"
#include "io/firmware_plan.h"
#include "numeric_suite/compare.h"
#include "quant/observers/histogram.h"
#include "quant/observers/range.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/kernels/fills.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::kRoundings;

namespace {

Tensor times(Tensor t, double factor) {
  for (float& v : t.mutable_data<float>()) v = static_cast<float>(v * factor);
  return t;
}

/// conv - relu - depthwise - mean - linear on 8x8 pictures.
Model network(uint64_t seed, Rounding rounding = Rounding::real) {
  Model m;
  m.rounding = rounding;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 16, .padding = pad_all(1), .act = Activation::relu});
  m.add("dw", Conv2d{.in = 16, .out = 16, .padding = pad_all(1), .groups = 16, .act = Activation::relu});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{16, 10});
  Generator g(seed);
  initialize(m, g);
  return m;
}

/// The same function of inputs that are `in` times as large, with outputs `out` times as large.
Model in_units(Model m, double in, double out) {
  m["conv"].params["weight"] = times(m["conv"].params["weight"], 1 / in);
  m["head"].params["weight"] = times(m["head"].params["weight"], out);
  m["head"].params["bias"] = times(m["head"].params["bias"], out);
  return m;
}

Model quantized(const Model& m, const QConfig& qconfig, std::span<const Tensor> batches) {
  Model p = prepare(m, {{"", qconfig}});
  calibrate(p, batches);
  Model int8 = convert(p);
  REQUIRE(summarize(int8).int8_kernels == 3);
  return int8;
}

double logits_sqnr(const Model& m, const Model& int8, const Tensor& x) {
  Session session(Program::bind(int8, QEngine::reference), {x.shape()});
  const double db = sqnr(infer(m, {&x, 1})[0], session.run({&x, 1})[0]);
  REQUIRE(std::isfinite(db));
  return db;
}

int span_of(const Tensor& weight, int64_t channel) {
  const int64_t row = weight.numel() / weight.size(0);
  int most = 0;
  for (const int8_t q : weight.data<int8_t>().subspan(static_cast<size_t>(channel * row), static_cast<size_t>(row)))
    most = std::max(most, std::abs(int{q}));
  return most;
}

bool notes_say(const QuantizationSummary& s, std::string_view text) {
  return std::ranges::any_of(s.notes, [&](const std::string& note) { return note.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("octet's configurations give the same SQNR in any units, in every rounding") {
  Generator g(3);
  const Tensor x = randn(g, {16, 8, 8, 3});
  for (const Rounding rounding : kRoundings)
    for (const bool device : {false, true}) {
      const QConfig qconfig = device ? octet_device_qconfig() : octet_qconfig();
      const Model plain = network(5, rounding);
      const double expected = logits_sqnr(plain, quantized(plain, qconfig, {&x, 1}), x);
      CHECK(expected > 25);
      for (const double in : {1e-30, 1e-20, 1e-9, 1e-4, 1e4, 1e9, 1e20, 1e30})
        for (const double out : {1e-12, 1.0, 1e12}) {
          CAPTURE(to_string(rounding), device, in, out);
          const Model m = in_units(plain, in, out);
          const Tensor scaled = times(x, in);
          CHECK(std::abs(logits_sqnr(m, quantized(m, qconfig, {&scaled, 1}), scaled) - expected) < 1);
        }
    }
}

TEST_CASE("small weights use all codes with octet's configurations; PyTorch's presets keep their floors") {
  for (const float size : {1e-4F, 1e-6F, 1e-30F}) {
    const Tensor w = Tensor::of<float>({2, 2}, std::vector<float>{size, -size / 2, 0, size / 4});
    const auto codes = [&](QConfig c) {
      c.weight->observer().observe(w, "w");
      return quantize(w, c.weight->qparams("w"));
    };
    CHECK(span_of(codes(octet_qconfig()), 0) == 127);
    CHECK(span_of(codes(octet_device_qconfig()), 1) == 127);
    // Their scale is at least 2^-12, as PyTorch's.
    CHECK(span_of(codes(default_per_channel_symmetric_qnnpack_qconfig()), 0) == (size > 1.3e-4F ? 1 : 0));
    QConfig preset = default_per_channel_symmetric_qnnpack_qconfig();
    preset.weight->observer().observe(w, "w");
    CHECK(preset.weight->qparams("w").scale[0] == 0x1p-12F);
  }
}

TEST_CASE("without a floor zeros take their neighbours' scale, and scales stay normal") {
  const ObserverSpec spec{.dtype = DType::i8, .scheme = QScheme::per_channel_symmetric, .eps = 0};
  const float subnormal = 1e-42F;
  const QParams q = calculate_qparams(std::vector<float>{0, -3, 0, -subnormal}, std::vector<float>{0, 1, 0, 0}, spec);
  CHECK(q.scale == std::vector<float>{3 / 127.5F, 3 / 127.5F, 3 / 127.5F, std::numeric_limits<float>::min()});
  CHECK(calculate_qparams(std::vector<float>{0}, std::vector<float>{0}, ObserverSpec{.eps = 0}).scale[0] == 1);
}

TEST_CASE("a dead channel with a bias of its own is no reason to refuse a network in integer roundings") {
  Generator g(4);
  const Tensor x = rand(g, {8, 4, 4, 3});
  for (const double live : {0.0, 1e-20, 1e-12})
    for (const Rounding rounding : kRoundings) {
      CAPTURE(live, to_string(rounding));
      Model m;
      m.rounding = rounding;
      m.add("x", Input{{1, 4, 4, 3}});
      m.add("conv", Conv2d{.in = 3, .out = 8, .kernel = {1, 1}});
      initialize(m, g);
      auto w = m["conv"].params["weight"].mutable_data<float>();
      for (size_t i = 6; i < 9; ++i) w[i] = static_cast<float>(w[i] * live);  // channel 2
      m["conv"].params["bias"].mutable_data<float>()[2] = 2;
      Model p = prepare(m, {{"", octet_qconfig()}});
      calibrate(p, {&x, 1});
      const Model int8 = convert(p);
      REQUIRE(summarize(int8).int8_kernels == 1);
      const Tensor y = infer(int8, {&x, 1})[0], reals = dequantize(y);
      CHECK(sqnr(infer(m, {&x, 1})[0], y) > 30);
      for (int64_t i = 2; i < reals.numel(); i += 8)
        CHECK(std::abs(reals.data<float>()[static_cast<size_t>(i)] - 2) <=
              int8["conv"].out_q[0]->scale[0]);  // the histogram may trim the top
    }
}

TEST_CASE("a large bias widens the scale of its channel's weights where it becomes an integer, and nowhere else") {
  for (const Rounding rounding : {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single}) {
    Model m;
    m.rounding = rounding;
    m.add("x", Input{{1, 4}});
    m.add("fc", Linear{4, 2});
    m["fc"].params["weight"] = Tensor::full({2, 4}, 1e-9);
    m["fc"].params["bias"] = Tensor::of<float>({2}, std::vector<float>{1000, 0});
    const Tensor x = Tensor::full({2, 4}, 1);
    Model p = prepare(m, {{"", octet_qconfig()}});
    calibrate(p, {&x, 1});
    const std::vector<float> scale = convert(p)["fc"].params.at("weight").qparams()->scale;
    CHECK((scale[0] > 2 * scale[1]) == (rounding != Rounding::real));
    CHECK(scale[1] == Approx(1e-9 / 127.5).epsilon(1e-4));
  }
}

TEST_CASE("weights that are all 0 keep their bias to a part of a code, and cost a residual no bits") {
  for (const Rounding rounding : {Rounding::real, Rounding::int_bias, Rounding::fixed_double}) {
    Model m;
    m.rounding = rounding;
    const int x = m.add("x", Input{{1, 4, 4, 3}}), r = m.add("r", Input{{1, 4, 4, 3}});
    m.add("fresh", Conv2d{.in = 3, .out = 3, .kernel = {1, 1}, .residual = true}, {x, r});
    m["fresh"].params["weight"] = Tensor::zeros({3, 1, 1, 3});
    m["fresh"].params["bias"] = of({0, 0.13F, -0.21F});
    Generator g(1);
    std::vector<Tensor> data{rand(g, {2, 4, 4, 3}), rand(g, {2, 4, 4, 3})};
    for (float& v : data[0].mutable_data<float>()) v *= 1000;  // the largest input beside the smallest residual
    Model prepared = prepare(m, {{"", octet_device_qconfig()}});
    calibrate(prepared, Batches(1, [&](int64_t) { return data; }));
    Model int8 = convert(prepared);
    const float scale = int8["fresh"].out_q[0]->scale[0];
    for (const float bias : {0.13F, 0.29F}) {  // the second, as a correction may leave it
      m["fresh"].params["bias"] = int8["fresh"].params["bias"] = of({0, bias, -0.21F});
      std::vector<Tensor> codes, clean;
      for (size_t k = 0; k < 2; ++k) {
        codes.push_back(quantize(data[k], *int8.modules[k].out_q[0], rounding));
        clean.push_back(dequantize(codes[k]));
      }
      const Tensor a = infer(m, clean)[0], b = dequantize(infer(int8, codes)[0]);
      for (int64_t i = 0; i < a.numel(); ++i)
        if (const float want = a.data<float>()[i]; want > -0.2F && want < 1)
          CHECK(std::abs(want - b.data<float>()[i]) < 0.51F * scale);
    }
  }
}

TEST_CASE("one absurd value in the calibration data costs less than 3 dB, wherever it comes") {
  Generator g(6);
  std::vector<Tensor> clean;
  for (int i = 0; i < 4; ++i) clean.push_back(rand(g, {8, 8, 8, 3}));
  const Model m = network(7);
  for (const bool device : {false, true}) {
    const QConfig qconfig = device ? octet_device_qconfig() : octet_qconfig();
    const double expected = logits_sqnr(m, quantized(m, qconfig, clean), clean[0]);
    for (const float absurd : {3e38F, -3e38F, 1e10F, -1e10F})
      for (const size_t batch : {0u, 1u, 3u}) {
        CAPTURE(device, absurd, batch);
        std::vector<Tensor> data = clean;
        data[batch].mutable_data<float>()[77] = absurd;
        Model p = prepare(m, {{"", qconfig}});
        calibrate(p, data);
        QuantizationSummary summary;
        const Model int8 = convert(p, &summary);
        CHECK(logits_sqnr(m, int8, clean[0]) > expected - 3);
        CHECK(notes_say(summary, "x: 1 absurd values"));
      }
  }
}

TEST_CASE("what is large and comes often, or has company all the way, is data") {
  const auto limit = [](std::vector<float> values, int repeats = 1) {
    OutlierGuard guard;
    float last = 0;
    const Tensor x = Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
    for (int i = 0; i < repeats; ++i) last = guard.limit(x, "x");
    return last;
  };
  std::vector<float> values(1000, 0.5F);
  CHECK(std::isinf(limit(values)));
  values[3] = 1e10F;
  CHECK(limit(values) == 0.5F);
  CHECK(limit(values, 5) == 0.5F);
  values[4] = 4000;  // no gap any more: 4000 to 1e10 is less than 2^24
  CHECK(std::isinf(limit(values)));
  values[4] = 0.5F;
  for (size_t i = 10; i < 30; ++i) values[i] = 1e10F;  // two in a hundred
  CHECK(std::isinf(limit(values)));
  CHECK(std::isinf(limit({1e10F})));
  CHECK(std::isinf(limit({0, 0, 0, 1e30F})));  // nothing else to go by
  std::vector<float> small(1000, 1e-30F);
  small[0] = 1;  // a rare signal on noise
  CHECK(std::isinf(limit(small)));
  OutlierGuard guard, copy;
  static_cast<void>(guard.limit(Tensor::of<float>({1000}, std::vector<float>(1000, 0.25F)), "x"));
  const Tensor absurd = Tensor::of<float>({1}, std::vector<float>{-1e30F});
  copy.load(guard.state());
  CHECK(copy.limit(absurd, "x") == 0.25F);  // what came before counts, after loading too
  CHECK(copy.clipped() == 1);
  CHECK(copy.worst() == 1e30F);
  // A state is loaded up to the largest numbers it can hold, and refused from the next one on.
  constexpr double kMost = std::numeric_limits<float>::max();
  for (size_t i = 0; i < 4; ++i) {
    std::vector<double> state{0.5, 0.25, 10, 3};
    for (const double good : {0.0, i < 2 ? kMost : 0x1p53}) {
      state[i] = good;
      CHECK_NOTHROW(copy.load(Tensor::of<double>({4}, state)));
    }
    for (const double bad :
         {-1.0, i < 2 ? std::nextafter(kMost, INFINITY) : 0x1p53 + 2, double{INFINITY}, double{NAN}, i < 2 ? -1e-3 : 0.5}) {
      state[i] = bad;
      std::ostringstream said;
      said << std::setprecision(9) << "observer state: \"guard\" holds " << state[0] << ", " << state[1] << ", " << state[2] << ", "
           << state[3];
      CHECK_THROWS_WITH(copy.load(Tensor::of<double>({4}, state)), Catch::Matchers::Equals(said.str()));
    }
  }
  CHECK_THROWS_WITH(guard.limit(Tensor::of<float>({1}, std::vector<float>{NAN}), "layer"), Contains("layer"));
}

TEST_CASE("the summary names what few codes are used for, constant data and a forgotten fuse") {
  Generator g(2);
  Model m = network(1);
  m["conv"].params["weight"] = times(m["conv"].params["weight"], 1e-5);
  const Tensor constant = Tensor::full({4, 8, 8, 3}, 0.25);
  Model p = prepare(m, {{"", default_per_channel_symmetric_qnnpack_qconfig()}});
  calibrate(p, {&constant, 1});
  QuantizationSummary summary;
  const Model int8 = convert(p, &summary);
  CHECK(notes_say(summary, "x: every value of its calibration data was 0.25"));
  CHECK(notes_say(summary, "conv: its weights use 1 levels of 256"));
  CHECK(notes_say(summarize(int8), "conv: its weights use 1 levels of 256"));
  CHECK_FALSE(notes_say(summary, "fuse()"));

  const Tensor narrow = times(rand(g, {4, 8, 8, 3}), 0x1p-10);
  Model few = prepare(network(1), {{"", default_per_channel_symmetric_qnnpack_qconfig()}});
  calibrate(few, {&narrow, 1});
  CHECK(notes_say(summarize(few), "x: its calibration data"));

  Model loose;
  loose.add("x", Input{{1, 8, 8, 3}});
  loose.add("conv", Conv2d{.in = 3, .out = 8});
  loose.add("bn", BatchNorm{8});
  loose.add("relu", Unary{UnaryFn::relu});
  loose.add("fc", Conv2d{.in = 8, .out = 4});
  initialize(loose, g);
  const Tensor x = rand(g, {4, 8, 8, 3});
  const auto notes_of = [&](const Model& net) {
    Model q = prepare(net, {{"", octet_qconfig()}});
    calibrate(q, {&x, 1});
    QuantizationSummary s;
    const Model converted = convert(q, &s);
    CHECK(summarize(converted).notes == summarize(converted).notes);
    return s;
  };
  CHECK(notes_say(notes_of(loose), "conv: fuse() would join it with bn, relu"));
  CHECK(notes_of(fuse(loose, Aim::inference)).notes.empty());
}

TEST_CASE("quantization-aware training with conv_bn2d is free of the inputs' units") {
  const auto trained = [](double size, float gamma1, float gamma2) {
    Model m;
    m.add("x", Input{{1, 6, 6, 2}});
    m.add("conv", Conv2d{.in = 2, .out = 8, .bias = false});
    m.add("bn", BatchNorm{8});
    m.add("relu", Unary{UnaryFn::relu});
    m.add("mean", Pool2d{.kind = Pool::adaptive_average});
    m.add("flat", Reshape{{0, -1}});
    m.add("head", Linear{8, 4});
    Generator g(12);
    initialize(m, g);
    m["bn"].params["weight"].mutable_data<float>()[1] = gamma1;
    m["bn"].params["weight"].mutable_data<float>()[2] = gamma2;
    const Tensor x = times(randn(g, {32, 6, 6, 2}), size);
    Tensor labels({32}, DType::i32);
    for (size_t i = 0; i < 32; ++i) labels.mutable_data<int32_t>()[i] = static_cast<int32_t>(g.next32() % 4);
    Model qat = prepare(fuse(m, Aim::training), {{"", octet_qat_qconfig()}});
    Sgd optimizer({.momentum = 0.9});
    for (int step = 0; step < 60; ++step) {
      Var loss = cross_entropy(forward(qat, {&x, 1}, Mode::train)[0], labels);
      optimizer.step(qat, backward(std::move(loss)), 0.01);
    }
    Model plain = qat;
    disable_fake_quant(plain);
    const Model int8 = convert(qat);
    REQUIRE(summarize(int8).int8_kernels == 2);
    const Tensor& w = int8["conv"].params.at("weight");
    for (int64_t c = 0; c < 8; ++c) {
      CAPTURE(size, c, gamma1, gamma2);
      if (c != 2 || gamma2 != 0) CHECK(span_of(w, c) >= 100);
    }
    return sqnr(infer(plain, {&x, 1})[0], infer(int8, {&x, 1})[0]);
  };
  for (const auto& [gamma1, gamma2] : {std::pair{1.0F, 1.0F}, {1e-5F, 0.0F}}) {
    // eps of the batch norm counts beside inputs of size 1, so the scale-free ones are compared.
    const double expected = trained(1e2, gamma1, gamma2);
    CHECK(expected > 20);
    for (const double size : {1.0, 1e4, 1e6, 1e8}) CHECK(std::abs(trained(size, gamma1, gamma2) - expected) < 1);
  }
}

TEST_CASE("a fused residual rounds once in every rounding, and loses less than an addition of codes") {
  for (const Rounding rounding : kRoundings) {
    CAPTURE(to_string(rounding));
    Model m;
    m.rounding = rounding;
    m.add("x", Input{{1, 8, 8, 4}});
    m.add("a", Conv2d{.in = 4, .out = 4, .padding = pad_all(1)});
    m.add("relu", Unary{UnaryFn::relu});
    m.add("b", Conv2d{.in = 4, .out = 4, .padding = pad_all(1)});
    m.add("sum", Binary{}, {m.index("b"), m.index("x")});
    m.add("relu2", Unary{UnaryFn::relu});
    Generator g(8);
    initialize(m, g);
    for (float& w : weight_of(m["b"].params)->mutable_data<float>()) w *= 6;  // a branch as large as what it is added to
    const Tensor x = randn(g, {4, 8, 8, 4});
    double quality[2];
    for (const bool residual : {false, true}) {
      const Model fused = fuse(m, Aim::inference, {.residual = residual});
      CHECK(std::get<Conv2d>(fused["b"].op).residual == residual);
      Model p = prepare(fused, {{"", octet_device_qconfig()}});
      calibrate(p, {&x, 1});
      const Model int8 = convert(p);
      REQUIRE(summarize(int8).int8_kernels == 2);
      quality[residual] = sqnr(infer(m, {&x, 1})[0], infer(int8, {&x, 1})[0]);
      Session session(Program::bind(int8), {x.shape()});
      CHECK(octet::testing::same(dequantize(session.run({&x, 1})[0]), dequantize(infer(int8, {&x, 1})[0])));
      if (rounding == Rounding::int_bias) continue;
      const FirmwarePlan plan = plan_firmware(int8, {.target = FirmwareTarget::cortex_m4});
      REQUIRE_FALSE(plan.steps.empty());
      for (const FirmwareStep& step : plan.steps)
        if (step.path == "b") CHECK(step.why_not == "");
    }
    WARN(to_string(rounding) << ": " << quality[0] << " dB added as codes, " << quality[1] << " dB fused");
    CHECK(quality[0] > 30);
    CHECK(quality[1] > quality[0] + 0.5);
  }
}
