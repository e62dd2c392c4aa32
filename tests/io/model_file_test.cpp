// SPDX-License-Identifier: Apache-2.0
// Model files: what is saved comes back equal to the bit, and nothing damaged, unknown or out of range comes back at all.
#include "io/model_file.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "engine/module_check.h"
#include "io/safetensors.h"
#include "tests/catch.h"
#include "tests/engine/operators.h"
#include "tests/io/temp_dir.h"
#include "tests/same.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

/// A hook with state, standing in for an observer.
class Recorder : public Hook {
 public:
  explicit Recorder(std::string kind) : kind_(std::move(kind)) {}
  Var operator()(const Var& x, Mode, std::string_view) override { return x; }
  Var peek(const Var& x, std::string_view) const override { return x; }
  std::unique_ptr<Hook> clone() const override { return std::make_unique<Recorder>(*this); }
  std::string kind() const override { return kind_; }
  StateDict state() const override { return state_; }
  void load(const StateDict& state) override {
    check(!state.contains("poison"), "poisoned state");
    state_ = state;
  }
  StateDict state_;

 private:
  std::string kind_;
};

HookBox make_recorder(std::string_view kind) {
  check(kind.starts_with("recorder"), "unknown hook kind '", kind, "'");
  return HookBox(std::make_unique<Recorder>(std::string(kind)));
}

template <class Map>
void check_same_tensors(const Map& a, const Map& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& [name, t] : a) {
    INFO(name);
    REQUIRE(b.contains(name));
    CHECK(same(t, b.find(name)->second));
    CHECK(t.qparams() == b.find(name)->second.qparams());
  }
}

void check_same(const Model& a, const Model& b) {
  CHECK(a.outputs == b.outputs);
  CHECK(a.rounding == b.rounding);
  REQUIRE(a.modules.size() == b.modules.size());
  for (size_t i = 0; i < a.modules.size(); ++i) {
    const Module &x = a.modules[i], &y = b.modules[i];
    INFO(x.path);
    CHECK(x.path == y.path);
    CHECK(x.op == y.op);
    CHECK(x.inputs == y.inputs);
    CHECK(x.tied_to == y.tied_to);
    CHECK(x.fused == y.fused);
    CHECK(x.out_q == y.out_q);
    CHECK(x.nominal == y.nominal);
    check_same_tensors(x.params, y.params);
    REQUIRE(x.hooks.size() == y.hooks.size());
    for (const auto& [point, hook] : x.hooks) {
      REQUIRE(y.hooks.contains(point));
      CHECK(hook->kind() == y.hooks.find(point)->second->kind());
      check_same_tensors(hook->state(), y.hooks.find(point)->second->state());
    }
  }
}

/// Every operator, every attribute type away from its default.
Model every_op() {
  Model m;
  const int x = m.add("x", Input{{2, 8, 8, 4}});
  const int conv = m.add("layer1.0.conv1", Conv2d{.in = 4,
                                                  .out = 6,
                                                  .kernel = {3, 2},
                                                  .stride = {2, 1},
                                                  .dilation = {1, 2},
                                                  .padding = {1, 2, 0, 3},
                                                  .groups = 2,
                                                  .bias = false,
                                                  .act = Activation::relu6});
  m.add("qat", ConvBn2d{.conv = {.in = 4, .out = 4, .padding = pad_all(1), .act = Activation::relu}, .eps = 1e-3, .momentum = 0.03},
        {x});
  const int tied = m.add_tied("qat again", "qat");
  const int bn = m.add("bn", BatchNorm{.channels = 4, .eps = 0.1, .momentum = 1.0 / 3});
  const int add = m.add("add", Binary{BinaryFn::add, Activation::relu}, {tied, bn});
  m.add("cat", Concat{.axis = 3}, {add, bn});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("pool", Pool2d{.kind = Pool::average,
                       .kernel = {3, 2},
                       .stride = {1, 2},
                       .padding = pad_all(1),
                       .ceil_mode = true,
                       .count_include_pad = false});
  m.add("gap", Pool2d{.kind = Pool::adaptive_average, .output = {2, 1}});
  m.add("swap", Transpose{{0, 3, 1, 2}});
  m.add("flat", Reshape{{0, -1}});
  m.add("drop", Dropout{.p = 0.1});
  const int fc = m.add("größe/fc", Linear{.in = 16, .out = 3, .act = Activation::relu});
  m.outputs = {{fc, 0}, {conv, 0}};
  m.rounding = Rounding::fixed_single;
  m["add"].fused = {"add", "relu of add"};
  Generator g(1);
  initialize(m, g);
  return m;
}

