// SPDX-License-Identifier: Apache-2.0
// Building and running models: shapes are refused on the line that builds them, ties share parameters, several inputs and outputs
// work.
#include "engine/model.h"

#include "engine/loss.h"
#include "tests/catch.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

Model two_inputs() {
  Model m;
  const int a = m.add("a", Input{{1, 4}}), b = m.add("b", Input{{1, 4}});
  const int sum = m.add("sum", Binary{}, {a, b});
  const int fc = m.add("fc", Linear{4, 3}, {sum});
  m.outputs = {{sum, 0}, {fc, 0}};
  return m;
}

}  // namespace

TEST_CASE("a wrong network fails on the line that builds it, naming the module") {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  CHECK_THROWS_WITH(m.add("conv", Conv2d{.in = 4, .out = 8}), Contains("conv: expected 4 input channels, got 3"));
  CHECK_THROWS_WITH(m.add("conv", Conv2d{.in = 3, .out = 8, .kernel = {9, 9}}), Contains("conv: kernel of 9x9"));
  CHECK_THROWS_WITH(m.add("conv", Conv2d{.in = 3, .out = 8, .stride = {0, 1}}), Contains("must be positive"));
  CHECK_THROWS_WITH(m.add("conv", Conv2d{.in = 3, .out = 8, .dilation = {0, 1}}), Contains("must be positive"));
  CHECK_THROWS_WITH(m.add("conv", Conv2d{.in = 3, .out = 8, .padding = {-1, 0, 0, 0}}), Contains("negative"));
  CHECK_THROWS_WITH(m.add("conv", Conv2d{.in = 3, .out = 8, .groups = 0}), Contains("groups 0"));
  CHECK_THROWS_WITH(m.add("conv", Conv2d{.in = 3, .out = 8, .groups = 2}), Contains("groups 2 must divide"));
  CHECK_THROWS_WITH(m.add("conv", Conv2d{.in = 3, .out = 8, .stride = {int64_t{1} << 40, 1}}), Contains("too large"));
  CHECK_THROWS_WITH(m.add("pool", Pool2d{.kind = Pool::max, .kernel = {2, 2}, .padding = pad_all(2)}),
                    Contains("smaller than the kernel"));
  CHECK_THROWS_WITH(m.add("rows", Reshape{{5, -1}}), Contains("does not fit"));
  CHECK_THROWS_WITH(m.add("turn", Transpose{{0, 1, 2}}), Contains("no permutation"));
  CHECK_THROWS_WITH(m.add("drop", Dropout{1}), Contains("probability"));
  CHECK_THROWS_WITH(m.add("x", Unary{}), "x: this path exists already");
  CHECK_THROWS_WITH(m.add("y", Unary{}, {4}), Contains("wire from module 4"));
  CHECK_THROWS_WITH(Model{}.add("y", Unary{}), Contains("nothing to read from"));
  m.add("layer1.conv", Conv2d{.in = 3, .out = 4});
  CHECK_THROWS_WITH(m.index("layer1.con"), Contains("did you mean layer1.conv?"));
}

TEST_CASE("a tensor of the wrong shape or dtype is refused by name when the model runs") {
  Model m = two_inputs();
  Generator g(0);
  initialize(m, g);
  const std::vector<Tensor> good{rand(g, {5, 4}), rand(g, {5, 4})};
  CHECK(infer(m, good)[1].shape() == Shape{5, 3});
  CHECK_THROWS_WITH(infer(m, std::vector<Tensor>{good[0]}), Contains("b: the model has more inputs than the 1 given"));
  CHECK_THROWS_WITH(infer(m, std::vector<Tensor>{good[0], good[1], good[1]}), Contains("3 inputs given, it has 2"));
  CHECK_THROWS_WITH(infer(m, std::vector<Tensor>{good[0], rand(g, {5, 3})}), Contains("b: expected an input like [1, 4]"));
  CHECK_THROWS_WITH(infer(m, std::vector<Tensor>{good[0], rand(g, {4, 4})}),
                    Contains("sum: inputs of shapes [5, 4] and [4, 4] differ"));
  CHECK_THROWS_WITH(infer(m, std::vector<Tensor>{good[0], Tensor::zeros({5, 4}, DType::i32)}),
                    Contains("b: expected a float tensor"));
  Model empty = two_inputs();
  CHECK_THROWS_WITH(infer(empty, good), Contains("fc: parameter \"weight\" is missing, expected shape [3, 4]"));
}

