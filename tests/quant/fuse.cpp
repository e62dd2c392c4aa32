// SPDX-License-Identifier: Apache-2.0
// What fuses, what is left alone, and what an explicit list refuses.
#include <cmath>

#include "numeric_suite/compare.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/kernels/fills.h"
#include "tests/quant/support.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

/// conv-bn-relu, a branch conv-bn, add, relu, pool, rows, linear, relu
Model residual() {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 4, .bias = false});
  m.add("bn", BatchNorm{4});
  const int relu = m.add("relu", Unary{UnaryFn::relu});
  m.add("branch", Conv2d{.in = 4, .out = 4, .padding = pad_all(1)});
  const int bn = m.add("branch_bn", BatchNorm{4});
  m.add("sum", Binary{}, {bn, relu});
  m.add("out", Unary{UnaryFn::relu});
  m.add("pool", Pool2d{.kind = Pool::adaptive_average});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{4, 2});
  m.add("fc_relu", Unary{UnaryFn::relu});
  return drawn(std::move(m));
}

std::vector<std::string> paths(const Model& m) {
  std::vector<std::string> p;
  for (const Module& module : m.modules) p.push_back(module.path);
  return p;
}

}  // namespace

TEST_CASE("automatic fusion for inference folds batch norms, activations and the residual") {
  const Model m = residual(), f = fuse(m, Aim::inference);
  CHECK(paths(f) == std::vector<std::string>{"x", "conv", "branch", "pool", "rows", "fc"});
  CHECK(f["conv"].fused == std::vector<std::string>{"bn", "relu"});
  CHECK(f["branch"].fused == std::vector<std::string>{"branch_bn", "sum", "out"});
  const auto& branch = std::get<Conv2d>(f["branch"].op);
  CHECK(branch.residual);
  CHECK(branch.act == Activation::relu);
  REQUIRE(f["branch"].inputs.size() == 2);
  CHECK(f["branch"].inputs[1] == Wire{f.index("conv"), 0});
  CHECK(std::get<Linear>(f["fc"].op).act == Activation::relu);
  CHECK(m["conv"].fused.empty());  // the argument stays what it was
  CHECK(m.modules.size() == 12);
}

TEST_CASE("a constant of one picture is no residual: a batch of two has two pictures") {
  Model m;
  const int x = m.add("x", Input{{1, 4, 4, 3}});
  const int conv = m.add("conv", Conv2d{.in = 3, .out = 3, .kernel = {1, 1}}, {x});
  const int place = m.add("place", Constant{{1, 4, 4, 3}});
  m.add("sum", Binary{}, {conv, place});
  m = drawn(std::move(m));
  const Model f = fuse(m, Aim::inference);
  CHECK(paths(f) == paths(m));
  CHECK_THROWS_WITH(fuse(m, {{"conv", "sum"}}, Aim::inference), Contains("sum (binary) cannot follow conv"));
  const Tensor two = Tensor::full({2, 4, 4, 3}, 0.5);
  CHECK(infer(f, {&two, 1})[0].shape() == Shape{2, 4, 4, 3});
  // So does the mean of a batch, and what belongs to each picture does not.
  Model mean = m;
  mean["place"].op = Reduce{ReduceFn::mean, {0}, true};
  mean["place"].inputs = {{x, 0}}, mean["place"].params.clear();
  CHECK(paths(fuse(mean, Aim::inference)) == paths(m));
  mean["place"].op = Unary{UnaryFn::tanh};
  CHECK(paths(fuse(mean, Aim::inference)) == std::vector<std::string>{"x", "place", "conv"});
  // A network of one batch alone has none to compare with.
  Model fixed = m;
  fixed["x"].nominal = {{16, 3}};
  fixed.modules.insert(fixed.modules.begin() + 1, Module{.path = "picture", .op = Reshape{{1, 4, 4, 3}}, .inputs = {{0, 0}}});
  fixed.modules[1].nominal = {{1, 4, 4, 3}};
  fixed["x"].op = Input{{16, 3}};
  fixed["conv"].inputs = {{1, 0}}, fixed["sum"].inputs = {{2, 0}, {3, 0}};
  CHECK(paths(fuse(fixed, Aim::inference)) == std::vector<std::string>{"x", "picture", "place", "conv"});
}

