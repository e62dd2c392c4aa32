// SPDX-License-Identifier: Apache-2.0
// Whatever rounding mode or flush-to-zero the caller computes in, every number of octet is the same, and the caller's mode comes
// back. A program of its own: the thread pool is made while the mode is wrong.
#include <cfenv>
#include <clocale>
#include <limits>
#include <locale>
#include <sstream>
#include <string>

#include "compile/explain.h"
#include "compile/program.h"
#include "engine/autograd.h"
#include "engine/data.h"
#include "engine/loss.h"
#include "engine/optimizer.h"
#include "io/file.h"
#include "io/firmware_plan.h"
#include "io/image.h"
#include "io/model_file.h"
#include "kernels/parallel.h"
#include "numeric_suite/compare.h"
#include "numeric_suite/diagnose.h"
#include "numeric_suite/eager.h"
#include "numeric_suite/report.h"
#include "quant/correct_bias.h"
#include "quant/data_free.h"
#include "quant/equalize.h"
#include "quant/observer.h"
#include "quant/observers/histogram.h"
#include "quant/observers/range.h"
#include "tests/catch.h"
#include "tests/io/temp_dir.h"
#include "tests/skip.h"

using namespace octet;

namespace {

constexpr unsigned kFlushes = 0x8040;  // FTZ and DAZ of MXCSR

struct Environment {
  const char* name;
  int rounding;
  bool flush;
};
constexpr Environment kModes[] = {{"nearest", FE_TONEAREST, false},
                                  {"upward", FE_UPWARD, false},
                                  {"downward", FE_DOWNWARD, false},
                                  {"toward zero", FE_TOWARDZERO, false},
                                  {"flush to zero", FE_TONEAREST, true}};

void set_mode(const Environment& m) {
  std::fesetround(m.rounding);
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(m.flush ? __builtin_ia32_stmxcsr() | kFlushes : __builtin_ia32_stmxcsr() & ~kFlushes);
#endif
}
bool in_mode(const Environment& m) {
#if defined(__x86_64__)
  if (((__builtin_ia32_stmxcsr() & kFlushes) == kFlushes) != m.flush) return false;
#endif
  return std::fegetround() == m.rounding;
}

/// What a public function gave, as a checksum, in the order of the calls.
struct Entry {
  std::string function;
  uint32_t sum;
};
class Log {
 public:
  explicit Log(const Environment& mode) : mode_(mode) {}
  void add(const std::string& function, std::span<const std::byte> bytes) { note(function, crc32(bytes)); }
  void add(const std::string& function, const Tensor& t) { add(function, {static_cast<const std::byte*>(t.raw()), t.bytes()}); }
  void add(const std::string& function, const std::string& s) { add(function, std::as_bytes(std::span(s))); }
  void add(const std::string& function, double v) { add(function, std::as_bytes(std::span(&v, 1))); }
  void add(const std::string& function, const std::vector<double>& v) { add(function, std::as_bytes(std::span(v))); }
  void add(const std::string& function, const Model& m) { add(function, model_bytes(m, "model")); }
  void add(const std::string& function, const QParams& q) {
    note(function, crc32(std::as_bytes(std::span(q.scale)), crc32(std::as_bytes(std::span(q.zero_point)))));
  }
  std::vector<Entry> entries;

 private:
  void note(const std::string& function, uint32_t sum) {
    entries.push_back({function, sum});
    if (!in_mode(mode_)) entries.push_back({function + " left another mode behind", 1});
  }
  const Environment& mode_;
};

Model network() {
  Model m;
  m.add("image", Input{{1, 9, 9, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 8, .padding = pad_all(1), .bias = false});
  m.add("bn", BatchNorm{8});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("dw", Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .groups = 8});
  m.add("bn2", BatchNorm{8});
  m.add("relu2", Unary{UnaryFn::relu});
  m.add("sum", Binary{BinaryFn::add, Activation::relu6}, {m.index("relu2"), m.index("relu")});
  m.add("pool", Pool2d{.kind = Pool::average, .kernel = {2, 2}, .stride = {2, 2}}, {m.index("sum")});
  m.add("drop", Dropout{0.25});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{4 * 4 * 8, 5});
  return m;
}