TEST_CASE("a model has several inputs and outputs, and an empty batch gives an empty result") {
  Model m = two_inputs();
  Generator g(0);
  initialize(m, g);
  const std::vector<Tensor> in{rand(g, {2, 4}), rand(g, {2, 4})};
  const std::vector<Tensor> out = infer(m, in);
  REQUIRE(out.size() == 2);
  CHECK(out[0].data<float>()[5] == in[0].data<float>()[5] + in[1].data<float>()[5]);
  Model flat;
  flat.add("x", Input{{2, 3, 4}});
  flat.add("rows", Reshape{{0, -1}});
  const Tensor nothing(Shape{0, 3, 4}, DType::f32);
  CHECK(infer(flat, {&nothing, 1})[0].shape() == Shape{0, 12});
  const std::vector<Tensor> none{Tensor(Shape{0, 4}, DType::f32), Tensor(Shape{0, 4}, DType::f32)};
  CHECK(infer(m, none)[1].shape() == Shape{0, 3});
}

TEST_CASE("tied modules share parameters and add up their gradients") {
  Model m;
  m.add("x", Input{{1, 3}});
  m.add("fc", Linear{3, 3});
  m.add_tied("again", "fc");
  CHECK_THROWS_WITH(m.add_tied("third", "again"), Contains("tie it to fc"));
  for (const Op& other :
       {Op(Linear{.in = 3, .out = 3, .act = Activation::relu}), Op(Linear{.in = 3, .out = 3, .bias = false}), Op(Unary{})}) {
    Model wrong = m;
    wrong["again"].op = other;
    const Tensor one = Tensor::zeros(m.modules[0].nominal[0]);
    CHECK_THROWS_WITH(infer(wrong, {&one, 1}), Contains("again: is tied to fc, another operator"));
  }
  Generator g(1);
  initialize(m, g);
  CHECK(m["again"].params.empty());
  CHECK(parameter_bytes(m) == 12 * 4);
  const Tensor x = rand(g, {4, 3}), target = rand(g, {4, 3});
  const Grads tied = backward(mse_loss(forward(m, {&x, 1}, Mode::train)[0], target));
  CHECK(tied.size() == 2);

  Model apart;
  apart.add("x", Input{{1, 3}});
  apart.add("fc", Linear{3, 3});
  apart.add("again", Linear{3, 3});
  apart["fc"].params = apart["again"].params = m["fc"].params;
  const Grads two = backward(mse_loss(forward(apart, {&x, 1}, Mode::train)[0], target));
  for (size_t i = 0; i < 9; ++i)
    CHECK(tied.at("fc.weight").data<float>()[i] ==
          Approx(two.at("fc.weight").data<float>()[i] + two.at("again.weight").data<float>()[i]).margin(1e-6));
}

TEST_CASE("wrong calls of a single module, of lower and of outputs are refused") {
  Model m = two_inputs();
  Generator g(0);
  initialize(m, g);
  const Var x = rand(g, {2, 4});
  CHECK_THROWS_WITH(run_module(m, 99, {&x, 1}, Mode::eval), Contains("module 99 of 4"));
  CHECK_THROWS_WITH(run_module(m, -1, {&x, 1}, Mode::eval), Contains("module -1"));
  CHECK_THROWS_WITH(run_module(m, 2, {&x, 1}, Mode::eval), Contains("sum: expected 2 inputs, got 1"));
  CHECK_THROWS_WITH(run_module(m, 3, {}, Mode::eval), Contains("fc: expected 1 input, got 0"));
  CHECK_THROWS_WITH(infer_module(m, 99, {}), Contains("module 99"));
  CHECK_THROWS_WITH(lower(m, 99, {}), Contains("module 99"));
  m.outputs = {{99, 0}};
  CHECK_THROWS_WITH(infer(m, std::vector<Tensor>{x.value(), x.value()}), Contains("output wire from port 0 of module 99"));
  Model b;
  b.add("x", Input{{2, 3}});
  CHECK_THROWS_WITH(b.add("bn", BatchNorm{0}), Contains("channels must be positive"));
}