TEST_CASE("without residuals the addition keeps its activation") {
  const Model f = fuse(residual(), Aim::inference, {.residual = false});
  CHECK(paths(f) == std::vector<std::string>{"x", "conv", "branch", "sum", "pool", "rows", "fc"});
  CHECK(std::get<Binary>(f["sum"].op).act == Activation::relu);
  CHECK_FALSE(std::get<Conv2d>(f["branch"].op).residual);
}

TEST_CASE("fusion for training keeps batch norms as conv_bn2d") {
  const Model f = fuse(residual(), Aim::training);
  REQUIRE(std::holds_alternative<ConvBn2d>(f["conv"].op));
  CHECK(std::get<ConvBn2d>(f["conv"].op).conv.act == Activation::relu);
  CHECK(std::get<ConvBn2d>(f["branch"].op).conv.act == Activation::none);
  CHECK(std::get<Binary>(f["sum"].op).act == Activation::relu);
  CHECK(f["conv"].params.contains("bn.running_var"));

  Model own = residual();
  own["bn"].op = BatchNorm{.channels = 4, .eps = 0.25, .momentum = 0.75};
  freeze_bn_stats(own, "bn");
  const Model g = fuse(own, Aim::training);
  const auto& op = std::get<ConvBn2d>(g["conv"].op);
  CHECK(op.eps == 0.25);
  CHECK(op.momentum == 0.75);
  CHECK(g["conv"].params.at("bn.frozen").item() == 1);
  CHECK(g["branch"].params.at("bn.frozen").item() == 0);
  const Tensor x = Tensor::full({2, 8, 8, 3}, 0.5);
  const Tensor a = infer(own, {&x, 1})[0], b = infer(fuse(own, Aim::inference), {&x, 1})[0], c = infer(g, {&x, 1})[0];
  for (int64_t i = 0; i < a.numel(); ++i) {  // each with the batch norm's own eps
    CHECK(b.data<float>()[i] == Approx(a.data<float>()[i]).epsilon(1e-4));
    CHECK(c.data<float>()[i] == Approx(a.data<float>()[i]).epsilon(1e-4));
  }
}

TEST_CASE("of two convolutions that one addition reads, the one that runs later takes it, whichever comes first in the addition") {
  for (const bool swapped : {false, true}) {
    Model m;
    m.add("x", Input{{1, 8, 8, 3}});
    const int a = m.add("a", Conv2d{.in = 3, .out = 3, .padding = pad_all(1)}, {0});
    const int b = m.add("b", Conv2d{.in = 3, .out = 3, .padding = pad_all(1)}, {0});
    m.add("sum", Binary{}, swapped ? std::initializer_list<int>{b, a} : std::initializer_list<int>{a, b});
    m = drawn(std::move(m));
    const Model f = fuse(m, Aim::inference);
    CHECK(paths(f) == std::vector<std::string>{"x", "a", "b"});
    CHECK(std::get<Conv2d>(f["b"].op).residual);
    CHECK(!std::get<Conv2d>(f["a"].op).residual);
    const Model asked = fuse(m, {{"a", "sum"}}, Aim::inference);  // it then runs where the addition stood
    CHECK(paths(asked) == std::vector<std::string>{"x", "b", "a"});
    const Tensor x = Tensor::full({1, 8, 8, 3}, 0.5);
    const Tensor y = infer(m, {&x, 1})[0];
    for (const Model* fused : {&f, &asked}) CHECK(std::ranges::equal(y.data<float>(), infer(*fused, {&x, 1})[0].data<float>()));
  }
}

TEST_CASE("a convolution added to itself, and an activation that is called twice, stay modules of their own") {
  Model twice;
  twice.add("x", Input{{1, 8, 8, 3}});
  const int c = twice.add("conv", Conv2d{.in = 3, .out = 3, .padding = pad_all(1)});
  twice.add("sum", Binary{}, {c, c});
  twice = drawn(std::move(twice));
  CHECK(fuse(twice, Aim::inference).modules.size() == 3);
  CHECK_THROWS_WITH(fuse(twice, {{"conv", "sum"}}, Aim::inference), Contains("cannot follow"));
  Model tied;
  tied.add("x", Input{{1, 8, 8, 3}});
  tied.add("conv", Conv2d{.in = 3, .out = 3, .padding = pad_all(1)});
  tied.add("relu", Unary{UnaryFn::relu});
  tied.add("other", Conv2d{.in = 3, .out = 3, .padding = pad_all(1)});
  tied.add_tied("again", "relu");
  tied = drawn(std::move(tied));
  CHECK(fuse(tied, Aim::inference).modules.size() == 5);
  CHECK_THROWS_WITH(fuse(tied, {{"conv", "relu"}}, Aim::inference), Contains("a tied module"));
}

