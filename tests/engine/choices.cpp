// SPDX-License-Identifier: Apache-2.0
// Elements by condition, by order, by number, and of the model's own: values, ties, NaN, derivatives, errors, int8 around them.
#include <algorithm>
#include <cmath>

#include "compile/program.h"
#include "io/model_file.h"
#include "quant/data_free.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/engine/gradient_check.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;

namespace octet::choices {
namespace {

std::vector<Tensor> run(Op op, const std::vector<Tensor>& inputs) {
  Model m;
  std::vector<Wire> wires;
  for (const Tensor& x : inputs) wires.push_back({m.add("x" + std::to_string(wires.size()), Input{x.shape()}), 0});
  const int at = m.add("op", std::move(op), wires);
  for (int port = 0; port < static_cast<int>(m.modules.back().nominal.size()); ++port) m.outputs.push_back({at, port});
  return infer(m, inputs);
}

std::vector<float> values(const Tensor& t) { return {t.data<float>().begin(), t.data<float>().end()}; }
Tensor of(const Shape& shape, const std::vector<float>& v) { return Tensor::of<float>(shape, v); }

}  // namespace

TEST_CASE("where takes the second input where the first is not zero, whatever is broadcast") {
  const Tensor which = of({2, 1, 3}, {1, 0, -0.0F, NAN, 0, 2}), a = of({2, 1}, {10, 20}), b = of({3}, {1, 2, 3});
  const Tensor y = run(Where{}, {which, a, b})[0];
  CHECK(y.shape() == Shape{2, 2, 3});
  CHECK(values(y) == std::vector<float>{10, 2, 3, 20, 2, 3, 10, 2, 10, 20, 2, 20});
  // What is not taken does not matter.
  const float inf = INFINITY;
  CHECK(values(run(Where{}, {of({2}, {1, 0}), of({2}, {5, NAN}), of({2}, {inf, 6})})[0]) == std::vector<float>{5, 6});
  CHECK_THROWS_WITH(run(Where{}, {of({2}, {1, 0}), of({3}, {1, 2, 3}), of({1}, {0})}),
                    Contains("op: inputs of shapes [2] and [3]"));

  // Derivatives by both choices; the condition has none.
  Model m;
  m.add("which", Input{{2, 3}});
  m.add("a", Input{{2, 3}});
  m.add("b", Input{{3}});
  m.add("op", Where{}, {{0, 0}, {1, 0}, {2, 0}});
  const Tensor condition = Tensor::of<double>({2, 3}, std::vector<double>{1, 0, 1, 0, 0, 1});
  Generator g(2);
  const Tensor weights = gradient_check::random_tensor(g, {2, 3});
  gradient_check::compare(
      [&](const std::map<std::string, Var>& at) {
        const std::vector<Var> in{Var(condition), at.at("a"), at.at("b")};
        return gradient_check::weighted_sum(run_module(m, 3, in, Mode::train)[0], weights);
      },
      {{"a", gradient_check::random_tensor(g, {2, 3})}, {"b", gradient_check::random_tensor(g, {3})}});
}

TEST_CASE("places that no float holds are refused by their number") {
  Model m;
  m.add("x", Input{{(int64_t{1} << 24) + 1}});
  CHECK_THROWS_WITH(m.add("best", ArgReduce{}), Contains("best: 16777217 elements along axis -1"));
  CHECK_THROWS_WITH(m.add("best", TopK{}), Contains("best: 16777217 elements along axis -1"));
}

TEST_CASE("argmax and argmin: the first of equal elements, or the last; NaN wins") {
  const Tensor x = of({2, 4}, {1, 3, 3, 2, -1, -5, -5, 0});
  CHECK(values(run(ArgReduce{}, {x})[0]) == std::vector<float>{1, 3});
  CHECK(values(run(ArgReduce{.select_last = true}, {x})[0]) == std::vector<float>{2, 3});
  CHECK(values(run(ArgReduce{.smallest = true}, {x})[0]) == std::vector<float>{0, 1});
  CHECK(values(run(ArgReduce{.smallest = true, .select_last = true}, {x})[0]) == std::vector<float>{0, 2});
  const Tensor down = run(ArgReduce{.axis = 0, .keepdims = true}, {x})[0];
  CHECK(down.shape() == Shape{1, 4});
  CHECK(values(down) == std::vector<float>{0, 0, 0, 0});
  const Tensor nan = of({1, 4}, {9, NAN, INFINITY, NAN});
  for (const bool smallest : {false, true}) {
    CHECK(values(run(ArgReduce{.smallest = smallest}, {nan})[0]) == std::vector<float>{1});
    CHECK(values(run(ArgReduce{.smallest = smallest, .select_last = true}, {nan})[0]) == std::vector<float>{3});
  }
  CHECK_THROWS_WITH(run(ArgReduce{.axis = 2}, {x}), Contains("op: axis 2 of shape [2, 4]"));
  CHECK_THROWS_WITH(run(ArgReduce{}, {Tensor::zeros({2, 0})}), Contains("op: no element along axis -1"));
}

TEST_CASE("the k largest elements come in order with their indices; equal ones as they stood") {
  const Tensor x = of({2, 5}, {1, 4, 4, NAN, 2, -1, -3, -3, -2, -7});
  const std::vector<Tensor> largest = run(TopK{3}, {x}), smallest = run(TopK{.k = 3, .smallest = true}, {x});
  CHECK(values(largest[1]) == std::vector<float>{3, 1, 2, 0, 3, 1});
  CHECK(std::isnan(values(largest[0])[0]));
  CHECK(values(largest[0])[1] == 4);
  CHECK(values(smallest[1]) == std::vector<float>{0, 4, 1, 4, 1, 2});
  CHECK(values(smallest[0]) == std::vector<float>{1, 2, 4, -7, -3, -3});
  const std::vector<Tensor> down = run(TopK{.k = 2, .axis = 0}, {of({3, 2}, {1, 6, 5, 4, 3, 2})});
  CHECK(values(down[0]) == std::vector<float>{5, 6, 3, 4});
  CHECK(values(down[1]) == std::vector<float>{1, 0, 2, 1});
  CHECK_THROWS_WITH(run(TopK{6}, {x}), Contains("op: the first 6 of 5 elements"));
  CHECK_THROWS_WITH(run(TopK{0}, {x}), Contains("op: the first 0 of 5"));

  Model m;
  m.add("x", Input{{3, 4}});
  m.add("op", TopK{2, 0});
  Generator g(5);
  const Tensor weights = gradient_check::random_tensor(g, {2, 4});
  gradient_check::compare(
      [&](const std::map<std::string, Var>& at) {
        const std::vector<Var> in{at.at("x")};
        return gradient_check::weighted_sum(run_module(m, 1, in, Mode::train)[0], weights);
      },
      {{"x", gradient_check::random_tensor(g, {3, 4})}});
}

TEST_CASE("an embedding gives rows by number, learns them, and refuses what is no row") {
  Model m;
  m.add("ids", Input{{2, 3}});
  m.add("table", Embedding{4, 2});
  Generator g(7);
  initialize(m, g);
  const Tensor& table = m["table"].params.at("weight");
  const Tensor ids = of({2, 3}, {0, 3, 1, 3, 3, 2}), y = infer(m, {&ids, 1})[0];
  REQUIRE(y.shape() == Shape{2, 3, 2});
  for (size_t i = 0; i < 6; ++i)
    for (size_t f = 0; f < 2; ++f)
      CHECK(y.data<float>()[i * 2 + f] == table.data<float>()[static_cast<size_t>(ids.data<float>()[i]) * 2 + f]);
  for (const float bad : {-1.0F, 4.0F, 0.5F, NAN, INFINITY, 1e30F}) {
    const Tensor wrong = of({1, 3}, {0, bad, 1});
    CHECK_THROWS_WITH(infer(m, {&wrong, 1}), Contains("table: element 1 is ") && Contains("expected the number of a row, 0..3"));
  }
}

TEST_CASE("a row of an embedding that is read twice gets both gradients") {
  Model m;
  m.add("ids", Input{{3}});
  m.add("table", Embedding{4, 2});
  Generator g(8);
  initialize(m, g);
  m = cast(m, DType::f64);
  const Tensor ids = Tensor::of<double>({3}, std::vector<double>{2, 0, 2});
  const Tensor weights = Tensor::of<double>({3, 2}, std::vector<double>{1, 2, 3, 4, 5, 6});
  const Grads grads = backward(gradient_check::weighted_sum(forward(m, {&ids, 1}, Mode::train)[0], weights));
  const auto d = grads.at("table.weight").data<double>();
  CHECK(std::vector<double>(d.begin(), d.end()) == std::vector<double>{3, 4, 0, 0, 6, 8, 0, 0});
}

TEST_CASE("a constant is a value of the model's own: in floats, in codes, trained, stored, without an input of its own") {
  Model m;
  m.add("x", Input{{2, 3, 4}});
  m.add("position", Constant{{1, 3, 4}});
  m.add("sum", Binary{}, {{0, 0}, {1, 0}});
  m.add("fc", Linear{4, 5});
  Generator g(9);
  initialize(m, g);
  m["position"].params["value"] = randn(g, {1, 3, 4});
  const Tensor x = randn(g, {2, 3, 4}), real = infer(m, {&x, 1})[0];
  for (int64_t i = 0; i < 12; ++i) {  // with zeros for x it is the constant that comes out of the sum
    Model sum = m;
    sum.outputs = {{2, 0}};
    const Tensor zero = Tensor::zeros({1, 3, 4});
    CHECK(infer(sum, {&zero, 1})[0].data<float>()[static_cast<size_t>(i)] ==
          m["position"].params.at("value").data<float>()[static_cast<size_t>(i)]);
  }
  Session floats(Program::bind(m), {x.shape()});
  CHECK(same(floats.run({&x, 1})[0], real));
  const Model back = parse_model(model_bytes(m, "m"), "m").model;
  CHECK(same(infer(back, {&x, 1})[0], real));

  Model training = cast(m, DType::f64);
  const Tensor in = x.to(DType::f64);
  const Grads grads =
      backward(gradient_check::weighted_sum(forward(training, {&in, 1}, Mode::train)[0], Tensor::full({2, 3, 5}, 1, DType::f64)));
  CHECK(grads.contains("position.value"));

  for (const Rounding rounding : {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single}) {
    Model with = m;
    with.rounding = rounding;
    Model prepared = prepare(with, {{"", octet_qconfig()}});
    calibrate(prepared, {&x, 1});
    const Model int8 = convert(prepared);
    REQUIRE(runs_quantized(int8, int8.index("position")));
    const Tensor y = infer(int8, {&x, 1})[0];
    double error = 0, signal = 0;
    for (int64_t i = 0; i < real.numel(); ++i) {
      const double r = static_cast<double>(real.data<float>()[static_cast<size_t>(i)]);
      const double d = static_cast<double>(dequantize(y).data<float>()[static_cast<size_t>(i)]) - r;
      signal += r * r, error += d * d;
    }
    CHECK(10 * std::log10(signal / error) > 30);
    for (const QEngine engine : {QEngine::reference, QEngine::automatic}) {
      Session session(Program::bind(int8, engine), {x.shape()});
      CHECK(same(session.run({&x, 1})[0], y));
    }
  }
  CHECK_THROWS_WITH(m.add("wrong", Constant{{2}}, {{0, 0}}), "wrong: constant reads no wire");
  Model missing = m;
  missing["position"].params.clear();
  CHECK_THROWS_WITH(infer(missing, {&x, 1}), Contains("position: parameter \"value\" is missing"));
}

}  // namespace octet::choices