TEST_CASE("parameters of the wrong shape are refused before they are read") {
  Model m;
  m.add("x", Input{{4, 6, 6, 3}});
  m.add("conv", ConvBn2d{.conv = {.in = 3, .out = 4}});
  m.add("bn", BatchNorm{4});
  Generator g(0);
  initialize(m, g);
  const Tensor x = rand(g, {4, 6, 6, 3});
  for (const auto& [path, name] : std::vector<std::pair<std::string, std::string>>{{"conv", "weight"},
                                                                                   {"conv", "bias"},
                                                                                   {"conv", "bn.weight"},
                                                                                   {"conv", "bn.running_var"},
                                                                                   {"bn", "bias"},
                                                                                   {"bn", "running_mean"}})
    for (const Mode mode : {Mode::eval, Mode::train}) {
      Model wrong = m;
      wrong[path].params[name] = Tensor::zeros({1});
      CHECK_THROWS_WITH(forward(wrong, {&x, 1}, mode), Contains(path + ": expected " + name + " of shape"));
    }
}

TEST_CASE("impossible quantization parameters are refused by the parameter's or the output's name") {
  const auto codes = [](const std::function<void(QParams&)>& damage) {
    Model m;
    m.add("x", Input{{1, 2}});
    m.add("fc", Linear{2, 3});
    Generator g(1);
    initialize(m, g);
    QParams q{{0.5F, 0.25F, 1.0F}, {0, 0, 0}, 0, 0, -128, 127};
    damage(q);
    m["fc"].params.at("weight") = Tensor({3, 2}, DType::i8).with(q);
    return m;
  };
  const Tensor x = Tensor::zeros({1, 2});
  CHECK_NOTHROW(infer(codes([](QParams&) {}), {&x, 1}));
  const std::vector<std::pair<const char*, std::function<void(QParams&)>>> damages{
      {"scale 1 is 0", [](QParams& q) { q.scale[1] = 0; }},
      {"scale 2 is -1", [](QParams& q) { q.scale[2] = -1; }},
      {"scale 0 is nan", [](QParams& q) { q.scale[0] = NAN; }},
      {"scale 0 is inf", [](QParams& q) { q.scale[0] = INFINITY; }},
      {"scale 0 is 9.99", [](QParams& q) { q.scale[0] = 1e-40F; }},
      {"zero point 1 is 128", [](QParams& q) { q.zero_point[1] = 128; }},
      {"zero point 1 is -129", [](QParams& q) { q.zero_point[1] = -129; }},
      {"axis 2", [](QParams& q) { q.axis = 2; }},
      {"3 scales", [](QParams& q) { q.axis = -2; }},
      {"group 1", [](QParams& q) { q.group = 1; }},
      {"codes ", [](QParams& q) { q.qmax = 128; }},
      {"codes ", [](QParams& q) { q.qmin = -129; }},
      {"codes ", [](QParams& q) { q.qmin = 0, q.qmax = 256; }},
      {"is above", [](QParams& q) { q.qmin = 5, q.qmax = 4; }}};
  for (const auto& [says, damage] : damages) {
    INFO(says);
    CHECK_THROWS_WITH(infer(codes(damage), {&x, 1}),
                      (Contains("fc.weight: ") || Contains("quantization parameters: ")) && Contains(says));
  }
}

