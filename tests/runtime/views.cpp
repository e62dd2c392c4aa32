// SPDX-License-Identifier: Apache-2.0
// Values that are parts of others on a device: concatenations that copy nothing, tied layers that store their weights once, and
// images that lie about either.
#include <algorithm>

#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"
#include "tests/runtime/random_networks.h"
#include "tests/runtime/rewrite.h"

using namespace octet;
using namespace octet::device;
using Catch::Matchers::Contains;

namespace {

/// Two layers of `channels` channels on 2 x `width` pixels, joined along the rows, then one more. With equal parameters on all
/// three sides of the concatenation nothing needs to be copied.
RandomNetwork joined(int64_t width, int64_t channels, bool equal, bool twice = false) {
  Model m;
  m.add("x", Input{{1, 2, width, 3}});
  const int a = m.add("a", Conv2d{.in = 3, .out = channels, .kernel = {1, 1}});
  const int b = m.add("b", Conv2d{.in = 3, .out = channels, .kernel = {1, 1}}, {0});
  m.add("cat", Concat{1}, {a, twice ? a : b});
  if (twice) m.add("sum", Binary{}, {static_cast<int>(m.modules.size()) - 1, static_cast<int>(m.modules.size()) - 1});
  m.add("tail", Conv2d{.in = channels, .out = 5, .kernel = {2, 1}});
  if (twice) m.outputs = {{static_cast<int>(m.modules.size()) - 1, 0}, {b, 0}};
  Generator g(7);
  initialize(m, g);
  m.rounding = Rounding::fixed_double;
  Model p = prepare(m, {{"", octet_device_qconfig()}});
  const Tensor x = randn(g, {4, 2, width, 3});
  calibrate(p, {&x, 1});
  Model int8 = convert(p);
  if (equal) int8["a"].out_q = int8["b"].out_q = int8["cat"].out_q;
  Tensor input = quantize(randn(g, {1, 2, width, 3}), *int8.modules[0].out_q[0], int8.rounding);
  return {std::move(int8), std::move(input)};
}

int64_t steps_of(const FirmwarePlan& plan, const std::string& path) {
  return std::ranges::count(plan.steps, path, &FirmwareStep::path);
}
const FirmwareValue& value_of(const FirmwarePlan& plan, const std::string& path) {
  return *std::ranges::find(plan.values, path, &FirmwareValue::path);
}

}  // namespace

TEST_CASE("parts of a concatenation are computed in place on a device where they may lie there, and copied where not") {
  for (const FirmwareTarget target : {FirmwareTarget::portable, FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55}) {
    CAPTURE(static_cast<int>(target));
    const FirmwareOptions options{.target = target};
    const RandomNetwork whole = joined(4, 8, true);  // 64 bytes a part
    const FirmwarePlan plan = plan_firmware(whole.int8, options);
    CHECK(steps_of(plan, "cat") == 0);
    CHECK(plan.steps.size() == 3);
    CHECK(value_of(plan, "cat").of >= 0);
    CHECK(value_of(plan, "a").offset == value_of(plan, "cat").offset);
    CHECK(value_of(plan, "b").offset == value_of(plan, "cat").offset + 64);
    const RandomNetwork odd = joined(3, 5, true);  // 30 bytes: the second part would not be aligned
    const FirmwarePlan copied = plan_firmware(odd.int8, options);
    CHECK(steps_of(copied, "cat") == 1);
    CHECK(value_of(copied, "cat").of == -1);
    const RandomNetwork rescaled = joined(4, 8, false);
    CHECK(steps_of(plan_firmware(rescaled.int8, options), "cat") == 1);  // the other part set the range
    const RandomNetwork twice = joined(4, 8, true, true);                // one copy has to be made
    CHECK(steps_of(plan_firmware(twice.int8, options), "cat") == 1);
    Generator g(3);
    for (const RandomNetwork* network : {&whole, &odd, &rescaled, &twice}) {
      const FirmwarePlan planned = plan_firmware(network->int8, options);
      CHECK(difference(*network, planned) == "");
      for (int i = 0; i < 20; ++i) CHECK(difference(*network, placed_anew(planned, g)) == "");
    }
  }
}

