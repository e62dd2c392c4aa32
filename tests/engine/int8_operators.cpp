// SPDX-License-Identifier: Apache-2.0
// Every operator's codes are its float value, rounded: random attributes, shapes, parameters and roundings against the float
// forward of the numbers that the codes stand for. What lowering forgets or swaps shows here, whatever the kernels do with it.
#include <algorithm>
#include <cmath>
#include <set>

#include "engine/model.h"
#include "engine/random.h"
#include "tests/catch.h"
#include "tests/kernels/fills.h"

using namespace octet;
using octet::testing::kRoundings;

namespace {

/// Draws a converted network of one operator.
class Draw {
 public:
  Draw(uint64_t seed, Rounding rounding) : g_(seed) { m_.rounding = rounding; }

  int64_t pick(int64_t lo, int64_t hi) { return g_.integer(lo, hi + 1); }
  bool coin() { return pick(0, 1) == 1; }

  QParams codes() {
    QParams q{{0.01F + 0.09F * g_.uniform()}, {0}, -1, 0, 0, 255};
    if (coin()) q.qmin = -128, q.qmax = 127;
    q.zero_point[0] = static_cast<int32_t>(pick(q.qmin, q.qmax));
    return q;
  }
  int input(const std::string& path, const Shape& shape) {
    const int index = m_.add(path, Input{shape});
    m_.modules.back().out_q = {codes()};
    return index;
  }
  /// Adds the operator under test with weights in codes; its output's parameters follow when its floats are known.
  void op(const Op& op, std::vector<Wire> wires) {
    Module& m = m_.modules[static_cast<size_t>(m_.add("op", op, std::move(wires)))];
    Params params;
    std::visit(
        [&](const auto& o) {
          if constexpr (requires { o.init(params, g_); }) o.init(params, g_);
        },
        op);
    if (const auto w = params.find("weight"); w != params.end()) {
      const bool per_channel = coin();
      const int64_t pairs = per_channel ? w->second.size(0) : 1;
      QParams q{{}, std::vector<int32_t>(static_cast<size_t>(pairs)), per_channel ? 0 : -1, 0, -128, 127};
      float most = 0;
      for (const float v : w->second.data<float>()) most = std::max(most, std::abs(v));
      for (int64_t c = 0; c < pairs; ++c) q.scale.push_back(most / 127 * (0.8F + 0.4F * g_.uniform()));
      if (coin())
        for (int32_t& z : q.zero_point) z = static_cast<int32_t>(pick(-20, 20));
      w->second = quantize(w->second, q);
    }
    m.params = params;
  }
  Model& model() { return m_; }
  Generator& random() { return g_; }