void train(Log& log, const std::string& what, Model& m, const Tensor& x, const Tensor& labels) {
  Sgd optimizer({.momentum = 0.9, .weight_decay = 1e-3});
  Generator random(5);
  for (int step = 0; step < 2; ++step) {
    std::vector<Var> out = forward(m, {&x, 1}, octet::Mode::train, {.random = &random});
    log.add(what + ": forward", out[0].value());
    Var loss = cross_entropy(out[0], labels);
    log.add(what + ": cross_entropy", loss.value());
    const Grads grads = backward(std::move(loss));
    for (const auto& [name, grad] : grads) log.add(what + ": gradient of " + name, grad);
    optimizer.step(m, grads, one_cycle_rate(step, 9, 0.37));
    log.add(what + ": Sgd::step", m);
  }
}

void observe(Log& log, Observer&& o, const std::string& name, const Tensor& x) {
  o.observe(x, "x");
  o.observe(x, "x");
  log.add(name, o.qparams());
}

std::vector<Entry> everything(const Environment& mode) {
  set_mode(mode);
  Log log(mode);
  const testing::TempDir folder;
  Generator random(42);
  Model net = network();
  initialize(net, random);
  log.add("initialize", net);
  Tensor x = randn(random, {12, 9, 9, 3});
  log.add("randn", x);
  log.add("uniform", uniform(random, {100}, -0.1, 0.3));
  log.add("rand", rand(random, {100}));
  log.add("Tensor::to", cast(net, DType::f64)["conv"].params.at("weight"));
  x.mutable_data<float>()[3] = 1e-40f;  // subnormal
  Tensor labels({12}, DType::i32);
  for (int i = 0; i < 12; ++i) labels.mutable_data<int32_t>()[static_cast<size_t>(i)] = i % 5;
  log.add("to f32", cast(cast(net, DType::f64), DType::f32)["conv"].params.at("weight"));
  log.add("Tensor::to f32", Tensor::of<double>({3}, std::vector<double>{0.1, 1e-3, 1e-42}).to(DType::f32));
  log.add("channel_ranges", channel_ranges(Tensor::of<float>({2, 1}, std::vector<float>{1e-41F, 0.3F}), 0));
  const DataLoader loader(Tensor::full({4, 3}, 7, DType::u8), Tensor::zeros({4}, DType::i32),
                          {.batch = 2, .scale = 0.1F, .shift = -0.3F});
  log.add("DataLoader::batch", loader.batch(1).inputs);
  log.add("correct", static_cast<double>(count_correct(Tensor::of<float>({1, 2}, std::vector<float>{1e-42F, 2e-42F}),
                                                       Tensor::full({1}, 1, DType::i32))));
  const auto [least, most] = finite_min_max(Tensor::of<float>({2}, std::vector<float>{1e-42F, 2e-42F}), "x");
  log.add("finite_min_max", Tensor::of<float>({2}, std::vector<float>{least, most}));
  log.add("cosine_rate", cosine_rate(3, 17, 0.1));
  {
    Var mse = mse_loss(Var::leaf("x", x), Tensor::full(x.shape(), 0.3));
    log.add("mse_loss", mse.value());
    for (const auto& [name, grad] : backward(std::move(mse))) log.add("backward of mse", grad);
  }
  train(log, "float", net, x, labels);
  log.add("infer", infer(net, {&x, 1})[0]);

  const Model fused = fuse(net, Aim::inference);
  log.add("fuse", fused);
  for (const PairImbalance& pair : pair_imbalances(fused)) log.add("pair_imbalances", pair.decades);
  for (const Rounding rounding : {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single}) {
    const std::string name(to_string(rounding));
    Model plain = net;
    plain.rounding = rounding;
    Model prepared = prepare(fuse(plain, Aim::inference), {{"", octet_qconfig()}});
    calibrate(prepared, {&x, 1});
    log.add(name + ": prepare and calibrate", prepared);
    log.add(name + ": infer prepared", infer(prepared, {&x, 1})[0]);
    const Model int8 = convert(prepared);
    REQUIRE(summarize(int8).int8_kernels == 3);
    log.add(name + ": convert", int8);
    log.add(name + ": infer", infer(int8, {&x, 1})[0]);
    for (const QEngine engine : {QEngine::reference, QEngine::native, QEngine::automatic}) {
      Session session(Program::bind(int8, engine), {x.shape()}, 2);
      log.add(name + ": Session", session.run({&x, 1})[0]);
    }
    log.add(name + ": run_batched", run_batched(Program::bind(int8), x, 5));
    const std::vector<Tensor> logits = infer(int8, {&x, 1});
    log.add(name + ": dequantize", dequantize(logits[0]));
    log.add(name + ": sqnr", sqnr(infer(net, {&x, 1})[0], logits[0]));
    log.add(name + ": compare", to_table(compare(net, int8, {&x, 1})));
    log.add(name + ": compare_outputs", to_table(compare_outputs(net, int8, {&x, 1})));
    const Report report = make_report(net, int8, {&x, 1}, {.labels = {&labels, 1}});
    log.add(name + ": report", to_json(report) + to_html(report) + to_table(report));
    log.add(name + ": correct_bias", correct_bias(net, int8, {&x, 1}));
    for (const MeanError& e : own_mean_errors(net, int8, {&x, 1})) log.add(name + ": own_mean_errors", e.error);
    if (rounding == Rounding::int_bias) continue;
    const FirmwarePlan plan = plan_firmware(int8, {.float_inputs = true, .target = FirmwareTarget::cortex_m4});
    log.add(name + ": image", image_bytes(plan));
    const ImageSource source = image_source(plan, "model");
    log.add(name + ": image source", source.c + source.h + to_table(plan));
  }

  Model qat = prepare(fuse(net, Aim::training), {{"", octet_qat_qconfig()}});
  train(log, "quantization-aware", qat, x, labels);
  log.add("convert after training", convert(qat));
  save_model(folder / "qat.octet", qat);
  log.add("load_model", load_model(folder / "qat.octet", make_hook).model);

  const DataFree repaired = data_free(net, {.input = {-4, 4, 0.0, 1.0}});
  log.add("data_free", repaired.reference);
  log.add("data_free, quantized", repaired.quantized);
  StatisticsByPath statistics = batch_norm_statistics(net);
  log.add("batch_norm_statistics", statistics.at("conv").deviation);
  log.add("equalize", equalize(fused, {.statistics = &statistics}));
  log.add("absorb_bias", absorb_bias(fused, statistics));
  log.add("channel_ranges", channel_ranges(fused["conv"].params.at("weight"), 0));

  Model chain;
  chain.add("x", Input{{1, 4, 4, 3}});
  chain.add("a", Conv2d{.in = 3, .out = 5, .act = Activation::relu});
  chain.add("b", Conv2d{.in = 5, .out = 2, .kernel = {1, 1}});
  initialize(chain, random);
  REQUIRE(equalizable(chain).size() == 1);
  log.add("equalize a chain", equalize(chain));
  log.add("pair_ranges", pair_ranges(chain, "a", "b").second);
  log.add("cross_layer_equalization", cross_layer_equalization(chain, "a", "b"));

  ObserverSpec spec;
  log.add("calculate_qparams", calculate_qparams(std::vector<float>{-0.3f}, std::vector<float>{1.7f}, spec));
  observe(log, MinMaxObserver(spec), "MinMaxObserver", x);
  observe(log, MovingAverageMinMaxObserver(spec), "MovingAverageMinMaxObserver", x);
  observe(log, HistogramObserver(spec), "HistogramObserver", x);
  const QParams q{{0.0371f}, {7}, -1, 0, 0, 255};
  for (const Rounding r : {Rounding::real, Rounding::int_bias, Rounding::fixed_double}) log.add("quantize", quantize(x, q, r));
  log.add("fake_quantize", fake_quantize(Var(x), q).value());
  log.add("QParams as text", to_string(QParams{{0.25F}, {1234}, -1, 0, 0, 65535}));
  try {
    check(false, "message: ", 1234567.5, " and ", 1234567, " of ", to_string(Shape{1'000'000, 2}));
  } catch (const Error& e) {
    log.add("message", std::string(e.what()));
    CHECK(std::string(e.what()) == "message: 1234567.5 and 1234567 of [1000000, 2]");
  }
  Explanation explanation;
  explanation.layers.resize(1);
  explanation.layers[0].placement.path = "conv";
  explanation.layers[0].placement.macs = 1'234'567;
  explanation.layers[0].micros = 1234.5;
  explanation.memory.arena = 1'234'567;
  log.add("explanation", to_string(explanation));
  set_mode(kModes[0]);
  return log.entries;
}

}  // namespace