TEST_CASE("pieces of a tensor are views on a device where they may lie there, and copies where not") {
  for (const auto& [axis, sizes, copies] : {std::tuple<int64_t, Shape, int64_t>{1, {2, 4}, 0}, {1, {1, 5}, 2}, {3, {4, 4}, 2}}) {
    CAPTURE(axis, sizes);
    Model m;
    m.add("x", Input{{1, 6, 1, 8}});
    m.add("first", Conv2d{.in = 8, .out = 8, .kernel = {1, 1}});
    m.add("split", Split{axis, sizes});
    m.add("relu", Unary{UnaryFn::relu}, {{2, 0}});
    m.add("tail", Conv2d{.in = axis == 3 ? sizes[1] : 8, .out = 4, .kernel = {1, 1}}, {{2, 1}});
    m.outputs = {{3, 0}, {4, 0}, {2, 1}};
    Generator g(3);
    initialize(m, g);
    m.rounding = Rounding::fixed_single;
    Model p = prepare(m, {{"", octet_device_qconfig()}});
    const Tensor x = randn(g, {4, 6, 1, 8});
    calibrate(p, {&x, 1});
    const Model int8 = convert(p);
    const RandomNetwork network{int8, quantize(slice_rows(x, 0, 1), *int8.modules[0].out_q[0], int8.rounding)};
    for (const FirmwareTarget target : {FirmwareTarget::portable, FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55}) {
      const FirmwarePlan plan = plan_firmware(int8, {.target = target});
      CHECK(steps_of(plan, "split") == (axis == 1 && sizes[0] == 1 ? 1 : copies));  // the first piece is at an aligned place
      CHECK(difference(network, plan) == "");
      for (int i = 0; i < 20; ++i) CHECK(difference(network, placed_anew(plan, g)) == "");
    }
  }
}

namespace {

/// The model in codes, with the first sample of what it was calibrated with; what `like` names means what `path` does.
RandomNetwork in_codes(Model m, const std::string& path = "", const std::vector<std::string>& like = {}) {
  m.rounding = Rounding::fixed_double;
  QConfig config = octet_device_qconfig();
  Model p = prepare(m, {{"", config}});
  Generator g(4);
  Shape shape = m.modules[0].nominal[0];
  shape[0] = 4;
  const Tensor x = randn(g, shape);
  calibrate(p, {&x, 1});
  Model int8 = convert(p);
  for (const std::string& other : like) int8[other].out_q = int8[path].out_q;
  return {int8, quantize(slice_rows(x, 0, 1), *int8.modules[0].out_q[0], int8.rounding)};
}

void check_on_devices(const RandomNetwork& network) {
  Generator g(3);
  for (const FirmwareTarget target : {FirmwareTarget::portable, FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55}) {
    const FirmwarePlan plan = plan_firmware(network.int8, {.target = target});
    CHECK(difference(network, plan) == "");
    for (int i = 0; i < 20; ++i) CHECK(difference(network, placed_anew(plan, g)) == "");
  }
}

}  // namespace

TEST_CASE("the first value behind the inputs may be a piece of one") {
  Model slice;
  slice.add("x", Input{{1, 32}});
  slice.add("piece", Slice{{1}, {0}, {16}});
  slice.add("f", Unary{UnaryFn::silu});
  check_on_devices(in_codes(slice));
  Model split;
  split.add("x", Input{{1, 32}});
  split.add("pieces", Split{1, {16, 16}});
  split.add("f", Unary{UnaryFn::silu}, {{1, 1}});
  split.outputs = {{2, 0}, {1, 0}};
  check_on_devices(in_codes(split));
}

TEST_CASE("a concatenation is complete when its last copy is made, whichever were not needed") {
  for (const bool copied_first : {false, true}) {
    Model m;
    m.add("x", Input{{1, 16}});
    const int a = m.add("a", Unary{UnaryFn::sigmoid}, {0}), b = m.add("b", Unary{UnaryFn::silu}, {0});
    m.add("cat", Concat{1}, copied_first ? std::initializer_list<int>{a, b} : std::initializer_list<int>{b, a});
    m.add("f", Unary{UnaryFn::gelu});
    const RandomNetwork network = in_codes(m, "cat", {"b"});
    CHECK(steps_of(plan_firmware(network.int8), "cat") == 1);
    check_on_devices(network);
  }
}

TEST_CASE("a value that is in a concatenation several times is read only where nobody writes") {
  for (const int shape : {0, 1, 2, 3}) {
    CAPTURE(shape);
    Model m;
    m.add("x", Input{{1, 16}});
    const int u = m.add("u", Unary{UnaryFn::silu}, {0}), v = m.add("v", Unary{UnaryFn::gelu}, {0});
    const int inner = m.add("inner", Concat{1}, {u, u});
    switch (shape) {
      case 0: m.add("outer", Concat{1}, {u, inner}); break;
      case 1: m.add("outer", Concat{1}, {inner, u}); break;
      case 2: m.add("outer", Concat{1}, {u, u, v}); break;
      default: m.add("outer", Concat{1}, {v, inner, u, inner}); break;
    }
    m.add("f", Unary{UnaryFn::tanh});
    check_on_devices(in_codes(m, "outer", {"u", "v", "inner"}));
  }
}