TEST_CASE("a value that somebody else reads is not fused away") {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  const int conv = m.add("conv", Conv2d{.in = 3, .out = 4});
  const int relu = m.add("relu", Unary{UnaryFn::relu}, {conv});
  m.add("sum", Binary{}, {conv, relu});
  m = drawn(std::move(m));
  CHECK(fuse(m, Aim::inference).modules.size() == m.modules.size());
  CHECK_THROWS_WITH(fuse(m, {{"conv", "relu"}}, Aim::inference), Contains("relu (unary) cannot follow conv (conv2d)"));
  Model out;
  out.add("x", Input{{1, 8, 8, 3}});
  const int c = out.add("conv", Conv2d{.in = 3, .out = 4});
  const int r = out.add("relu", Unary{UnaryFn::relu});
  out.outputs = {{c, 0}, {r, 0}};  // the convolution's own output is a result of the model
  CHECK(fuse(drawn(std::move(out)), Aim::inference).modules.size() == 3);
}

TEST_CASE("a tied module is left alone") {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 3, .padding = pad_all(1)});
  m.add("relu", Unary{UnaryFn::relu});
  m.add_tied("again", "conv");
  m.add("relu2", Unary{UnaryFn::relu});
  m = drawn(std::move(m));
  CHECK(fuse(m, Aim::inference).modules.size() == 5);
  CHECK_THROWS_WITH(fuse(m, {{"conv", "relu"}}, Aim::inference), Contains("a tied module"));
}

TEST_CASE("explicit lists fuse what they name and refuse the rest") {
  const Model m = residual();
  const Model f = fuse(m, {{"conv", "bn", "relu"}}, Aim::inference);
  CHECK(f.modules.size() == m.modules.size() - 2);
  CHECK(f["branch_bn"].fused.empty());
  CHECK_THROWS_WITH(fuse(m, {{"conv", "relu"}}, Aim::inference), Contains("cannot follow"));
  CHECK_THROWS_WITH(fuse(m, {{"conv"}}, Aim::inference), Contains("two modules or more"));
  CHECK_THROWS_WITH(fuse(m, {{"conv", "bnn"}}, Aim::inference), Contains("did you mean bn"));
  CHECK_THROWS_WITH(fuse(m, {{"conv", "bn"}, {"conv", "bn"}}, Aim::inference), Contains("is in two sequences"));
}

TEST_CASE("folding a batch norm that gives no finite weight names the channel") {
  Model m = residual();
  m["bn"].params["running_var"].mutable_data<float>()[2] = -1;
  CHECK_THROWS_WITH(fuse(m, Aim::inference), Contains("conv: folding") && Contains("channel 2"));
  Model unset = residual();
  unset["bn"].params.clear();
  CHECK_THROWS_WITH(fuse(unset, Aim::inference), Contains("bn: parameter"));
}

TEST_CASE("prepared and converted models are not fused again") {
  Model p = prepare(residual(), {{"", octet_qconfig()}});
  CHECK_THROWS_WITH(fuse(p, Aim::inference), Contains("fuse before prepare"));
  Generator g(1);
  const Tensor x = rand(g, {2, 8, 8, 3});
  calibrate(p, {&x, 1});
  CHECK_THROWS_WITH(fuse(convert(p), Aim::inference), Contains("fuse takes a float model"));
}

TEST_CASE("linear layers fold their batch norm for inference and keep it for training") {
  Model m;
  m.add("x", Input{{4, 3}});
  m.add("fc", Linear{.in = 3, .out = 5, .bias = false});
  m.add("bn", BatchNorm{5});
  m.add("relu", Unary{UnaryFn::relu6});
  m = drawn(std::move(m));
  const Model f = fuse(m, Aim::inference);
  CHECK(f.modules.size() == 2);
  CHECK(std::get<Linear>(f["fc"].op).bias);
  CHECK(std::get<Linear>(f["fc"].op).act == Activation::relu6);
  const Model t = fuse(m, Aim::training);
  CHECK(t.modules.size() == 2);
  CHECK(std::get<LinearBn>(t["fc"].op) == LinearBn{.linear = {3, 5, false, Activation::relu6}});
  CHECK(t["fc"].params.contains("bn.running_var"));
}