TEST_CASE("every public function gives the same bytes in every floating-point environment, and leaves the caller's") {
  // The pool's threads begin while the rounding is upward.
  set_mode(kModes[1]);
  set_threads(2);
  parallel(1 << 20, 1, [](int, int64_t, int64_t) {});
  const std::vector<Entry> expected = everything(kModes[0]);
  REQUIRE(expected.size() > 100);
  for (const Environment& mode : kModes) {
    const std::vector<Entry> got = everything(mode);
    REQUIRE(got.size() >= expected.size());
    int wrong = 0;
    std::string names;
    for (size_t i = 0; i < got.size() && i < expected.size(); ++i)
      if (got[i].function != expected[i].function || got[i].sum != expected[i].sum) ++wrong, names += "\n  " + got[i].function;
    INFO(mode.name << ": different:" << names);
    CHECK(wrong == 0);
    CHECK(got.size() == expected.size());
  }
}

namespace {

/// Decimal commas and points between thousands.
class Commas : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

void check_same(const std::vector<Entry>& expected, const std::vector<Entry>& got) {
  REQUIRE(got.size() == expected.size());
  std::string different;
  for (size_t i = 0; i < got.size(); ++i)
    if (got[i].sum != expected[i].sum) different += "\n  " + got[i].function;
  INFO("different:" << different);
  CHECK(different.empty());
}

}  // namespace