TEST_CASE("layers that share weights store them once") {
  Model m;
  m.add("x", Input{{1, 8}});
  m.add("a", Linear{8, 8});
  m.add("b", Linear{8, 8});
  m.modules.back().tied_to = "a";
  Generator g(1);
  initialize(m, g);
  m.rounding = Rounding::fixed_single;
  Model p = prepare(m, {{"", octet_device_qconfig()}});
  const Tensor x = randn(g, {16, 8});
  calibrate(p, {&x, 1});
  const Model int8 = convert(p);
  const auto weight = int8["a"].params.at("weight").data<int8_t>();
  const auto bytes = std::as_bytes(weight);
  const Bytes image = image_bytes(plan_firmware(int8));
  auto found = std::search(image.begin(), image.end(), bytes.begin(), bytes.end());
  REQUIRE(found != image.end());
  CHECK(std::search(found + 1, image.end(), bytes.begin(), bytes.end()) == image.end());
  const RandomNetwork network{int8, quantize(randn(g, {1, 8}), *int8.modules[0].out_q[0], int8.rounding)};
  CHECK(difference(network, plan_firmware(int8)) == "");
}

TEST_CASE("a value that says it is a piece of another must be one") {
  const FirmwarePlan plan = plan_firmware(joined(4, 8, true).int8);
  const Bytes good = image_bytes(plan);
  REQUIRE(Device(good).status() == OCTET_OK);
  const size_t values = records_in(good)[0].payload;
  const auto whole = static_cast<size_t>(&value_of(plan, "cat") - plan.values.data());
  const auto status = [&](size_t index, auto change) {
    Bytes bad = good;
    const size_t at = values + index * sizeof(image::Value);
    auto v = take<image::Value>(bad, at);
    change(v);
    put(bad, at, v);
    repair_checksum(bad);
    return Device(bad).status();
  };
  CHECK(status(whole, [](auto&) {}) == OCTET_OK);
  CHECK(status(whole, [](auto& v) { v.of = image::kNoValue; }) == OCTET_ERROR_RANGE);  // then somebody must write it
  CHECK(status(whole, [&](auto& v) { v.of = static_cast<uint16_t>(whole); }) == OCTET_ERROR_RANGE);
  CHECK(status(whole, [](auto& v) { v.of = 0; }) == OCTET_ERROR_RANGE);  // the input lies elsewhere
  CHECK(status(whole, [](auto& v) { v.reserved = 1; }) == OCTET_ERROR_RECORD);
  CHECK(status(0, [](auto& v) { v.of = 1; }) == OCTET_ERROR_RANGE);
}

TEST_CASE("a side that no device takes is refused on the host, by the module's name") {
  const auto planned = [](const Shape& x, const Op& op) {
    Model m;
    m.add("x", Input{x});
    m.add("long", op);
    Generator g(1);
    initialize(m, g);
    m.rounding = Rounding::fixed_double;
    Model prepared = prepare(m, {{"", octet_device_qconfig()}});
    const Tensor data = randn(g, x);
    calibrate(prepared, {&data, 1});
    return plan_firmware(convert(prepared));
  };
  CHECK_THROWS_WITH(planned({1, 65535, 1}, Conv1d{.in = 1, .out = 4, .kernel = 80, .stride = 4}),
                    Contains("long: conv2d with in_w 65535; a device takes at most 32768"));
  CHECK_THROWS_WITH(planned({1, 65535, 1}, Pool1d{}), Contains("long: pool2d with in_w 65535"));
  CHECK_THROWS_WITH(planned({1, 2, 40000}, PRelu{40000}), Contains("long: lookup with channels 40000"));
  CHECK_NOTHROW(planned({1, 32768, 1}, Conv1d{.in = 1, .out = 4, .kernel = 80, .stride = 4}));
}

