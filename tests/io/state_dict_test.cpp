// SPDX-License-Identifier: Apache-2.0
// PyTorch's state dicts: names, everything wrong in one error, and a model that is either loaded or as it was. torch_roundtrip.py
// compares with PyTorch itself.
#include "io/state_dict.h"

#include <cmath>
#include <cstring>

#include "io/checkpoint.h"
#include "io/model_file.h"
#include "io/safetensors.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/io/state_dicts.h"
#include "tests/io/temp_dir.h"
#include "tests/io/torch_networks.h"
#include "tests/same.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;

namespace {

/// Two linear layers of 2 x 2.
Model pair() {
  Model m = one({1, 2}, Linear{2, 2});
  m.add("next", Linear{2, 2, false});
  return m;
}
Tensors pair_values() {
  return {{"layer.weight", numbered({2, 2})}, {"layer.bias", numbered({2})}, {"next.weight", numbered({2, 2})}};
}

std::vector<Params> params_of_all(const Model& m) {
  std::vector<Params> all;
  for (const Module& module : m.modules) all.push_back(module.params);
  return all;
}
bool equal_params(const Model& a, const Model& b) {
  const auto all = params_of_all(a), others = params_of_all(b);
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].size() != others[i].size()) return false;
    for (const auto& [name, t] : all[i])
      if (!others[i].contains(name) || !same(t, others[i].at(name))) return false;
  }
  return all.size() == others.size();
}

}  // namespace

TEST_CASE("every operator's parameters have PyTorch's names and shapes and come back", "[io]") {
  const std::map<std::string, std::pair<Model, std::map<std::string, Shape>>> networks{
      {"cnn",
       {torch_cnn(),
        {{"conv.weight", {3, 3, 3, 3}},
         {"bn.weight", {3}},
         {"bn.bias", {3}},
         {"bn.running_mean", {3}},
         {"bn.running_var", {3}},
         {"depthwise.bias", {6}},
         {"norm.weight", {90}},
         {"depthwise.weight", {6, 1, 3, 2}},
         {"norm.bias", {90}},
         {"norm.running_mean", {90}},
         {"norm.running_var", {90}},
         {"slope.weight", {90}},
         {"hidden.weight", {8, 90}},
         {"hidden.bias", {8}},
         {"layer_norm.weight", {8}},
         {"layer_norm.bias", {8}},
         {"head.weight", {5, 8}},
         {"head.bias", {5}}}}},
      {"transposed",
       {torch_transposed(),
        {{"up.weight", {4, 3, 2, 3}},
         {"up.bias", {6}},
         {"norm.weight", {6}},
         {"norm.bias", {6}},
         {"slope.weight", {6}},
         {"same.weight", {6, 6, 3, 3}},
         {"same.bias", {6}},
         {"head.weight", {2, 6}}}}},
      {"sequence",
       {torch_sequence(),
        {{"conv.weight", {4, 3, 3}},
         {"conv.bias", {4}},
         {"bn.weight", {4}},
         {"bn.bias", {4}},
         {"bn.running_mean", {4}},
         {"bn.running_var", {4}},
         {"up.weight", {4, 2, 2}},
         {"up.bias", {2}},
         {"head.weight", {3, 40}},
         {"head.bias", {3}}}}},
      {"tokens",
       {torch_tokens(),
        {{"table.weight", {11, 8}},
         {"places", {1, 6, 8}},
         {"norm.weight", {8}},
         {"norm.bias", {8}},
         {"block.layer.weight", {8, 8}},
         {"block.layer.bias", {8}},
         {"root.weight", {8}},
         {"head.weight", {3, 48}},
         {"head.bias", {3}}}}},
      {"branches",
       {torch_branches(),
        {{"gain", {1, 3, 1, 1}},
         {"offset", {1, 3, 4, 4}},
         {"conv.weight", {2, 3, 3, 3}},
         {"conv.bias", {2}},
         {"head.weight", {3, 56}},
         {"head.bias", {3}}}}},
  };
  for (const auto& [name, network] : networks) {
    INFO(name);
    const Model saved = drawn(network.first, 1);
    const Bytes file = state_dict_bytes(saved, "x");
    std::map<std::string, Shape> shapes;
    for (const auto& [key, t] : parse_safetensors(file, "x").tensors) shapes.emplace(key, t.shape());
    CHECK(shapes == network.second);
    Model empty = network.first, other = drawn(network.first, 2);
    REQUIRE(!equal_params(other, saved));
    parse_state_dict(empty, file, "x");
    parse_state_dict(other, file, "x");
    CHECK(equal_params(empty, saved));
    CHECK(equal_params(other, saved));
  }
}