 private:
  Generator g_;
  Model m_;
};

Activation any_activation(Draw& d) {
  constexpr Activation kAll[] = {Activation::none, Activation::relu, Activation::relu6, {-1, 1}, {0.25F, 2}, {-INFINITY, 0.5F}};
  return kAll[d.pick(0, 5)];
}

Pads any_padding(Draw& d, int64_t most) { return {d.pick(0, most), d.pick(0, most), d.pick(0, most), d.pick(0, most)}; }

void draw_conv(Draw& d) {
  Conv2d op;
  op.groups = d.pick(1, 3);
  const bool depthwise = d.coin();
  op.in = depthwise ? op.groups : op.groups * d.pick(1, 5), op.out = depthwise ? op.in : op.groups * d.pick(1, 5);
  op.kernel = {d.pick(1, 3), d.pick(1, 3)}, op.stride = {d.pick(1, 2), d.pick(1, 2)}, op.dilation = {d.pick(1, 2), d.pick(1, 2)};
  op.padding = any_padding(d, 2), op.bias = d.coin(), op.act = any_activation(d);
  op.residual = d.coin();
  const int x = d.input("x", {d.pick(1, 2), d.pick(5, 8), d.pick(5, 8), op.in});
  std::vector<Wire> wires{{x, 0}};
  if (op.residual) {
    Conv2d plain = op;
    plain.residual = false;
    const Shape y = plain.shapes({"op", {&d.model().modules[0].nominal[0], 1}})[0];
    wires.push_back({d.input("r", y), 0});
  }
  d.op(op, wires);
}

void draw_linear(Draw& d) {
  const Linear op{.in = d.pick(1, 40), .out = d.pick(1, 20), .bias = d.coin(), .act = any_activation(d)};
  const int x = d.input("x", d.coin() ? Shape{d.pick(1, 5), op.in} : Shape{d.pick(1, 3), d.pick(1, 4), op.in});
  d.op(op, {{x, 0}});
}

void draw_add(Draw& d) {
  const Shape shape{d.pick(1, 3), d.pick(1, 90)};
  const int a = d.input("a", shape), b = d.input("b", shape);
  d.op(Binary{.fn = BinaryFn::add, .act = any_activation(d)}, {{a, 0}, {b, 0}});
}

void draw_concat(Draw& d) {
  const int64_t axis = d.pick(0, 2), parts = d.pick(1, 3);
  Shape shape{d.pick(1, 3), d.pick(1, 4), d.pick(1, 9)};
  std::vector<Wire> wires;
  for (int64_t i = 0; i < parts; ++i) {
    shape[static_cast<size_t>(axis)] = d.pick(1, 6);
    wires.push_back({d.input("x" + std::to_string(i), shape), 0});
  }
  d.op(Concat{axis}, wires);
}

void draw_pool(Draw& d) {
  Pool2d op;
  op.kind = static_cast<Pool>(d.pick(0, 2));
  op.kernel = {d.pick(1, 4), d.pick(1, 4)}, op.stride = {d.pick(1, 3), d.pick(1, 3)};
  const auto pad = [&](int64_t kernel) { return d.pick(0, std::min<int64_t>(kernel - 1, 2)); };
  op.padding = {pad(op.kernel.h), pad(op.kernel.w), pad(op.kernel.h), pad(op.kernel.w)};
  op.ceil_mode = d.coin(), op.count_include_pad = d.coin(), op.output = {d.pick(1, 4), d.pick(1, 4)};
  const int x = d.input("x", {d.pick(1, 2), d.pick(4, 9), d.pick(4, 9), d.pick(1, 20)});
  d.op(op, {{x, 0}});
}

void draw_matmul(Draw& d) {
  const MatMul op{.transpose_a = d.coin(), .transpose_b = d.coin()};
  const int64_t m = d.pick(1, 9), n = d.pick(1, 70), k = d.pick(1, d.coin() ? 20 : 300), outer = d.pick(1, 3), inner = d.pick(1, 3);
  Shape a{outer, d.coin() ? inner : 1, op.transpose_a ? k : m, op.transpose_a ? m : k};
  Shape b{d.coin() ? outer : 1, inner, op.transpose_b ? n : k, op.transpose_b ? k : n};
  if (d.coin()) b.erase(b.begin());
  const int x = d.input("a", a), y = d.input("b", b);
  d.op(op, {{x, 0}, {y, 0}});
}

void draw_others(Draw& d) {
  const Shape shape{d.pick(1, 2), d.pick(1, 5), d.pick(1, 7), d.pick(1, 9)};
  const int x = d.input("x", shape);
  switch (d.pick(0, 3)) {
    case 0: d.op(Unary::clamping(any_activation(d)), {{x, 0}}); break;
    case 1: d.op(Reshape{{0, -1}}, {{x, 0}}); break;
    case 2: d.op(Transpose{{d.coin() ? Shape{0, 3, 1, 2} : Shape{2, 0, 3, 1}}}, {{x, 0}}); break;
    default: d.op(Dropout{0.5}, {{x, 0}});
  }
}

/// The same network on floats: the numbers that the codes stand for.
Model float_twin(const Model& int8) {
  Model m = int8;
  for (Module& module : m.modules) {
    module.out_q.clear();
    for (auto& [name, tensor] : module.params) tensor = dequantize(tensor);
  }
  return m;
}

/// Output parameters under which most values fit and a few do not.
QParams fitting(Draw& d, const Tensor& y) {
  const auto [lo, hi] = std::ranges::minmax(y.data<float>());
  QParams q = d.codes();
  q.scale[0] = std::max((hi - lo) / static_cast<float>(d.pick(180, 300)), 1e-3F);
  const float low_code = static_cast<float>(q.qmin) - lo / q.scale[0];
  q.zero_point[0] = std::clamp(static_cast<int32_t>(std::lround(low_code)), q.qmin, q.qmax);
  return q;
}

/// How far a code may lie from the number that it rounds: half a code, and what an integer bias was rounded by; the fixed roundings
/// round twice, before and after they shift.
double most_distance(const Model& m) {
  const Module& op = m.modules.back();
  const double once = m.rounding == Rounding::real || m.rounding == Rounding::int_bias ? 0.503 : 0.77;
  const auto weight = op.params.find("weight");
  if (m.rounding == Rounding::real || weight == op.params.end()) return once;
  const double unit = static_cast<double>(m.modules[0].out_q[0]->scale[0] * std::ranges::max(weight->second.qparams()->scale));
  return once + 0.5 * unit / static_cast<double>(op.out_q[0]->scale[0]);
}

struct Seen {
  int64_t codes = 0, at_limits = 0;
  std::set<int> values;
};

void check_case(void (*draw)(Draw&), uint64_t seed, Rounding rounding, Seen& seen) {
  Draw d(seed, rounding);
  draw(d);
  Model& m = d.model();
  const int last = static_cast<int>(m.modules.size()) - 1;
  Module& op = m.modules.back();
  std::vector<Tensor> codes, floats;
  for (int i = 0; i < last; ++i) {
    const Module& input = m.modules[static_cast<size_t>(i)];
    const QParams& q = *input.out_q[0];
    Tensor x = Tensor(input.nominal[0], code_dtype(q)).with(q);
    auto* to = static_cast<uint8_t*>(x.mutable_raw());
    for (int64_t k = 0; k < x.numel(); ++k) to[k] = static_cast<uint8_t>(d.random().next32());
    codes.push_back(x), floats.push_back(dequantize(x));
  }
  const Tensor y = infer(float_twin(m), floats)[0];
  op.out_q = {keeps_qparams(op.op) ? m.modules[0].out_q[0] : fitting(d, y)};
  // Parts that are copied, parts that share a scale alone, parts that share a zero point alone.
  if (std::holds_alternative<Concat>(op.op))
    for (int i = 0; i < last && d.coin(); ++i) {
      QParams q = *op.out_q[0];
      if (const int64_t other = d.pick(0, 2); other == 1)
        q.zero_point[0] = static_cast<int32_t>(d.pick(q.qmin, q.qmax));
      else if (other == 2)
        q.scale[0] *= 0.7F;
      m.modules[static_cast<size_t>(i)].out_q = {q};
      Tensor x = Tensor(codes[static_cast<size_t>(i)].shape(), code_dtype(q)).with(q);
      std::copy_n(static_cast<const uint8_t*>(codes[static_cast<size_t>(i)].raw()), x.bytes(),
                  static_cast<uint8_t*>(x.mutable_raw()));
      codes[static_cast<size_t>(i)] = x, floats[static_cast<size_t>(i)] = dequantize(x);
    }
  const Tensor expected = infer(float_twin(m), floats)[0];
  REQUIRE(runs_quantized(m, last));
  const Tensor got = infer(m, codes)[0];
  REQUIRE(got.shape() == expected.shape());
  const QParams& q = *op.out_q[0];
  REQUIRE(got.qparams() == op.out_q[0]);
  const double most = most_distance(m);
  REQUIRE(most < 1.3);
  const bool signed_codes = got.dtype() == DType::i8;
  for (int64_t i = 0; i < got.numel(); ++i) {
    const int code = signed_codes ? int{got.data<int8_t>()[i]} : int{got.data<uint8_t>()[i]};
    const double real = static_cast<double>(expected.data<float>()[i]) / static_cast<double>(q.scale[0]) + q.zero_point[0];
    const double limited = std::clamp<double>(real, q.qmin, q.qmax);
    if (std::abs(code - limited) > most) {
      CAPTURE(name_of(op.op), seed, to_string(rounding), i, code, real, to_string(q), to_string(got.shape()));
      REQUIRE(std::abs(code - limited) <= most);
    }
    ++seen.codes, seen.at_limits += real < q.qmin || real > q.qmax, seen.values.insert(code);
  }
}

}  // namespace

TEST_CASE("every operator's codes are its float value rounded, for any attributes and rounding") {
  void (*const draws[])(Draw&) = {draw_conv, draw_linear, draw_add, draw_concat, draw_pool, draw_matmul, draw_others};
  for (void (*const draw)(Draw&) : draws) {
    Seen seen;
    for (const Rounding rounding : kRoundings)
      for (uint64_t seed = 0; seed < 120; ++seed) check_case(draw, seed, rounding, seen);
    CHECK(seen.codes > 10'000);
    CHECK(seen.values.size() > 250);
    CHECK(seen.at_limits < seen.codes / 4);  // or nothing would be compared
  }
}