TEST_CASE("a layer whose sums a device would not believe is refused on the host, by the module's name") {
  const auto planned = [](int64_t in, const QParams& x, int8_t weight, Rounding rounding, FirmwareTarget target, float bias = 0) {
    Model m;
    m.rounding = rounding;
    m.add("x", Input{{1, in}});
    m.add("fc", Linear{in, 1});
    const bool wide = x.qmin < -128, unsign = x.qmin == 0;
    m["x"].out_q = {x};
    const QParams y{{1}, {0}, -1, 0, wide ? -32768 : unsign ? 0 : -128, wide ? 32767 : unsign ? 255 : 127};
    m["fc"].out_q = {y};
    Tensor w({1, in}, DType::i8);
    int8_t sign = 1;  // of two signs: sums reach half as far to one side as their bound
    for (int8_t& v : w.mutable_data<int8_t>()) v = static_cast<int8_t>(weight * (sign = static_cast<int8_t>(-sign)));
    m["fc"].params["weight"] = w.with({{1e-4F}, {0}, -1, 0, -127, 127});
    m["fc"].params["bias"] = Tensor::of<float>({1}, std::vector<float>{bias});
    return Device(image_bytes(plan_firmware(m, {.target = target}))).status();
  };
  const QParams seven{{1e-3F}, {64}, -1, 0, 0, 127}, i8{{1e-3F}, {0}, -1, 0, -128, 127}, i16{{1e-3F}, {0}, -1, 0, -32768, 32767};
  const QParams five{{1e-3F}, {-128}, -1, 0, -128, -98}, twelve{{1e-3F}, {0}, -1, 0, -2048, 2047};
  constexpr auto kPortable = FirmwareTarget::portable, kM55 = FirmwareTarget::cortex_m55;
  for (const Rounding rounding : {Rounding::real, Rounding::fixed_double}) {
    // Codes 0..127 around 64 reach 64, and all of u8 191.
    CHECK_THROWS_WITH(
        planned(100'000, seven, 127, rounding, kPortable),
        Contains("fc: the sum of channel 0 can reach 2425700000 over all codes of 8 bits, which is how a device counts"));
    CHECK(planned(88'000, seven, 127, rounding, kPortable) == OCTET_OK);
    CHECK_THROWS_WITH(planned(9'000'000, i8, 0, rounding, kPortable),
                      Contains("fc: 9000000 weights of a channel; a device takes at most 8388608"));
    CHECK(planned(1 << 23, i8, 0, rounding, kPortable) == OCTET_OK);
    // Weights that are packed were counted when they were packed.
    CHECK(planned(100'000, five, 127, rounding, kM55) == OCTET_OK);
    CHECK_THROWS_WITH(planned(100'000, five, 127, rounding, kPortable), Contains("over all codes of 8 bits"));
  }
  CHECK_THROWS_WITH(planned(9'000'000, i16, 0, Rounding::fixed_double, kPortable), Contains("fc: 9000000 weights of a channel"));
  CHECK(planned(70'000, twelve, 127, Rounding::fixed_double, kPortable, 1) == OCTET_OK);
}

TEST_CASE("an output scale that a device cannot divide by is refused on the host, by the module's name") {
  for (const float scale : {8e37F, 2e38F}) {
    Model m;
    m.add("x", Input{{1, 3}});
    m.add("sum", Binary{}, {0, 0});
    m["x"].out_q = m["sum"].out_q = {QParams{{scale}, {0}, -1, 0, 0, 255}};
    if (scale < 1e38F)
      CHECK(Device(image_bytes(plan_firmware(m))).status() == OCTET_OK);
    else
      CHECK_THROWS_WITH(plan_firmware(m), Contains("sum: ") && Contains("whose inverse is no normal float"));
  }
}

TEST_CASE("a layer too long for packed kernels runs on the reference kernel, and the plan says so") {
  Model m;
  m.rounding = Rounding::fixed_double;
  m.add("x", Input{{1, 32768, 1}});
  m.add("long", Conv1d{.in = 1, .out = 4, .padding = 1});
  Generator g(1);
  initialize(m, g);
  Model prepared = prepare(m, {{"", octet_device_qconfig()}});
  const Tensor data = randn(g, {1, 32768, 1});
  calibrate(prepared, {&data, 1});
  const FirmwarePlan plan = plan_firmware(convert(prepared), {.target = FirmwareTarget::cortex_m4});
  CHECK(plan.steps[0].why_not == "the Cortex-M kernels count sides of up to 32768 and 2^26 weights");
  CHECK(Device(image_bytes(plan)).status() == OCTET_OK);
}

TEST_CASE("the largest of many codes has no limit on a device that only their sum needs") {
  const int64_t many = 70'000;
  const QParams q{{1e-3F}, {0}, -1, 0, -32768, 32767};
  Model m;
  m.rounding = Rounding::fixed_double;
  m.add("x", Input{{1, many}});
  m.add("max", Reduce{ReduceFn::max, {1}});
  m["x"].out_q = m["max"].out_q = {q};
  Tensor x = Tensor({1, many}, DType::i16).with(q);
  x.mutable_data<int16_t>()[66'000] = 99;
  CHECK(difference({m, x}, plan_firmware(m)) == "");
}
