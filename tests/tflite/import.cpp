// SPDX-License-Identifier: Apache-2.0
// What files say and what models they become, on files written here; and what is refused, with its words.
#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "engine/quantize.h"
#include "io/firmware_plan.h"
#include "io/image.h"
#include "io/tflite/operators.h"
#include "io/tflite/tflite.h"
#include "tests/catch.h"
#include "tests/skip.h"
#include "tests/tflite/writer.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;

namespace {

template <class T>
std::vector<T> counted(size_t n, T from = 1) {
  std::vector<T> v(n);
  std::iota(v.begin(), v.end(), from);
  return v;
}

/// x [1, 5, 4, 2] -> convolution 3x3, stride 2, SAME, three channels -> y
FlatGraph conv_graph() {
  FlatGraph g;
  g.tensors = {{"serving_x:0", {1, 5, 4, 2}, kI8, {0.5F}, {3}},
               {"w", {3, 3, 3, 2}, kI8, {0.25F, 0.5F, 1e-11F}, {0, 0, 0}, bytes_of(counted<int8_t>(54, -20))},
               {"b", {3}, kI32, {0.125F, 0.25F, 5e-12F}, {0, 0, 0}, bytes_of(std::vector<int32_t>{100, -7, 1 << 28}), 3},
               {"net/conv/Relu;net/conv/Bias", {1, 3, 2, 3}, kI8, {2}, {-128}}};
  g.operators = {{3, {0, 1, 2}, {3}, 1, {{0, int8_t{0}}, {1, 2}, {2, 2}, {3, int8_t{1}}, {4, 1}, {5, 1}}}};
  g.inputs = {0}, g.outputs = {3};
  return g;
}

std::string refusal(const FlatGraph& g) {
  try {
    parse_tflite(write_tflite(g), "file");
  } catch (const Error& e) {
    return e.what();
  }
  return "read";
}

/// One operator of int8 codes with one meaning, or floats.
FlatGraph one(int code, uint8_t kind, std::vector<FlatOption> options, std::vector<std::vector<int32_t>> in,
              std::vector<std::vector<int32_t>> out, std::vector<std::vector<int32_t>> constants = {}, bool floats = false) {
  FlatGraph g;
  FlatOperator op{code, {}, {}, kind, std::move(options)};
  const auto add = [&](std::vector<int32_t> shape, std::string name) {
    FlatTensor t{std::move(name), std::move(shape), floats ? kF32 : kI8, {}, {}};
    if (!floats) t.scale = {0.5F}, t.zero = {2};
    g.tensors.push_back(std::move(t));
    return static_cast<int32_t>(g.tensors.size() - 1);
  };
  for (auto& shape : in) g.inputs.push_back(add(std::move(shape), "x" + std::to_string(g.inputs.size())));
  op.inputs = g.inputs;
  for (const auto& values : constants) {
    g.tensors.push_back({"c", {static_cast<int32_t>(values.size())}, kI32, {}, {}, bytes_of(values)});
    op.inputs.push_back(static_cast<int32_t>(g.tensors.size() - 1));
  }
  for (auto& shape : out) g.outputs.push_back(add(std::move(shape), "y" + std::to_string(g.outputs.size())));
  op.outputs = g.outputs;
  g.operators = {op};
  return g;
}

/// The codes of every output for inputs whose codes count up.
std::vector<std::vector<int>> codes(const FlatGraph& g) {
  const TfliteModel m = parse_tflite(write_tflite(g), "file");
  std::vector<Tensor> inputs;
  int8_t next = 0;
  for (const Module& module : m.model.modules) {
    if (!std::holds_alternative<Input>(module.op)) continue;
    const auto values = counted<int8_t>(static_cast<size_t>(numel(module.nominal[0])), next);
    next = static_cast<int8_t>(next + values.size());
    inputs.push_back(Tensor::of<int8_t>(module.nominal[0], values).with(*module.out_q.at(0)));
  }
  std::vector<std::vector<int>> all;
  for (const Tensor& y : infer(m.model, inputs)) {
    REQUIRE(y.dtype() == DType::i8);
    const auto values = y.data<int8_t>();
    all.emplace_back(values.begin(), values.end());
  }
  return all;
}

using Lists = std::vector<std::vector<int>>;

}  // namespace