TEST_CASE("every way to run a model refuses too few and too many inputs") {
  Model m;
  const int a = m.add("a", Input{{1, 2}}), b = m.add("b", Input{{1, 2}});
  m.add("sum", Binary{}, {a, b});
  for (const size_t count : {0, 1, 3}) {
    INFO(count << " inputs");
    const std::vector<Tensor> inputs(count, Tensor::zeros({1, 2}));
    const std::vector<Shape> shapes(count, Shape{1, 2});
    const std::string says =
        count < 2 ? ": the model has more inputs than the " + std::to_string(count) + " given" : "model: 3 inputs given, it has 2";
    CHECK_THROWS_WITH(infer(m, inputs), Contains(says));
    CHECK_THROWS_WITH(forward(m, inputs, Mode::eval), Contains(says));
    CHECK_THROWS_WITH(infer_shapes(m, shapes), Contains(says));
  }
}

TEST_CASE("a consumed graph and an output without parameters are refused by backward") {
  Var y = Var::made(Tensor::full({}, 1), {Var::leaf("x", Tensor::full({}, 1))},
                    [](const Tensor& grad, const Needs&) { return std::vector<Tensor>{grad}; });
  Var again = y;
  backward(std::move(y));
  CHECK_THROWS_WITH(backward(std::move(again)), Contains("consumed"));
  CHECK_THROWS_WITH(backward(Var(Tensor::full({}, 1))), Contains("depends on no parameter"));
}

TEST_CASE("copying a model gives an independent model") {
  Model a = two_inputs();
  Generator g(1);
  initialize(a, g);
  const Model b = a;
  a["fc"].params["bias"].mutable_data<float>()[0] = 100;
  CHECK(b["fc"].params.at("bias").data<float>()[0] != 100);
}

TEST_CASE("dropout does nothing outside training and asks for a generator inside") {
  Model m;
  m.add("x", Input{{1, 1000}});
  m.add("drop", Dropout{0.25});
  const Tensor x = Tensor::full({1, 1000}, 1);
  CHECK(std::ranges::equal(infer(m, {&x, 1})[0].data<float>(), x.data<float>()));
  CHECK_THROWS_WITH(forward(m, {&x, 1}, Mode::train), Contains("needs a Generator"));
  Generator g(3);
  const Tensor y = forward(m, {&x, 1}, Mode::train, {&g})[0].value();
  const auto zeros = std::ranges::count(y.data<float>(), 0.0F);
  CHECK(zeros > 200);
  CHECK(zeros < 300);
  CHECK(std::ranges::count(y.data<float>(), 1 / 0.75F) == 1000 - zeros);
}

TEST_CASE("no gradient is recorded outside training and none is computed that nobody needs") {
  Model m = two_inputs();
  Generator g(1);
  initialize(m, g);
  const std::vector<Tensor> in{rand(g, {2, 4}), rand(g, {2, 4})};
  CHECK_FALSE(forward(m, in, Mode::calibrate)[1].needs_grad());
  CHECK_FALSE(forward(m, in, Mode::eval)[1].needs_grad());
  CHECK(forward(m, in, Mode::train)[1].needs_grad());
  CHECK_FALSE(forward(m, in, Mode::train)[0].needs_grad());  // the sum depends on no parameter
  bool asked = false;
  const Var x = Var::leaf("x", Tensor::full({}, 2)), c = Tensor::full({}, 3);
  backward(Var::made(Tensor::full({}, 5), {x, c}, [&](const Tensor& grad, const Needs& needs) {
    asked = needs[1];
    return std::vector<Tensor>{grad, Tensor()};
  }));
  CHECK_FALSE(asked);
}

TEST_CASE("a chain of a hundred thousand operations is differentiated and freed without recursion") {
  Var v = Var::leaf("x", Tensor::full({}, 1, DType::f64));
  for (int i = 0; i < 100000; ++i)
    v = Var::made(v.value(), {v}, [](const Tensor& grad, const Needs&) { return std::vector<Tensor>{grad}; });
  Var dropped = v;
  CHECK(backward(std::move(v)).at("x").item() == 1);
  for (int i = 0; i < 100000; ++i)
    dropped = Var::made(dropped.value(), {dropped}, [](const Tensor& grad, const Needs&) { return std::vector<Tensor>{grad}; });
}