TEST_CASE("a batch norm of pictures that no layer took becomes a depthwise layer, and runs on codes") {
  Model m;
  m.add("x", Input{{1, 6, 6, 5}});
  m.add("bn", BatchNorm{5});  // before any layer, as after a sum or a concatenation
  m.add("relu", Unary{UnaryFn::relu});
  m.add("conv", Conv2d{.in = 5, .out = 6, .padding = pad_all(1)});
  m.add("clip", Unary{UnaryFn::relu});
  m.add("bn2", BatchNorm{6});
  m.add("pool", Pool2d{.kind = Pool::adaptive_average});
  m.add("rows", Reshape{{0, -1}});
  m.add("bn3", BatchNorm{6});  // of rows: stays
  m = drawn(std::move(m));
  Generator g(4);
  for (Module& module : m.modules)
    if (module.as<BatchNorm>())
      for (auto& [name, tensor] : module.params) tensor = uniform(g, tensor.shape(), name == "running_mean" ? -1 : 0.5, 2);
  const Tensor x = randn(g, {8, 6, 6, 5});
  const Model f = fuse(m, Aim::inference);
  CHECK(paths(f) == std::vector<std::string>{"x", "bn", "conv", "bn2", "pool", "rows", "bn3"});
  CHECK(f["bn"].fused == std::vector<std::string>{"relu"});
  CHECK(std::get<Conv2d>(f["bn"].op) == Conv2d{.in = 5, .out = 5, .kernel = {1, 1}, .groups = 5, .act = Activation::relu});
  CHECK(f["bn2"].as<Conv2d>() != nullptr);
  CHECK(f["bn3"].as<BatchNorm>() != nullptr);
  CHECK(sqnr(infer(m, {&x, 1})[0], infer(f, {&x, 1})[0]) > 110);
  for (const Model& other : {fuse(m, Aim::training), fuse(m, Aim::inference, {.lone_norms = false})})
    CHECK(other["bn"].as<BatchNorm>() != nullptr);
  for (const Rounding rounding : octet::testing::kRoundings) {
    CAPTURE(to_string(rounding));
    Model rounded = m;
    rounded.rounding = rounding;
    Model prepared = prepare(fuse(rounded, Aim::inference), {{"", octet_qconfig()}});
    calibrate(prepared, {&x, 1});
    const Model int8 = convert(prepared);
    for (const char* path : {"bn", "conv", "bn2", "pool"}) CHECK(runs_quantized(int8, int8.index(path)));
    const ModelComparison c = compare(m, int8, {&x, 1});  // the reference comes with its batch norms
    CHECK(c.unmatched.empty());
    REQUIRE(std::isfinite(c.output.sqnr_db));
    CHECK(c.output.sqnr_db > 30);
  }
  // A batch norm that is called twice stays what it is.
  Model twice;
  twice.add("x", Input{{1, 4, 4, 2}});
  twice.add("bn", BatchNorm{2});
  twice.add_tied("again", "bn");
  twice = drawn(std::move(twice));
  for (const Module& module : fuse(twice, Aim::inference).modules) CHECK(module.as<Conv2d>() == nullptr);
}

TEST_CASE("a configuration for what fusion swallowed says into what") {
  Model m;
  m.add("x", Input{{1, 8, 8, 3}});
  m.add("block.conv", Conv2d{.in = 3, .out = 4, .bias = false});
  m.add("block.bn", BatchNorm{4});
  m.add("block.relu", Unary{UnaryFn::relu});
  Generator g(1);
  initialize(m, g);
  const Model fused = fuse(m, Aim::inference);
  REQUIRE(fused.modules.size() == 2);
  for (const std::string key : {"block.relu", "block.bn"})
    CHECK_THROWS_WITH(prepare(fused, {{"", octet_qconfig()}, {key, std::nullopt}}),
                      "prepare: \"" + key + "\" was fused into \"block.conv\"; configure \"block.conv\"");
  CHECK_NOTHROW(static_cast<void>(prepare(fused, {{"", octet_qconfig()}, {"block", octet_qconfig()}})));
  CHECK_THROWS_WITH(prepare(fused, {{"", octet_qconfig()}, {"relu", std::nullopt}}), Contains("\"relu\" matches no module"));
}
