// SPDX-License-Identifier: Apache-2.0
// Every layout of PyTorch's by its formula: kernels, and what a flattened picture does to whoever reads it.
#include "tests/catch.h"
#include "tests/io/state_dicts.h"
#include "tests/same.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

TEST_CASE("a convolution's weight is permuted, also where its shape fits both ways", "[io]") {
  Model m = one({1, 5, 5, 3}, Conv2d{.in = 3, .out = 3, .bias = false});
  load(m, {{"layer.weight", numbered({3, 3, 3, 3})}});
  const auto w = m["layer"].params.at("weight").data<float>();
  for (size_t o = 0, i = 0; o < 3; ++o)
    for (size_t h = 0; h < 3; ++h)
      for (size_t x = 0; x < 3; ++x)
        for (size_t c = 0; c < 3; ++c) CHECK(w[i++] == static_cast<float>(((o * 3 + c) * 3 + h) * 3 + x));
}

TEST_CASE("kernels of sequences, of depthwise and of transposed layers come in PyTorch's axes", "[io]") {
  Model sequence = one({1, 8, 2}, Conv1d{.in = 2, .out = 2, .kernel = 3, .bias = false});
  for (const Shape& shape : {Shape{2, 2, 3}, Shape{2, 2, 1, 3}}) {  // Conv1d's and Conv2d's of one row
    load(sequence, {{"layer.weight", numbered(shape)}});
    CHECK(same(sequence["layer"].params.at("weight"),
               Tensor::of<float>({2, 1, 3, 2}, std::vector<float>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11})));
  }
  Model depthwise = one({1, 5, 5, 2}, Conv2d{.in = 2, .out = 4, .kernel = {2, 2}, .groups = 2});
  load(depthwise, {{"layer.weight", numbered({4, 1, 2, 2})}, {"layer.bias", numbered({4})}});
  CHECK(same(depthwise["layer"].params.at("weight"), numbered({4, 2, 2, 1})));
  CHECK(same(depthwise["layer"].params.at("bias"), numbered({4})));

  Model up = one({1, 3, 3, 4}, ConvTranspose2d{.in = 4, .out = 6, .kernel = {2, 3}, .groups = 2, .bias = false});
  load(up, {{"layer.weight", numbered({4, 3, 2, 3})}});
  const auto w = up["layer"].params.at("weight").data<float>();
  for (size_t out = 0, at = 0; out < 6; ++out)
    for (size_t k = 0; k < 6; ++k)
      for (size_t i = 0; i < 2; ++i) {
        const size_t group = out / 3, in = group * 2 + i;
        CHECK(w[at++] == static_cast<float>((in * 3 + out % 3) * 6 + k));
      }
}

TEST_CASE("the columns of a layer behind a flattened picture are permuted, wherever the picture was flattened", "[io]") {
  const auto columns = [](const std::vector<std::pair<std::string, Op>>& between) {
    Model m;
    m.add("x", Input{{1, 2, 3, 2}});
    for (const auto& [path, op] : between) m.add(path, op);
    m.add("head", Linear{12, 1, false});
    load(m, {{"head.weight", numbered({1, 12})}}, {.strict = false});
    const auto w = m["head"].params.at("weight").data<float>();
    return std::vector<float>(w.begin(), w.end());
  };
  const std::vector<float> permuted{0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11}, plain{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  CHECK(columns({{"flat", Reshape{{0, -1}}}}) == permuted);
  CHECK(columns({{"flat", Reshape{{-1, 12}}}, {"drop", Dropout{}}, {"relu", Unary{UnaryFn::relu}}}) == permuted);
  CHECK(columns({{"relu", Unary{UnaryFn::relu}}, {"flip", Flip{{1}}}, {"flat", Reshape{{0, -1}}}}) == permuted);
  CHECK(columns({{"chw", Transpose{{0, 3, 1, 2}}}, {"flat", Reshape{{0, -1}}}}) == plain);
  CHECK(columns({{"chw", Transpose{{0, 3, 1, 2}}}, {"hwc", Transpose{{0, 2, 3, 1}}}, {"flat", Reshape{{0, -1}}}}) == plain);
  // Rows and columns of the picture change places in both: the order of what is flattened is still H,W,C here.
  CHECK(columns({{"turn", Transpose{{0, 2, 1, 3}}}, {"flat", Reshape{{0, -1}}}}) == permuted);
}

TEST_CASE("norms and slopes of a flattened picture are permuted with it", "[io]") {
  Model m = one({1, 2, 1, 2}, Reshape{{0, -1}});
  m.add("bn", BatchNorm{4});
  m.add("slope", PRelu{4});
  const int slopes = m.add("one", PRelu{1});
  const int offset = m.add("offset", Constant{{1, 4}});
  m.add("sum", Binary{BinaryFn::add}, {slopes, offset});
  load(m, {{"bn.weight", numbered({4})},
           {"bn.bias", numbered({4})},
           {"bn.running_mean", numbered({4})},
           {"bn.running_var", numbered({4})},
           {"slope.weight", numbered({4})},
           {"offset", numbered({1, 4})},
           {"one.weight", Tensor::full({1}, 0.5)}});
  const Tensor permuted = Tensor::of<float>({4}, std::vector<float>{0, 2, 1, 3});
  for (const char* name : {"weight", "bias", "running_mean", "running_var"}) CHECK(same(m["bn"].params.at(name), permuted));
  CHECK(same(m["slope"].params.at("weight"), permuted));
  CHECK(same(m["offset"].params.at("value"), permuted.reshape({1, 4})));
  CHECK(m["one"].params.at("weight").item() == 0.5);
}

TEST_CASE("an order that cannot be followed is refused with the way out", "[io]") {
  Model m = one({1, 4, 6, 2}, Reshape{{0, 8, 6}});
  m.add("head", Linear{6, 1});
  CHECK_THAT(load_error(m, {}), StartsWith("head: reads values of a picture") && Contains("Transpose to channel-first"));
  CHECK_THAT(error_of([&] { state_dict_bytes(drawn(m, 1), "x"); }), StartsWith("head: "));
  Model split = one({1, 5}, Linear{5, 12});
  split.add("picture", Reshape{{0, 2, 2, 3}});
  Model explicit_split = split;
  split.add("conv", Conv2d{.in = 3, .out = 1, .kernel = {1, 1}});
  CHECK_THAT(load_error(split, {}), StartsWith("conv: reads features as a picture"));
  explicit_split = one({1, 5}, Linear{5, 12});
  explicit_split.add("picture", Reshape{{0, 3, 2, 2}});
  explicit_split.add("hwc", Transpose{{0, 2, 3, 1}});
  explicit_split.add("conv", Conv2d{.in = 3, .out = 1, .kernel = {1, 1}});
  CHECK_THAT(load_error(explicit_split, {}), Contains("missing 'layer.weight' [12, 5]"));
}