TEST_CASE("every writer and message is the same in every locale") {
  const std::vector<Entry> expected = everything(kModes[0]);
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Commas));
  std::ostringstream here;
  here << 1234.5;
  CHECK(here.str() == "1.234,5");  // it does change what a stream writes
  const std::vector<Entry> got = everything(kModes[0]);
  std::locale::global(before);
  check_same(expected, got);

  // The C library's own, where one with a decimal comma is installed.
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) == nullptr) continue;
    CHECK(std::to_string(0.5) == "0,500000");
    const std::vector<Entry> c_locale = everything(kModes[0]);
    std::setlocale(LC_ALL, "C");
    check_same(expected, c_locale);
    return;
  }
  octet::testing::skip_part("setlocale", "no locale with a decimal comma is installed");
}

TEST_CASE("the environments of this test do change what floats compute") {
  volatile float one = 1, three = 3, small = std::numeric_limits<float>::min(), half = 0.5f;
  const float nearest = one / three;
  set_mode(kModes[1]);
  const float upward = one / three;
  set_mode(kModes[2]);
  const float downward = one / three;
  set_mode(kModes[4]);
  [[maybe_unused]] const float flushed = small * half;
  set_mode(kModes[0]);
  CHECK(upward > downward);
  CHECK((nearest == upward || nearest == downward));
#if defined(__x86_64__)
  CHECK(flushed == 0);
  CHECK(small * half > 0);
#endif
}