/// int8 codes with per-channel parameters, hooks with state: all that a file can hold, in under 2 KB of JSON.
Model small_quantized() {
  Model m;
  m.add("x", Input{{1, 2}});
  m.add("fc", Linear{.in = 2, .out = 2});
  Generator g(1);
  initialize(m, g);
  Module& fc = m["fc"];
  fc.params["weight"] =
      Tensor::of<int8_t>({2, 2}, std::vector<int8_t>{-127, 3, 0, 127})
          .with({.scale = {0.00787399522960186f, 1e-30f}, .zero_point = {0, -1}, .axis = 0, .qmin = -127, .qmax = 127});
  m["x"].out_q = {QParams{.scale = {0.1f}, .zero_point = {3}, .qmax = 127}};
  fc.out_q = {std::nullopt};
  auto hook = std::make_unique<Recorder>("recorder:1");
  hook->state_ = {{"min", Tensor::full({}, -INFINITY)}, {"histogram", Tensor::of<int32_t>({2}, std::vector<int32_t>{7, 9})}};
  fc.hooks.emplace("output", HookBox(std::move(hook)));
  return m;
}

Model back(const Model& m) { return parse_model(model_bytes(m, "m"), "m", make_recorder, Scaled::make).model; }

/// The model's file with text in its graph replaced; checksums are right.
std::string error_after(const Model& m, const std::string& from, const std::string& to) {
  SafeTensors s = parse_safetensors(model_bytes(m, "m"), "m");
  std::string& graph = s.metadata.at("octet.model");
  const size_t at = graph.find(from);
  if (at == std::string::npos) return "the test replaces '" + from + "', which is not in " + graph;
  graph.replace(at, from.size(), to);
  const Bytes b = safetensors_bytes(s, "m");
  return error_of([&] { parse_model(b, "m.octet", make_recorder); });
}

}  // namespace

TEST_CASE("a model of every operator comes back equal", "[io]") {
  const TempDir dir;
  const Model m = every_op();
  save_model(dir / "m", m);
  const LoadedModel loaded = load_model(dir / "m");
  CHECK(loaded.notes.empty());
  check_same(m, loaded.model);
  CHECK(model_bytes(m, "m") == model_bytes(loaded.model, "m"));
}

TEST_CASE("each operator comes back equal, and computes the same", "[io]") {
  for (const OperatorCase& o : every_operator()) {
    INFO(name_of(o.op));
    const Model m = network_of(o), loaded = back(m);
    check_same(m, loaded);
    Generator g(5);
    const std::vector<Tensor> x = values_for(o, g);
    if (std::holds_alternative<Input>(o.op)) continue;
    const std::vector<Tensor> expected = infer(m, x), got = infer(loaded, x);
    REQUIRE(got.size() == expected.size());
    for (size_t i = 0; i < got.size(); ++i) CHECK(same(got[i], expected[i]));
  }
}

TEST_CASE("codes, scales to the last bit, hooks and their state come back equal", "[io]") {
  const Model m = small_quantized();
  check_same(m, back(m));
  Model f64 = cast(every_op(), DType::f64);
  check_same(f64, back(f64));
}

TEST_CASE("extreme scales survive the trip through decimal text", "[io]") {
  Model m = small_quantized();
  const float max = std::numeric_limits<float>::max(), min = std::numeric_limits<float>::min();
  for (const float s : {max, min, std::nextafter(min, 1.0f), std::nextafter(max, 0.0f), 1.0f / 3, 0x1.fffffep-1f}) {
    m["x"].out_q = {QParams{.scale = {s}, .zero_point = {0}}};
    CHECK(back(m)["x"].out_q[0]->scale[0] == s);
  }
}

TEST_CASE("the expected parameters are those init() makes, for every operator", "[io]") {
  const Model m = every_op();
  for (const Module& module : m.modules) {
    if (!module.tied_to.empty()) continue;
    INFO(module.path);
    std::map<std::string, Shape, std::less<>> made, expected;
    for (const auto& [name, t] : module.params) made.emplace(name, t.shape());
    for (const Param& p : params_of(module.op))
      if (!p.optional) expected.emplace(p.name, p.shape);
    CHECK(expected == made);
  }
}

TEST_CASE("a model file truncated anywhere or with any bit flipped is refused", "[io]") {
  const Bytes good = model_bytes(small_quantized(), "m");
  REQUIRE_NOTHROW(parse_model(good, "m", make_recorder));
  CHECK(accepted_damage(good, [](auto b) { parse_model(b, "m", make_recorder); }) == std::vector<std::string>{});
}

