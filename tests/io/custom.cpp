// SPDX-License-Identifier: Apache-2.0
// Operators that a program brings itself: they compute, learn and come back from files through a factory, and are held to what they
// announce.
#include "compile/program.h"
#include "io/model_file.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/engine/operators.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;
using octet::testing::Scaled;

namespace octet::custom_tests {
namespace {

Model network(std::shared_ptr<const CustomFunction> function) {
  Model m;
  m.add("x", Input{{2, 3}});
  m.add("own", Custom{std::move(function)});
  m.add("fc", Linear{3, 2});
  Generator g(1);
  initialize(m, g);
  return m;
}

/// One that reads nothing.
class Seven final : public CustomFunction {
 public:
  std::string_view kind() const override { return "seven"; }
  int inputs() const override { return 0; }
  std::vector<Shape> shapes(std::span<const Shape>) const override { return {{1}}; }
  std::vector<Var> forward(std::span<const Var>) const override { return {Var(Tensor::full({1}, 7))}; }
};

/// One that breaks a promise.
class Liar final : public CustomFunction {
 public:
  explicit Liar(int how) : how_(how) {}
  std::string_view kind() const override { return "liar"; }
  int outputs() const override { return how_ == 0 ? 2 : how_ == 5 ? 0 : 1; }
  std::vector<Shape> shapes(std::span<const Shape> inputs) const override {
    if (how_ == 1) throw std::runtime_error("not today");
    return {inputs[0]};
  }
  std::vector<Var> forward(std::span<const Var> inputs) const override {
    if (how_ == 2) return {Var(Tensor::zeros({7}))};
    if (how_ == 3) return {};
    if (how_ == 4) return {Var(inputs[0].value().to(DType::f64))};
    throw std::runtime_error("no value");  // how_ 6
  }

 private:
  int how_;
};

}  // namespace

TEST_CASE("an operator of one's own runs in sessions, learns, and stays in float in an int8 network", "[io]") {
  const Model m = network(std::make_shared<const Scaled>(3));
  const Tensor x = Tensor::of<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}), y = infer(m, {&x, 1})[0];
  const Tensor* weight = weight_of(m["fc"].params);
  CHECK(y.data<float>()[0] == Approx(3 * (weight->data<float>()[0] + 2 * weight->data<float>()[1] + 3 * weight->data<float>()[2]) +
                                     bias_of(m["fc"].params)->data<float>()[0]));
  Session session(Program::bind(m), {x.shape()});
  CHECK(same(session.run({&x, 1})[0], y));
  Model prepared = prepare(m, {{"", octet_qconfig()}});
  calibrate(prepared, {&x, 1});
  const Model int8 = convert(prepared);
  CHECK(!runs_quantized(int8, int8.index("own")));
  CHECK(runs_quantized(int8, int8.index("fc")));
  Session integers(Program::bind(int8), {x.shape()});
  CHECK(same(integers.run({&x, 1})[0], infer(int8, {&x, 1})[0]));
}

TEST_CASE("a custom operator comes back from a file through its factory, and not without one", "[io]") {
  const Model m = network(std::make_shared<const Scaled>(0.25));
  const Bytes bytes = model_bytes(m, "m");
  const Model back = parse_model(bytes, "m", no_hooks, Scaled::make).model;
  const Tensor x = Tensor::of<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(back["own"].op == m["own"].op);
  CHECK(same(infer(back, {&x, 1})[0], infer(m, {&x, 1})[0]));
  CHECK(model_bytes(back, "m") == bytes);
  CHECK_THROWS_WITH(parse_model(bytes, "m"), Contains("m: own: unknown custom operator 'scaled'") && Contains("factory"));
  CHECK_THROWS_WITH(parse_model(bytes, "m", no_hooks, [](std::string_view, std::string_view) { return nullptr; }),
                    Contains("m: own: unknown custom operator 'scaled'"));
  CHECK_THROWS_WITH(
      parse_model(bytes, "m", no_hooks, [](std::string_view, std::string_view) { return std::make_shared<const Liar>(9); }),
      Contains("m: own: the factory made a 'liar' of 'scaled'"));
}

TEST_CASE("a custom operator may read nothing", "[io]") {
  Model m;
  const int x = m.add("x", Input{{2}}), seven = m.add("seven", Custom{std::make_shared<const Seven>()}, std::vector<Wire>{});
  m.add("sum", Binary{}, {x, seven});
  const Tensor in = Tensor::of<float>({2}, std::vector<float>{1, -1});
  CHECK(same(infer(m, {&in, 1})[0], Tensor::of<float>({2}, std::vector<float>{8, 6})));
}

TEST_CASE("a custom operator that breaks its promise is named", "[io]") {
  CHECK_THROWS_WITH(network(nullptr), Contains("own: a custom operator without a function"));
  CHECK_THROWS_WITH(network(std::make_shared<const Liar>(0)), Contains("own: liar gives 1 shapes, it has 2 outputs"));
  CHECK_THROWS_WITH(network(std::make_shared<const Liar>(1)), Contains("own: liar: not today"));
  CHECK_THROWS_WITH(network(std::make_shared<const Liar>(5)), Contains("own: liar has 0 outputs"));
  const Tensor x = Tensor::zeros({2, 3});
  const auto run = [&](int how) { return infer(network(std::make_shared<const Liar>(how)), {&x, 1}); };
  CHECK_THROWS_WITH(run(2), Contains("own: liar gave output 0 of shape [7], it announced [2, 3]"));
  CHECK_THROWS_WITH(run(3), Contains("own: liar gave 0 outputs, expected 1"));
  CHECK_THROWS_WITH(run(4), Contains("own: liar gave f64 for f32"));
  CHECK_THROWS_WITH(run(6), Contains("own: liar: no value"));
}

}  // namespace octet::custom_tests