TEST_CASE("a layer has the file's codes, scales and integer biases, its padding, its name and fixed_double") {
  const TfliteModel m = parse_tflite(write_tflite(conv_graph()), "file");
  CHECK(m.model.rounding == Rounding::fixed_double);
  REQUIRE(m.model.modules.size() == 2);
  CHECK(m.model.modules[0].path == "serving_x:0");
  const Module& conv = m.model.modules[1];
  CHECK(conv.path == "net.conv.Relu");
  REQUIRE(conv.as<Conv2d>() != nullptr);
  const Conv2d expected{.in = 2, .out = 3, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 0, 1, 1}, .act = Activation::relu};
  CHECK(*conv.as<Conv2d>() == expected);
  CHECK(conv.params.at("weight").data<int8_t>()[53] == 33);
  CHECK(conv.params.at("weight").qparams()->scale[2] == 1e-11F);
  CHECK(conv.params.at("bias").dtype() == DType::i32);
  CHECK(conv.params.at("bias").data<int32_t>()[2] == 1 << 28);
  CHECK(conv.out_q.at(0)->scale[0] == 2);
  CHECK(m.inputs.at(0).place == 0);
  REQUIRE(m.model.interface.inputs.size() == 1);
  CHECK(m.model.interface.inputs[0].name == "serving_x:0");
  CHECK(m.model.interface.outputs == std::vector<std::string>{"net/conv/Relu;net/conv/Bias"});
  CHECK(m.outputs.at(0).name == "net/conv/Relu;net/conv/Bias");
  CHECK(image_bytes(plan_firmware(m.model)).size() > 400);
}

TEST_CASE("depthwise weights are turned, each channel with its scale and its bias") {
  FlatGraph g;
  g.tensors = {{"x", {1, 1, 2, 2}, kI8, {1}, {0}},
               {"w", {1, 1, 2, 2}, kI8, {1, 2}, {0, 0}, bytes_of(std::vector<int8_t>{1, 10, 3, -5}), 3},
               {"b", {2}, kI32, {}, {}, bytes_of(std::vector<int32_t>{4, 9})},
               {"y", {1, 1, 1, 2}, kI8, {2}, {0}}};
  g.operators = {{4, {0, 1, 2}, {3}, 2, {{0, int8_t{1}}, {1, 1}, {2, 1}, {3, 1}, {4, int8_t{0}}, {5, 1}, {6, 1}}, "", true}};
  g.inputs = {0}, g.outputs = {3};
  const TfliteModel m = parse_tflite(write_tflite(g), "file");
  const auto* conv = m.model.modules[1].as<Conv2d>();
  REQUIRE(conv != nullptr);
  CHECK(conv->groups == 2);
  const auto& w = m.model.modules[1].params.at("weight");
  CHECK(std::vector<int>(w.data<int8_t>().begin(), w.data<int8_t>().end()) == std::vector<int>{1, 3, 10, -5});
  CHECK(w.qparams()->axis == 0);
  CHECK(m.model.modules[1].params.at("bias").qparams()->scale == std::vector<float>{1, 2});
  // Codes 0 1 | 2 3: (0 + 6 + 4) / 2, and ((10 - 15) * 2 + 9 * 2) / 2
  CHECK(codes(g) == Lists{{5, 4}});
}

TEST_CASE("transposed convolutions, averages and nearest neighbours have the file's places and units") {
  FlatGraph g;  // a kernel of one place, two apart: between them is what the bias says
  g.tensors = {{"shape", {4}, kI32, {}, {}, bytes_of(std::vector<int32_t>{1, 1, 4, 1})},
               {"w", {1, 1, 1, 1}, kI8, {0.5F}, {0}, bytes_of(std::vector<int8_t>{2})},
               {"x", {1, 1, 2, 1}, kI8, {2}, {0}},
               {"b", {1}, kI32, {}, {}, bytes_of(std::vector<int32_t>{3})},
               {"y", {1, 1, 4, 1}, kI8, {1}, {0}}};
  g.operators = {{67, {0, 1, 2, 3}, {4}, 49, {{0, int8_t{0}}, {1, 2}, {2, 1}}}};
  g.inputs = {2}, g.outputs = {4};
  CHECK(codes(g) == Lists{{3, 3, 5, 3}});
  CHECK(parse_tflite(write_tflite(g), "file").model.modules[1].params.at("bias").qparams()->scale[0] == 1);
  // SAME, 2 wide, one apart: the last average is of one cell
  CHECK(codes(one(1, 5, {{0, int8_t{0}}, {1, 1}, {2, 1}, {3, 2}, {4, 1}}, {{1, 1, 3, 1}}, {{1, 1, 3, 1}})) == Lists{{1, 2, 2}});
  // Half pixels: floor((i + 1/2) 3/2)
  CHECK(codes(one(97, 74, {{1, int8_t{1}}}, {{1, 1, 3, 1}}, {{1, 1, 2, 1}}, {{1, 2}})) == Lists{{0, 2}});
}

