// SPDX-License-Identifier: Apache-2.0
// What observers propose, under hostile data and by users' own classes: parameters that codes can have, or one error that names the
// module.
#include <cmath>
#include <limits>

#include "quant/observers/histogram.h"
#include "quant/observers/range.h"
#include "quant/quantize.h"
#include "tests/catch.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

/// Convolution, depthwise, linear.
Model observed_network() {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 16, .padding = pad_all(1), .act = Activation::relu});
  m.add("dw", Conv2d{.in = 16, .out = 16, .padding = pad_all(1), .groups = 16, .act = Activation::relu});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{16, 10});
  Generator g(1);
  initialize(m, g);
  return m;
}

/// A user's own observer: proposes what it is told.
class Stubborn final : public Observer {
 public:
  explicit Stubborn(QParams q) : q_(std::move(q)) {}
  void observe(const Tensor&, std::string_view) override {}
  bool calibrated() const override { return true; }
  QParams qparams() const override {
    ++searches;
    return q_;
  }
  void reset() override {}
  std::unique_ptr<Observer> clone() const override { return std::make_unique<Stubborn>(*this); }
  std::string_view kind() const override { return "stubborn"; }
  StateDict state() const override { return {}; }
  void load(const StateDict&) override {}
  static inline int searches = 0;

 private:
  QParams q_;
};

}  // namespace

TEST_CASE("activations cannot be observed per channel: prepare says so") {
  QConfig qconfig = octet_qconfig();
  qconfig.activation = FakeQuantize(std::make_unique<PerChannelMinMaxObserver>(), true, false);
  CHECK_THROWS_WITH(prepare(observed_network(), {{"", octet_qconfig()}, {"dw", qconfig}}),
                    Contains("dw: a per_channel_min_max observer for its activations"));
}

TEST_CASE("convert names the module whose observer proposes what codes cannot be") {
  const Tensor x = Tensor::full({2, 8, 8, 3}, 0.3);
  const float inf = std::numeric_limits<float>::infinity();
  const std::pair<const char*, QParams> proposals[] = {
      {"scale 0 is 0", {{0}, {0}, -1, 0, 0, 255}},         {"scale 0 is -1", {{-1}, {0}, -1, 0, 0, 255}},
      {"scale 0 is nan", {{NAN}, {0}, -1, 0, 0, 255}},     {"scale 0 is inf", {{inf}, {0}, -1, 0, 0, 255}},
      {"scale 0 is 9.99", {{1e-40F}, {0}, -1, 0, 0, 255}}, {"zero point 0 is 256", {{1}, {256}, -1, 0, 0, 255}},
      {"zero point 0 is -1", {{1}, {-1}, -1, 0, 0, 255}},  {"qmin 255 is above", {{1}, {0}, -1, 0, 255, 0}},
      {"neither u8, i8 nor i16", {{1}, {0}, -1, 0, 0, 32768}},    {"per channel", {{1, 1}, {0, 0}, 3, 0, 0, 255}},
      {"needs 1 scales", {{1, 1}, {0, 0}, -1, 0, 0, 255}}, {"needs 1 scales", {{}, {}, -1, 0, 0, 255}}};
  for (const auto& [text, q] : proposals) {
    CAPTURE(text);
    Model p = prepare(observed_network(), {{"", octet_qconfig()}});
    calibrate(p, {&x, 1});
    p["dw"].hooks.at("output") = HookBox(std::make_unique<FakeQuantize>(std::make_unique<Stubborn>(q), true, false));
    CHECK_THROWS_WITH(convert(p), Contains("dw") && Contains(text));
    Model w = prepare(observed_network(), {{"", octet_qconfig()}});
    calibrate(w, {&x, 1});
    w["head"].hooks.at("weight") = HookBox(std::make_unique<FakeQuantize>(std::make_unique<Stubborn>(q), false, false));
    CHECK_THROWS_WITH(convert(w), Contains("head"));
  }
  Model rounding = prepare(observed_network(), {{"", octet_qconfig()}});
  rounding["dw"].hooks.at("output") =
      HookBox(std::make_unique<FakeQuantize>(std::make_unique<Stubborn>(proposals[0].second), true, true));
  CHECK_THROWS_WITH(forward(rounding, {&x, 1}, Mode::train), Contains("dw") && Contains("scale 0 is 0"));
}

TEST_CASE("averages with constant 1 are the last batch, and never leave the floats or cross") {
  const auto after = [](std::vector<std::vector<float>> batches, float constant) {
    MovingAverageMinMaxObserver o({}, constant);
    for (const std::vector<float>& b : batches) o.observe(Tensor::of<float>({static_cast<int64_t>(b.size())}, b), "x");
    return std::pair{o.min()[0], o.max()[0]};
  };
  CHECK(after({{-3.3F, 7.7F}, {0.7F}}, 1) == std::pair{0.7F, 0.7F});
  const auto [lo, hi] = after({{-3e38F}, {3e38F}}, 0.01F);
  CHECK(std::isfinite(lo));
  CHECK(lo == hi);
  CHECK(lo == Approx(-3e38 + 0.01 * 6e38).epsilon(1e-6));
  CHECK(after({{-3e38F}, {3e38F}}, 1) == std::pair{3e38F, 3e38F});
  // Elsewhere PyTorch's numbers: m + c * (batch - m) in float32.
  const float m = -3.3F, b = 0.7F, c = 0.01F;
  CHECK(after({{m, 7.7F}, {b}}, c).first == m + c * (b - m));
}