TEST_CASE("all that does not fit is in one error, and the model stays as it was", "[io]") {
  Model m = drawn(pair(), 1);
  const Model before = m;
  const std::string error = error_of([&] {
    load(m,
         {{"layer.weight", numbered({2, 2})}, {"next.weight", numbered({2, 3})}, {"lost", numbered({1})}, {"more", numbered({})}});
  });
  CHECK(error ==
        "w.safetensors: does not fit the model: missing 'layer.bias' [2]; unexpected 'lost', 'more'; wrong 'next.weight': expected "
        "shape [2, 2], got [2, 3]");
  CHECK(equal_params(m, before));
  load(m, pair_values());
  CHECK(!equal_params(m, before));
}

TEST_CASE("values that no model may have are named with their element", "[io]") {
  Tensors values = pair_values();
  values["layer.bias"].mutable_data<float>()[1] = NAN;
  values["next.weight"] = numbered({2, 2}, DType::i32);
  values["layer.weight"] = numbered({2, 2}, DType::f64);
  values["layer.weight"].mutable_data<double>()[3] = -0x1.ffffffp127;
  CHECK_THAT(load_error(pair(), values),
             EndsWith("wrong 'layer.weight': element 3 is beyond float32, 'layer.bias': element 1 is not "
                      "finite, 'next.weight': expected floats, got i32"));
  values["layer.weight"].mutable_data<double>()[3] = 0x1.fffffefp127;  // rounds to the largest float
  values["layer.bias"] = numbered({2}), values["next.weight"] = numbered({2, 2});
  Model narrow = pair(), wide = cast(drawn(pair(), 1), DType::f64);
  load(narrow, values);
  load(wide, values);
  CHECK(narrow["layer"].params.at("weight").data<float>()[3] == 0x1.fffffep127F);
  CHECK(wide["layer"].params.at("weight").data<double>()[3] == 0x1.fffffefp127);
  CHECK(wide["layer"].params.at("bias").dtype() == DType::f64);
}

TEST_CASE("without strict the keys that do not match are returned, shapes still have to", "[io]") {
  Model m = drawn(pair(), 1);
  const Tensor kept = m["layer"].params.at("bias");
  Tensors values = pair_values();
  values.erase("layer.bias");
  values.emplace("extra.weight", numbered({3}));
  const StateDictReport report = load(m, values, {.strict = false});
  CHECK(report.missing == std::vector<std::string>{"layer.bias"});
  CHECK(report.unexpected == std::vector<std::string>{"extra.weight"});
  CHECK(same(m["layer"].params.at("bias"), kept));
  CHECK(same(m["layer"].params.at("weight"), numbered({2, 2})));
  values["next.weight"] = numbered({4});
  CHECK(load_error(m, values, {.strict = false}) ==
        "w.safetensors: does not fit the model: wrong 'next.weight': expected shape [2, 2], got [4]");
}

TEST_CASE("a prefix is taken off and put on, and advised where it is missing", "[io]") {
  Tensors wrapped;
  for (const auto& [key, t] : pair_values()) wrapped.emplace("module." + key, t);
  Model m = pair(), plain = pair();
  CHECK_THAT(load_error(m, wrapped), EndsWith("; keys of the file begin with 'module.': give it as prefix"));
  load(m, wrapped, {.prefix = "module."});
  load(plain, pair_values());
  CHECK(equal_params(m, plain));
  CHECK_THAT(load_error(m, pair_values(), {.prefix = "module."}), Contains("missing 'module.layer.weight'") &&
                                                                      Contains("unexpected 'layer.bias'") &&
                                                                      EndsWith("; keys of the file have no such prefix"));
  const SafeTensors back = parse_safetensors(state_dict_bytes(m, "x", {.prefix = "module."}), "x");
  CHECK(back.tensors.size() == 3);
  CHECK(same(back.tensors.at("module.next.weight"), numbered({2, 2})));
  CHECK(back.metadata == std::map<std::string, std::string>{{"format", "pt"}});
}

TEST_CASE("a layer called twice is read by either name, and by both if they agree", "[io]") {
  Model m = one({1, 2}, Linear{2, 2, false});
  m.add_tied("again", "layer");
  const Tensor w = numbered({2, 2});
  for (const Tensors& values :
       {Tensors{{"layer.weight", w}}, Tensors{{"again.weight", w}}, Tensors{{"layer.weight", w}, {"again.weight", w}}}) {
    Model loaded = m;
    load(loaded, values);
    CHECK(same(loaded["layer"].params.at("weight"), w));
    CHECK(loaded["again"].params.empty());
  }
  CHECK_THAT(load_error(m, {{"layer.weight", w}, {"again.weight", Tensor::full({2, 2}, 1)}}),
             EndsWith("wrong 'again.weight': differs from 'layer.weight', to which it is tied"));
}