TEST_CASE("operators that move values give the codes that they should") {
  // Split along axis 1; the axis is an input.
  FlatGraph split = one(49, 35, {{0, 2}}, {{1, 4}}, {{1, 2}, {1, 2}}, {{-1}});
  std::swap(split.operators[0].inputs[0], split.operators[0].inputs[1]);
  CHECK(codes(split) == Lists{{0, 1}, {2, 3}});
  CHECK(codes(one(102, 79, {}, {{1, 4}}, {{1, 1}, {1, 3}}, {{1, 3}, {1}})) == Lists{{0}, {1, 2, 3}});
  CHECK(codes(one(83, 59, {{0, 2}, {1, 1}}, {{2, 2}, {2, 2}}, {{2, 2, 2}})) == Lists{{0, 1, 4, 5, 2, 3, 6, 7}});
  CHECK(codes(one(88, 64, {{0, 2}, {1, -1}}, {{3, 2}}, {{3}, {3}})) == Lists{{0, 2, 4}, {1, 3, 5}});
  CHECK(codes(one(36, 23, {{0, 1}}, {{2, 3}}, {{2, 2}}, {{2, 0}})) == Lists{{2, 0, 5, 3}});
  CHECK(codes(one(39, 26, {}, {{2, 3}}, {{3, 2}}, {{1, 0}})) == Lists{{0, 3, 1, 4, 2, 5}});
  CHECK(codes(one(105, 81, {}, {{2, 3}}, {{2, 3}}, {{1}})) == Lists{{2, 1, 0, 5, 4, 3}});
  CHECK(codes(one(69, 51, {}, {{1, 2}}, {{2, 4}}, {{2, 2}})) == Lists{{0, 1, 0, 1, 0, 1, 0, 1}});
  CHECK(codes(one(2, 10, {{0, -1}}, {{1, 2}, {1, 1}}, {{1, 3}})) == Lists{{0, 1, 2}});
  CHECK(codes(one(65, 48, {}, {{2, 3}}, {{2, 2}}, {{0, 1}, {2, -1}})) == Lists{{1, 2, 4, 5}});
  CHECK(codes(one(34, 22, {}, {{1, 2}}, {{2, 4}}, {{0, 1, 1, 1}})) == Lists{{2, 0, 1, 2, 2, 2, 2, 2}});
  // Rows from the end, the first axis to its end by a mask, the last one shrunk.
  CHECK(codes(one(45, 32, {{1, 1}, {4, 2}}, {{3, 4}}, {{2}}, {{-2, 2}, {0, 3}, {1, 1}})) == Lists{{6, 10}});
  // An end that is relative to its begin.
  CHECK(codes(one(45, 32, {{5, int8_t{1}}}, {{6}}, {{2}}, {{1}, {3}, {2}})) == Lists{{1, 3}});
  CHECK(codes(one(26, 19, {{0, 2}}, {{1, 2, 2, 1}}, {{1, 1, 1, 4}})) == Lists{{0, 1, 2, 3}});
}

TEST_CASE("batches of blocks, as older converters write dilation, go there and back") {
  const Lists picture = codes(one(38, 25, {}, {{1, 2, 4, 1}}, {{4, 2, 2, 1}}, {{2, 2}, {1, 1, 0, 0}}));
  CHECK(picture == Lists{{2, 2, 4, 6, 2, 2, 5, 7, 0, 2, 2, 2, 1, 3, 2, 2}});  // codes of 0 around: 2
  CHECK(codes(one(37, 24, {}, {{4, 1, 2, 1}}, {{1, 2, 3, 1}}, {{2, 2}, {0, 0, 1, 0}})) == Lists{{2, 1, 3, 6, 5, 7}});
  CHECK(codes(one(38, 25, {}, {{2, 4, 1}}, {{4, 2, 1}}, {{2}, {0, 0}})) == Lists{{0, 2, 4, 6, 1, 3, 5, 7}});
}