TEST_CASE("without checksums a damaged model file gives an Error or a model that passes every check", "[io]") {
  SafeTensors s = parse_safetensors(model_bytes(small_quantized(), "m"), "m");
  std::string text;
  {
    const Bytes b = safetensors_bytes(s, "m");
    text.assign(reinterpret_cast<const char*>(b.data()), b.size());
  }
  // Same length, other names: both checksums become ordinary metadata and nothing but structure is left to notice damage.
  for (const char* key : {"octet.crc32.data", "octet.crc32.header"}) text.replace(text.find(key), 5, "other");
  const Bytes unprotected = bytes_of(text);
  REQUIRE(parse_model(unprotected, "m", make_recorder).notes.size() == 1);
  size_t survived = 0;
  accepted_damage(unprotected, [&](auto b) {
    const Model m = parse_model(b, "m", make_recorder).model;
    for (const Module& module : m.modules) check_module(module, module.path);
    ++survived;
  });
  CHECK(survived > 0);
}

TEST_CASE("unknown names in the graph are refused by name", "[io]") {
  const Model m = every_op();
  CHECK_THAT(error_after(m, "\"version\":1", "\"version\":2"), StartsWith("m.octet: ") && Contains("version 2 is unknown"));
  CHECK_THAT(error_after(m, "\"op\":\"linear\"", "\"op\":\"linaer\""), StartsWith("m.octet: größe/fc: unknown operator 'linaer'"));
  CHECK_THAT(error_after(m, "\"act\":\"relu6\"", "\"act\":\"gelu\""),
             StartsWith("m.octet: layer1.0.conv1.act: unknown value 'gelu'"));
  CHECK_THAT(error_after(m, "\"ceil_mode\"", "\"floor_mode\""), StartsWith("m.octet: pool: unknown key 'floor_mode'"));
  CHECK_THAT(error_after(m, "\"count_include_pad\":false,", ""), StartsWith("m.octet: pool: lacks 'count_include_pad'"));
  CHECK_THAT(error_after(m, "\"rounding\":\"fixed_single\"", "\"rounding\":\"up\""), Contains("rounding: unknown value 'up'"));
  CHECK_THAT(error_after(m, "\"fused\":[]", "\"fused\":[],\"extra\":1"), Contains("unknown key 'extra'"));
  CHECK_THAT(error_after(small_quantized(), "recorder:1", "histogram"), StartsWith("m.octet: fc hook 'output': unknown hook kind"));
  const Bytes hooked = model_bytes(small_quantized(), "m");
  CHECK_THAT(error_of([&] { parse_model(hooked, "m.octet"); }), Contains("unknown hook kind 'recorder:1'"));
}

TEST_CASE("wires, attributes and ties that make no network are refused by module", "[io]") {
  const Model m = every_op();
  CHECK_THAT(error_after(m, "\"inputs\":[[3,0]]", "\"inputs\":[[3,1]]"), StartsWith("m.octet: ") && Contains("port 1"));
  CHECK_THAT(error_after(m, "\"inputs\":[[3,0]]", "\"inputs\":[[14,0]]"), Contains("wire from module 14"));
  CHECK_THAT(error_after(m, "\"inputs\":[[3,0]]", "\"inputs\":[[-1,0]]"), Contains("-1 is outside"));
  CHECK_THAT(error_after(m, "\"inputs\":[[3,0]]", "\"inputs\":[[4294967296,0]]"), Contains("is outside"));
  CHECK_THAT(error_after(small_quantized(), "\"inputs\":[[0,0]]", "\"inputs\":[]"), StartsWith("m.octet: fc: has no inputs"));
  CHECK_THAT(error_after(m, "\"outputs\":[[13,0]", "\"outputs\":[[14,0]"), Contains("output [14, 0] does not exist"));
  CHECK_THAT(error_after(m, "\"path\":\"flat\"", "\"path\":\"swap\""), StartsWith("m.octet: swap: ") && Contains("exists already"));
  CHECK_THAT(error_after(m, "\"tied_to\":\"qat\"", "\"tied_to\":\"bn\""), Contains("tied to the unknown module 'bn'"));
  CHECK_THAT(error_after(m, "\"tied_to\":\"qat\"", "\"tied_to\":\"x\""), Contains("is a conv_bn2d tied to x, a input"));
  CHECK_THAT(error_after(m, "\"out\":3", "\"out\":4"), StartsWith("m.octet: größe/fc") && Contains("expected shape [4"));
  CHECK_THAT(error_after(m, "\"shape\":[2,8,8,4]", "\"shape\":[1048576,1048577]"), Contains("too large"));
  CHECK_THAT(error_after(m, "\"shape\":[2,8,8,4]", "\"shape\":[2,8,8,4,1,1,1,1,1]"), Contains("9 elements"));
  CHECK_THAT(error_after(m, "\"modules\":[", "\"modules\":[[[[[[[[[[]]]]]]]]],"), Contains("nested deeper than"));
}