TEST_CASE("counters of batch norms are noted and not asked for, but only of batch norms that are there", "[io]") {
  Model m = one({1, 2}, BatchNorm{2});
  Tensors values{{"layer.weight", numbered({2})},
                 {"layer.bias", numbered({2})},
                 {"layer.running_mean", numbered({2})},
                 {"layer.running_var", Tensor::full({2}, 3)}};
  CHECK(load(m, values).notes.empty());
  values.emplace("layer.num_batches_tracked", Tensor::full({}, 7, DType::i32));
  CHECK_THAT(load(m, values).notes.at(0), EndsWith("num_batches_tracked of batch norms are not kept: 1"));
  values.emplace("other.num_batches_tracked", Tensor::full({}, 7, DType::i32));
  CHECK_THAT(load_error(m, values), EndsWith("unexpected 'other.num_batches_tracked'"));
}

TEST_CASE("a fused batch norm is read by the name it had and by PyTorch's", "[io]") {
  Model plain = one({1, 4, 4, 2}, Conv2d{.in = 2, .out = 3, .bias = false});
  plain.add("norm", BatchNorm{3});
  plain = drawn(plain, 1);
  plain["norm"].params["running_mean"] = numbered({3});
  const Bytes unfused = state_dict_bytes(plain, "x");
  SafeTensors renamed = parse_safetensors(unfused, "x");
  for (const char* name : {"weight", "bias", "running_mean", "running_var"}) {
    auto node = renamed.tensors.extract("norm." + std::string(name));
    REQUIRE(!node.empty());
    node.key() = "layer.bn." + std::string(name);
    renamed.tensors.insert(std::move(node));
  }
  const Bytes eager = safetensors_bytes(renamed, "x");
  const Model fused = fuse(plain, Aim::training);
  REQUIRE(fused.modules.size() == 2);
  for (const Bytes& file : {unfused, eager}) {
    Model loaded = drawn(fused, 2);
    REQUIRE(!equal_params(loaded, fused));
    parse_state_dict(loaded, file, "x");
    CHECK(equal_params(loaded, fused));
  }
  CHECK(state_dict_bytes(fused, "x") == unfused);
  Model folded = fuse(plain, Aim::inference);
  CHECK_THAT(error_of([&] { parse_state_dict(folded, unfused, "x"); }),
             Contains("missing 'layer.bias' [3]") && EndsWith("; the model is fused: load the weights before"));
}

TEST_CASE("files of another kind are told apart, both ways", "[io]") {
  const TempDir dir;
  Model m = drawn(pair(), 1);
  save_model(dir / "m.octet", m);
  save_checkpoint(dir / "c.octet", {.model = m});
  save_state_dict(m, dir / "w.safetensors");
  CHECK_THAT(error_of([&] { load_state_dict(m, dir / "m.octet"); }),
             EndsWith("m.octet: is an octet model, not PyTorch's state dict; "
                      "load_model reads it"));
  CHECK_THAT(error_of([&] { load_state_dict(m, dir / "c.octet"); }), EndsWith("load_checkpoint reads it"));
  CHECK_THAT(error_of([&] { load_model(dir / "w.safetensors"); }),
             StartsWith((dir / "w.safetensors") + ": is not an octet model") && Contains("load_state_dict"));
  for (const std::string& magic : {std::string("PK\3\4\0\0\0\0\0\0", 10), std::string("\x80\2\x8a\nl\xfc\x9c\x46\xf9 ")}) {
    write_file(dir / "net.pt", bytes_of(magic));
    for (const std::string& said :
         {error_of([&] { load_state_dict(m, dir / "net.pt"); }), error_of([&] { load_model(dir / "net.pt"); })})
      CHECK_THAT(said, StartsWith((dir / "net.pt") + ": is what torch.save writes") && Contains("safetensors.torch.save_file"));
  }
}

TEST_CASE("codes have no place in a state dict", "[io]") {
  Model prepared = prepare(drawn(pair(), 1), {{"", octet_qconfig()}});
  Generator random(4);
  const Tensor x = randn(random, {8, 2});
  calibrate(prepared, {&x, 1});
  load(prepared, pair_values());  // before convert it is a float model with hooks
  CHECK(same(prepared["next"].params.at("weight"), numbered({2, 2})));
  Model int8 = convert(prepared);
  CHECK_THAT(error_of([&] { state_dict_bytes(int8, "x"); }), StartsWith("layer: weight is quantized"));
  CHECK_THAT(error_of([&] { load(int8, pair_values()); }), StartsWith("layer: weight is quantized"));
}

TEST_CASE("a damaged state dict is refused at every byte and changes nothing", "[io]") {
  Model m = drawn(pair(), 1);
  const Model before = m;
  const Bytes good = state_dict_bytes(drawn(pair(), 2), "x");
  CHECK(accepted_damage(good, [&](std::span<const std::byte> b) { parse_state_dict(m, b, "x"); }) == std::vector<std::string>{});
  CHECK(equal_params(m, before));
}