TEST_CASE("weights of 4 bits are two a byte, the lower half first") {
  FlatGraph g;
  g.tensors = {{"x", {1, 3}, kI8, {1}, {0}},
               {"w", {1, 3}, kI4, {1}, {0}, bytes_of(std::vector<uint8_t>{0x7f, 0x08})},  // -1, 7, -8
               {"y", {1, 1}, kI8, {1}, {0}}};
  g.operators = {{9, {0, 1, -1}, {2}, 8, {{0, int8_t{0}}}}};
  g.inputs = {0}, g.outputs = {2};
  const TfliteModel m = parse_tflite(write_tflite(g), "file");
  const auto w = m.model.modules[1].params.at("weight").data<int8_t>();
  CHECK(std::vector<int>(w.begin(), w.end()) == std::vector<int>{-1, 7, -8});
  CHECK(codes(g) == Lists{{-1 * 0 + 7 * 1 - 8 * 2}});
}

TEST_CASE("a clamp of its own rescales, then limits: by TensorFlow Lite's multiplier") {
  FlatGraph g = one(21, 0, {}, {{1, 256}}, {{1, 256}});  // RELU6
  g.tensors[0].scale = {0.07F}, g.tensors[0].zero = {-10};
  g.tensors[1].scale = {0.03F}, g.tensors[1].zero = {-100};
  const TfliteModel m = parse_tflite(write_tflite(g), "file");
  const Tensor x = Tensor::of<int8_t>({1, 256}, counted<int8_t>(256, -128)).with(*m.model.modules[0].out_q[0]);
  const Tensor y = infer(m.model, {&x, 1})[0];
  int limited = 0;
  for (int code = -128; code < 128; ++code) {
    const double real = std::max(0.0, 0.07 * (code + 10));
    const int top = -100 + 200;  // a(6) = round(6 / 0.03)
    const int expected = std::min({static_cast<int>(std::lround(real / 0.03)) - 100, top, 127});
    limited += expected == top ? 1 : 0;
    CHECK(std::abs(y.data<int8_t>()[static_cast<size_t>(code + 128)] - expected) <= (expected == top ? 0 : 1));
  }
  CHECK(limited > 30);
}

TEST_CASE("floats at a graph's ends become its codes, and 16-bit floats its weights") {
  FlatGraph g;
  g.tensors = {{"x", {1, 4}, kF32}, {"q", {1, 4}, kI8, {0.5F}, {0}}, {"y", {1, 4}, kF32}};
  g.operators = {{114, {0}, {1}}, {6, {1}, {2}}};
  g.inputs = {0}, g.outputs = {2};
  const TfliteModel m = parse_tflite(write_tflite(g), "file");
  REQUIRE(m.model.modules.size() == 1);
  CHECK(m.inputs[0].floats_of_codes);
  CHECK(m.outputs[0].floats_of_codes);
  const Tensor x = Tensor::of<float>({1, 4}, std::vector<float>{0.25F, -0.25F, 0.2F, 100});  // halves away from zero
  const Tensor y = infer(m.model, {&x, 1})[0];
  CHECK(std::vector<int>(y.data<int8_t>().begin(), y.data<int8_t>().end()) == std::vector<int>{1, -1, 0, 127});
  // Read twice, the floats stay.
  g.operators.push_back({101, {0}, {3}});
  g.tensors.push_back({"a", {1, 4}, kF32});
  g.outputs.push_back(3);
  const TfliteModel twice = parse_tflite(write_tflite(g), "file");
  CHECK_FALSE(twice.inputs[0].floats_of_codes);
  CHECK(infer(twice.model, {&x, 1})[1].data<float>()[1] == 0.25F);

  FlatGraph half;
  half.tensors = {{"x", {1, 2}, kF32},
                  {"w16", {1, 2}, kF16, {}, {}, bytes_of(std::vector<uint16_t>{0x3c00, 0xc100})},
                  {"w", {1, 2}, kF32},
                  {"y", {1, 1}, kF32}};
  half.operators = {{6, {1}, {2}}, {9, {0, 2, -1}, {3}, 8, {{0, int8_t{0}}}}};
  half.inputs = {0}, half.outputs = {3};
  const TfliteModel floats = parse_tflite(write_tflite(half), "file");
  CHECK(floats.model.rounding == Rounding::real);
  const Tensor two = Tensor::of<float>({1, 2}, std::vector<float>{2, 4});
  CHECK(infer(floats.model, {&two, 1})[0].data<float>()[0] == 2 - 2.5F * 4);
}