TEST_CASE("every integer attribute at 0, -1 and its extremes gives an Error or a model, never a crash", "[io]") {
  SafeTensors s = parse_safetensors(model_bytes(every_op(), "m"), "m");
  const std::string graph = s.metadata.at("octet.model");
  size_t replaced = 0, refused = 0;
  for (size_t begin = 0; begin < graph.size(); ++begin) {
    if (!std::isdigit(static_cast<unsigned char>(graph[begin])) || graph.find_first_of(",]}", begin) == std::string::npos) continue;
    size_t end = begin;
    while (std::isdigit(static_cast<unsigned char>(graph[end]))) ++end;
    const bool whole = std::string_view(":[,-").find(graph[begin - 1]) != std::string_view::npos && graph[end] != '.';
    for (const char* value : {"0", "-1", "9223372036854775807", "-9223372036854775808", "2147483648", "1073741823"}) {
      if (!whole) break;
      s.metadata["octet.model"] = graph.substr(0, begin) + value + graph.substr(end);
      const Bytes b = safetensors_bytes(s, "m");
      ++replaced;
      if (!error_of([&] { parse_model(b, "m"); }).empty()) ++refused;
    }
    begin = end;
  }
  CHECK(replaced > 300);
  CHECK(refused > replaced / 2);
}

TEST_CASE("quantization parameters no kernel can use are refused", "[io]") {
  const Model m = small_quantized();
  const std::string scale = "\"scale\":[0.10000000149011612]";
  for (const char* bad : {"0", "-0.1", "1e-40", "1e-46", "1e39", "-1e400"})
    CHECK_THAT(error_after(m, scale, "\"scale\":[" + std::string(bad) + "]"), StartsWith("m.octet: "));
  CHECK_THAT(error_after(m, scale, "\"scale\":[NaN]"), Contains("not valid JSON"));
  CHECK_THAT(error_after(m, scale, "\"scale\":[null]"), Contains("expected a number, got null"));
  CHECK_THAT(error_after(m, scale, "\"scale\":[0.1,0.1]"), Contains("needs 1 scales"));
  CHECK_THAT(error_after(m, "\"zero_point\":[3]", "\"zero_point\":[128]"), StartsWith("m.octet: x output 0: zero point 0 is 128"));
  CHECK_THAT(error_after(m, "\"zero_point\":[3]", "\"zero_point\":[4294967299]"), Contains("is outside"));
  CHECK_THAT(error_after(m, "\"zero_point\":[0,-1]", "\"zero_point\":[0]"),
             Contains("needs 2 scales and zero points, has 2 and 1"));
  CHECK_THAT(error_after(m, "\"axis\":0", "\"axis\":2"), Contains("axis 2"));
  CHECK_THAT(error_after(m, "\"axis\":0", "\"axis\":-2"), Contains("axis -2"));
  CHECK_THAT(error_after(m, "\"axis\":0", "\"axis\":-1"), Contains("needs 1 scales"));
  CHECK_THAT(error_after(m, "\"group\":0", "\"group\":32"), Contains("group 32 is not supported"));
  CHECK_THAT(error_after(m, "\"qmin\":-127", "\"qmin\":-32769"), Contains("fit neither"));
  CHECK_THAT(error_after(m, "\"qmin\":-127", "\"qmin\":-129"), Contains("16-bit codes have 0"));
  CHECK_THAT(error_after(m, "\"qmin\":-127", "\"qmin\":-100"), StartsWith("m.octet: fc.weight: code -127 at element 0 is outside"));
  CHECK_THAT(error_after(m, "\"qmin\":-127", "\"qmin\":0"), StartsWith("m.octet: fc.weight: "));
  CHECK_THAT(error_after(m, "\"params\":{\"weight\"", "\"params\":{\"bias\""), Contains("fc.bias"));
  CHECK_THAT(error_after(m, "\"params\":{\"weight\"", "\"params\":{\"wight\""), Contains("unknown parameter 'wight'"));
  CHECK_THAT(error_after(m, "\"out_q\":[null]", "\"out_q\":[null,null]"), Contains("for 2 outputs, it has 1"));
}