TEST_CASE("hostile data: every observer gives parameters that codes can have, or one error that names the module") {
  Generator g(9);
  const float most = std::numeric_limits<float>::max(), least = std::numeric_limits<float>::denorm_min();
  const float values[] = {0.0F, -0.0F, 1, -1, most, -most, least, -least, 1e-38F, 1e38F, 255, 0.1F, -1e-30F, 3e5F};
  const auto batch = [&] {
    std::vector<float> v(1 + g.next32() % 9);
    for (float& e : v) e = values[g.next32() % std::size(values)];
    const auto n = static_cast<int64_t>(v.size());
    return Tensor::of<float>({1, n}, v);
  };
  int given = 0, refused = 0;
  for (int repeat = 0; repeat < 400; ++repeat)
    for (const DType dtype : {DType::u8, DType::i8})
      for (const QScheme scheme :
           {QScheme::per_tensor_affine, QScheme::per_tensor_symmetric, QScheme::per_channel_affine, QScheme::per_channel_symmetric})
        for (const float eps : {0.0F, 0x1p-23F}) {
          const ObserverSpec spec{.dtype = dtype, .scheme = scheme, .eps = eps, .axis = 0};
          std::vector<std::unique_ptr<Observer>> observers;
          if (spec.per_channel()) {
            observers.push_back(std::make_unique<PerChannelMinMaxObserver>(spec));
            observers.push_back(std::make_unique<MovingAveragePerChannelMinMaxObserver>(spec, 0.3F));
          } else {
            observers.push_back(std::make_unique<MinMaxObserver>(spec));
            observers.push_back(std::make_unique<MovingAverageMinMaxObserver>(spec, 0.3F));
            observers.push_back(std::make_unique<HistogramObserver>(spec, 64));
          }
          for (const auto& o : observers) try {
              for (int b = 0; b < 3; ++b) o->observe(batch(), "layer");
              const QParams q = o->qparams();
              REQUIRE(q.scale.size() == 1);
              REQUIRE(std::isnormal(q.scale[0]));
              REQUIRE(q.scale[0] > 0);
              REQUIRE(q.zero_point[0] >= q.qmin);
              REQUIRE(q.zero_point[0] <= q.qmax);
              ++given;
            } catch (const Error& e) {
              REQUIRE_THAT(e.what(), Contains("layer"));
              ++refused;
            }
        }
  CHECK(given > 10'000);
  CHECK(refused > 0);  // ranges too wide for a histogram
}

TEST_CASE("a loaded hook searches its parameters once, and never keeps old ones") {
  FakeQuantize hook(std::make_unique<Stubborn>(QParams{{0.5F}, {0}, -1, 0, 0, 255}), true, true);
  const StateDict state = hook.state();
  Stubborn::searches = 0;
  hook.load(state);
  const Tensor x = Tensor::full({4}, 1.3);
  for (int i = 0; i < 5; ++i) static_cast<void>(hook.peek(Var(x), "x"));
  CHECK(Stubborn::searches == 1);

  Model model = prepare(observed_network(), {{"", default_qconfig()}});
  for (Module& module : model.modules)
    for (auto& [point, box] : module.hooks)
      *fake_quantize_at(box) = FakeQuantize(std::make_unique<Stubborn>(QParams{{0.5F}, {0}, -1, 0, 0, 255}), true, true);
  disable_observer(model);  // from here on nothing moves, and nothing is searched for again
  Stubborn::searches = 0;
  for (const Module& module : model.modules)
    for (const auto& [point, box] : module.hooks)
      for (int i = 0; i < 5; ++i) static_cast<void>(box->peek(Var(x), "x"));
  CHECK(Stubborn::searches == 0);

  FakeQuantize fresh(std::make_unique<MinMaxObserver>(), true, true), other = fresh;
  fresh(Var(Tensor::full({1}, 1)), Mode::train, "x");
  other(Var(Tensor::full({1}, 100)), Mode::train, "x");
  REQUIRE(fresh.qparams("x").scale[0] == 1 / 255.0F);
  fresh.load(other.state());
  CHECK(fresh.qparams("x") == other.qparams("x"));
  CHECK(fresh.peek(Var(Tensor::full({1}, 50)), "x").value().item() == Approx(50).epsilon(0.01));
}

TEST_CASE("configurations and hooks are ordinary values") {
  QConfigMap map;
  map[""] = octet_qconfig();
  map["head"] = std::nullopt;
  map[""] = default_qconfig();
  const Model p = prepare(observed_network(), map);
  CHECK(p["head"].hooks.empty());
  CHECK(fake_quantize_at(p["conv"].hooks.at("output"))->observer().kind() == "min_max");
  FakeQuantize a(std::make_unique<MinMaxObserver>(), true, false), b(std::make_unique<HistogramObserver>(), false, true);
  a = b;
  CHECK(a.observer().kind() == "histogram");
  CHECK((!a.observe && a.round));
  a.observer().observe(Tensor::full({3}, 2), "x");
  CHECK_FALSE(b.observer().calibrated());
  FakeQuantize& self = a;
  a = self;
  CHECK(a.observer().calibrated());
  b = std::move(a);
  CHECK(b.observer().calibrated());
}