TEST_CASE("what octet cannot compute as TensorFlow Lite does is refused by name") {
  REQUIRE(refusal(conv_graph()) == "read");
  const auto with = [](const auto& change) {
    FlatGraph g = conv_graph();
    change(g);
    return refusal(g);
  };
  CHECK_THAT(with([](auto& g) { g.version = 2; }), Contains("file: model: version 2 of the format"));
  CHECK_THAT(with([](auto& g) { g.graphs = 2; }), Contains("has 2 graphs"));
  CHECK_THAT(with([](auto& g) { g.operators[0].code = 32, g.operators[0].custom = "MyOp"; }), Contains("CUSTOM \"MyOp\""));
  CHECK_THAT(with([](auto& g) { g.operators[0].code = 27; }), Contains("operator 0 SVDF"));
  CHECK_THAT(with([](auto& g) { g.operators[0].code = 9999; }), Contains("operator code 9999"));
  CHECK_THAT(with([](auto& g) { g.operators[0].inputs[1] = 77; }), Contains("names tensor 77 of 4"));
  CHECK_THAT(with([](auto& g) { g.tensors[1].data.clear(); }), Contains("are no constant"));
  CHECK_THAT(with([](auto& g) { g.inputs.clear(); }), Contains("nothing before it computes"));
  CHECK_THAT(with([](auto& g) { g.outputs[0] = 1; }), Contains("that nothing computes"));
  CHECK_THAT(with([](auto& g) { g.outputs.clear(); }), Contains("no output"));
  CHECK_THAT(with([](auto& g) { g.tensors[0].signature = {-1, -1, 4, 2}; }), Contains("known at run time only"));
  CHECK(with([](auto& g) { g.tensors[0].signature = {-1, 5, 4, 2}; }) == "read");
  CHECK_THAT(with([](auto& g) { g.tensors[0].variable = true; }), Contains("a variable"));
  CHECK_THAT(with([](auto& g) { g.tensors[0].shape = {1, 5, 4}; }), Contains("expected 4 axes"));
  CHECK_THAT(with([](auto& g) { g.tensors[0].scale[0] = 0; }), Contains("scale 0 is 0"));
  CHECK_THAT(with([](auto& g) { g.tensors[0].scale[0] = NAN; }), Contains("scale 0 is"));
  CHECK_THAT(with([](auto& g) { g.tensors[0].zero[0] = 200; }), Contains("zero point 200"));
  CHECK_THAT(with([](auto& g) { g.tensors[0].scale.clear(); }), Contains("int8 without a scale"));
  CHECK_THAT(with([](auto& g) { g.tensors[1].zero[1] = 1; }), Contains("weights with a zero point"));
  CHECK_THAT(with([](auto& g) { g.tensors[1].type = kI4; }), Contains("27 bytes"));
  CHECK_THAT(with([](auto& g) {
               g.tensors[2].data = bytes_of(std::vector<int32_t>{INT32_MAX, 0, 0});
             }),
             Contains("the sum of channel 0 can reach"));
  CHECK_THAT(with([](auto& g) { g.tensors[1].data.pop_back(); }), Contains("54 bytes, its buffer has 53"));
  CHECK_THAT(with([](auto& g) { g.tensors[1].axis = 2; }), Contains("scales along axis 2"));
  CHECK_THAT(with([](auto& g) { g.tensors[1].shape = {3, 3, 3, 3}; }), Contains("81 bytes"));
  CHECK_THAT(with([](auto& g) { g.tensors[2].type = kI64, g.tensors[2].data.resize(24); }), Contains("a bias of int64"));
  CHECK_THAT(with([](auto& g) { g.tensors[3].shape = {1, 3, 3, 3}; }), Contains("the file says [1, 3, 3, 3]"));
  CHECK_THAT(with([](auto& g) { g.tensors[3].type = kI16, g.tensors[3].zero[0] = 0; }), Contains("reads int8 and gives int16"));
  CHECK_THAT(with([](auto& g) { g.operators[0].options[3].value = int8_t{4}; }), Contains("activation 4"));
  CHECK_THAT(with([](auto& g) { g.operators[0].options[0].value = int8_t{7}; }), Contains("padding 7"));
  CHECK_THAT(with([](auto& g) { g.operators[0].options[1].value = 0; }), Contains("stride"));
  CHECK_THAT(with([](auto& g) { g.operators[0].kind = 5; }), Contains("options of kind 5"));
  CHECK_THAT(with([](auto& g) { g.tensors[0].shape[1] = -1; }), Contains("a dimension of -1"));
  CHECK_THAT(with([](auto& g) { g.tensors[0].shape = {1 << 20, 1 << 20, 4, 2}; }), Contains("too large"));
  CHECK_THAT(with([](auto& g) { g.inputs = {0, 0}; }), Contains("twice"));
  CHECK_THAT(with([](auto& g) { g.operators.push_back(g.operators[0]); }), Contains("known already"));
  CHECK_THAT(refusal(one(47, 0, {}, {{1, 4}}, {{1, 4}})), Contains("EXP"));
  CHECK_THAT(refusal(one(14, 0, {}, {{1, 4}}, {{1, 4}})), Contains("the formula gives codes of"));
  FlatGraph moved = one(22, 17, {}, {{1, 4}}, {{2, 2}});
  REQUIRE(refusal(moved) == "read");
  moved.tensors[1].scale = {0.25F};
  CHECK_THAT(refusal(moved), Contains("codes are not rescaled here"));
  FlatGraph bilinear = one(23, 15, {}, {{1, 2, 2, 1}}, {{1, 4, 4, 1}}, {{4, 4}});
  REQUIRE(refusal(bilinear) == "read");
  bilinear.tensors[0].type = bilinear.tensors.back().type = kU8;
  CHECK_THAT(refusal(bilinear), Contains("in floats"));
  CHECK_THROWS_WITH(parse_tflite(Bytes(100), "zeros"), Contains("zeros: is no .tflite file"));
}