TEST_CASE("missing, foreign and misshapen tensors are refused by name", "[io]") {
  const SafeTensors good = parse_safetensors(model_bytes(small_quantized(), "m"), "m");
  const auto error = [](const SafeTensors& s) {
    const Bytes b = safetensors_bytes(s, "m");
    return error_of([&] { parse_model(b, "m.octet", make_recorder); });
  };
  SafeTensors s = good;
  s.tensors.erase("fc.bias");
  CHECK_THAT(error(s), StartsWith("m.octet: fc: the file has no tensor 'fc.bias'"));
  s = good;
  s.tensors.erase("fc/hooks/output/min");
  CHECK_THAT(error(s), Contains("no tensor 'fc/hooks/output/min'"));
  s = good;
  s.tensors.emplace("stranger", Tensor());
  CHECK_THAT(error(s), Contains("'stranger' belongs to no module"));
  s = good;
  s.tensors["fc.bias"] = Tensor::zeros({3});
  CHECK_THAT(error(s), StartsWith("m.octet: fc.bias: expected shape [2], got [3]"));
  s = good;
  s.tensors["fc.bias"] = Tensor::zeros({2}, DType::i32);
  CHECK_THAT(error(s), StartsWith("m.octet: fc.bias: is i32 without quantization parameters"));
  s = good;
  s.tensors["fc.weight"] = Tensor::zeros({2, 2}, DType::u8);
  CHECK_THAT(error(s), StartsWith("m.octet: fc.weight: ") && Contains("codes -127..127 on a tensor of u8"));
  s = good;
  s.metadata.clear();
  CHECK_THAT(error(s), StartsWith("m.octet: is not an octet model"));
}

TEST_CASE("what could not be loaded again is not saved, and the old file stays", "[io]") {
  const TempDir dir;
  save_model(dir / "m", small_quantized());
  const Bytes old = read_file(dir / "m", 1 << 20);
  const auto error = [&](const std::function<void(Model&)>& spoil) {
    Model m = small_quantized();
    spoil(m);
    return error_of([&] { save_model(dir / "m", m); });
  };
  CHECK_THAT(error([](Model& m) { m["fc"].params.clear(); }), StartsWith(dir / "m") && Contains("fc: parameter 'weight'"));
  CHECK_THAT(error([](Model& m) { m["fc"].params["extra"] = Tensor(); }), Contains("no parameter 'extra'"));
  CHECK_THAT(error([](Model& m) { m["x"].out_q[0]->scale[0] = NAN; }), Contains("scale 0 is nan"));
  CHECK_THAT(error([](Model& m) { m.outputs = {{7, 0}}; }), Contains("output wire from port 0 of module 7"));
  CHECK_THAT(error([](Model& m) { std::get<Dropout>(m.modules[static_cast<size_t>(m.add("d", Dropout{}))].op).p = NAN; }),
             Contains("d.p: nan cannot be saved"));
  CHECK_THAT(error([](Model& m) { m["fc"].path = "\xff"; }), Contains("UTF-8"));
  CHECK_THAT(error([](Model& m) {
               m.add("c", ConvBn2d{.conv = {.in = 1, .out = 1}}, {m.add("i", Input{{1, 3, 3, 1}})});
               m.add("norm", BatchNorm{.channels = 1});
               m["norm"].path = "c.bn";  // add() would refuse it
               Generator g(1);
               Model fresh = m;
               initialize(fresh, g);
               m["c"].params = fresh["c"].params;
               m["c.bn"].params = fresh["c.bn"].params;
             }),
             Contains("c.bn: two tensors of the model would be named 'c.bn.bias'"));
  CHECK(read_file(dir / "m", 1 << 20) == old);
  CHECK(dir.entries() == 1);
}

TEST_CASE("an Error of a hook's loading names file, module and point", "[io]") {
  Model m = small_quantized();
  auto hook = std::make_unique<Recorder>("recorder:2");
  hook->state_ = {{"poison", Tensor()}};
  m["x"].hooks.emplace("output", HookBox(std::move(hook)));
  const Bytes b = model_bytes(m, "m");
  CHECK(error_of([&] { parse_model(b, "m.octet", make_recorder); }) == "m.octet: x hook 'output': poisoned state");
}