TEST_CASE("biases of 16-bit layers beyond 32 bits are refused, within they are read") {
  FlatGraph g = conv_graph();
  g.tensors[0].type = g.tensors[3].type = kI16;
  g.tensors[0].zero = g.tensors[3].zero = {0};
  g.tensors[2].type = kI64, g.tensors[2].data = bytes_of(std::vector<int64_t>{1, -2, 3});
  REQUIRE(refusal(g) == "read");
  const TfliteModel m = parse_tflite(write_tflite(g), "file");
  CHECK(m.model.modules[1].params.at("bias").data<int32_t>()[1] == -2);
  g.tensors[2].data = bytes_of(std::vector<int64_t>{1, -2, int64_t{1} << 40});
  CHECK_THAT(refusal(g), Contains("bias 1099511627776 of channel 2 exceeds 32 bits"));
}

TEST_CASE("the page on .tflite files names every operator that is read, and no other") {
  const char* docs = std::getenv("OCTET_DOCS");
  if (docs == nullptr) OCTET_SKIP_CASE("OCTET_DOCS names no folder");
  const Bytes bytes = read_file(std::string(docs) + "/from-tflite.md", 1 << 20);
  const std::string_view page(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t from = page.find("## Operators"), to = page.find("## What is exact");
  REQUIRE(from < to);
  const std::string_view table = page.substr(from, to - from);
  int named = 0;
  for (int code = 0; code < 256; ++code) {
    tflite::FileOperator op;
    op.code = code;
    const std::string name = tflite::operator_name(op);
    const bool is_read = tflite::importer_of(code) != nullptr;
    CAPTURE(name);
    CHECK((table.find("`" + name + "`") != std::string_view::npos) == is_read);
    named += is_read ? 1 : 0;
  }
  CHECK(named == std::ranges::count(table, '`') / 2);
}
